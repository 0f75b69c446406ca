"""How long the verdict takes from a long run's last sample: within 5 s.

The run is Pacemark's own from load to verdict (``pacemark.run``), digest and record saved. Only JMeter
and the gateway are stood in for: the samples of ``digest.py`` are appended to ``samples.jtl`` as fast as they
are followed, ten seconds of them between two looks. Exits with 1 when the claim does not hold.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn
from unittest.mock import patch

from digest import LATENCIES_MS, MORE_ROWS, RATE_PER_S, ROWS, write_jtl
from harness import row, show, table_head

from pacemark import run as runs
from pacemark.asked import Asked
from pacemark.gateway.preflight import PreflightResult
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import CpuReading
from pacemark.jmeter.java import Java
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import Execution
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE
from pacemark.results.growing import GrowingDigest
from pacemark.results.record import RECORD_FILE, RunRecord
from pacemark.workloads import workload
from pacemark.workloads.load import Load

WITHIN_S = 5.0
NOT_IN_IT = "what JMeter takes to end, and what a gateway and a Prometheus take to answer the last questions"
_LINES_A_LOOK = 10 * RATE_PER_S
REST = workload("rest_api_baseline")


class ToldError(Exception):
    """Ends the run at its verdict: what comes after it is the report."""


class Replay:
    """What carries out the load in JMeter's place; ``last_row`` is when its last sample was there."""

    def __init__(self, source: Path, rows: int) -> None:
        self.source = source
        self.rows = rows
        self.last_row = 0.0

    def execute(
        self,
        engine: Engine,
        plan: Path,
        properties: Mapping[str, str],
        load: Load,
        run_dir: Path,
        *,
        follow: Callable[[Path], GrowingDigest],
        on_progress: Callable[[Progress], None],
        **settings: object,
    ) -> Execution:
        jtl = run_dir / SAMPLES_FILE
        growing, started = follow(jtl), time.time()
        with jtl.open("wb", buffering=0) as file:
            for number, lines in enumerate(_stretches(self.source)):
                if number:
                    on_progress(growing.look())
                file.write(lines)
        self.last_row = time.monotonic()
        return Execution(
            started=started,
            ended=time.time(),
            exit_code=0,
            stopped="",
            clock_step_s=0,
            cores=1,
            cpu=[CpuReading(started, 0), CpuReading(time.time(), 1)],
            gc_log="",
            reported=(self.rows, 0),
        )


def _stretches(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while lines := [line for _, line in zip(range(_LINES_A_LOOK), file, strict=False)]:
            yield b"".join(lines)


def measured(latency: str, rows: int) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        folder = Path(scratch)
        source = folder / "source.jtl"
        write_jtl(source, rows, LATENCIES_MS[latency])
        record, seconds = told(Replay(source, rows), folder)
    if record.recorded is None or record.recorded.count != rows:
        raise SystemExit(f"not all of the {rows} samples were counted: {record.recorded}")
    holds = seconds <= WITHIN_S
    return row(latency, f"{rows:,}", record.verdict, f"{seconds:.2f}", "yes" if holds else "**no**"), holds


def told(replay: Replay, folder: Path) -> tuple[RunRecord, float]:
    """The record, and the seconds from the last sample until it was told."""
    load = Load(threads=100, ramp_up_s=60, duration_s=replay.rows // RATE_PER_S, rate_per_s=RATE_PER_S)
    asked = Asked(
        workload=REST,
        scale="full",
        load=load,
        warm_up_s=load.ramp_up_s,
        objectives=REST.objectives,
        url="http://127.0.0.1:4444",
        credentials=None,
        out=folder / "results",
    )
    engine = Engine(folder, "5.6.3", Java(Path("java"), "21.0.8", "none"))
    seen: list[tuple[RunRecord, float]] = []

    def tell(record: RunRecord) -> NoReturn:
        seen.append((record, time.monotonic() - replay.last_row))
        raise ToldError

    with (
        patch.object(runs, "_examined", lambda asked: (asked, PreflightResult(findings=[]))),
        patch.object(runs, "_counters", lambda asked: None),
        patch.object(runs, "execute", replay.execute),
        suppress(ToldError),
    ):
        runs.run(asked, engine, on_progress=lambda _: None, on_verdict=tell)
    (saved,) = (folder / "results" / REST.name).iterdir()
    if not all((saved / name).is_file() for name in (DIGEST_FILE, RECORD_FILE)):
        raise SystemExit("the verdict was told before it was saved")
    return seen[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", nargs="+", type=int, default=[ROWS, MORE_ROWS])
    asked = parser.parse_args()
    print(f"Without {NOT_IN_IT}.\n")
    print(table_head("latency", "samples", "verdict", "seconds from the last sample", "holds"))
    show(partial(measured, latency, rows) for rows in asked.rows for latency in LATENCIES_MS)


if __name__ == "__main__":
    main()
