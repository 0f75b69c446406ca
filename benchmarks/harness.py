"""What the benchmarks share: a quiet machine, one plan carried out, and its samples in order."""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

import polars as pl
import psutil

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import log_errors
from pacemark.jmeter.install import install
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import Execution, execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties
from pacemark.results.digest import SAMPLES_FILE, Digest
from pacemark.results.jtl import Jtl
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load

Look = Callable[[Progress], None]

HEAP_MB = 1024
QUIET_PERCENT = 15
"""Use of all processors above which a measurement waits."""
_QUIET_WITHIN_S = 20


@dataclass(frozen=True)
class Carried:
    """A plan that was carried out. ``samples`` is sorted by start; ``second`` counts from the first."""

    samples: pl.DataFrame
    digest: Digest
    execution: Execution
    load: Load

    @classmethod
    def out(
        cls, engine: Engine, plan: bytes, load: Load, url: str, look: Look = lambda _: None, **more: str
    ) -> Self:
        """Carry out a plan in a directory that is then removed; ``look`` is called twice a second."""
        with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
            folder = Path(scratch)
            execution = _execute(engine, plan, load, folder, {"GATEWAY_URL": url, **more}, look)
            jtl = folder / SAMPLES_FILE
            samples = pl.concat(frame.select("start_ms", "label", "outcome") for frame in Jtl(jtl).samples())
            samples = samples.sort("start_ms", maintain_order=True)
            second = (pl.col("start_ms") - samples["start_ms"][0]) // 1000
            if trouble := log_errors(folder / "jmeter.log"):
                raise SystemExit(f"JMeter: {'; '.join(trouble)}")
            return cls(samples.with_columns(second=second), Digest.from_jtl(jtl), execution, load)

    def cpu_s(self, from_s: float, to_s: float) -> float:
        """JMeter's processor seconds in a window, in seconds from the first sample."""
        start = self.digest.start_ms / 1000
        used = self.execution.cpu_seconds(start + from_s, start + to_s)
        if used is None:
            raise SystemExit("JMeter's processor time was not seen")
        return used


def _execute(
    engine: Engine, plan: bytes, load: Load, folder: Path, properties: Mapping[str, str], look: Look
) -> Execution:
    (folder / "plan.jmx").write_bytes(plan)
    write_data(folder / "data", dict.fromkeys(feed for one in WORKLOADS.values() for feed in one.feeds))
    settings = {**JMETER_SETTINGS, **load_properties(load), "TOKEN": "none", **properties}
    return execute(engine, folder / "plan.jmx", settings, load, folder, heap_mb=HEAP_MB, on_progress=look)


def engine() -> Engine:
    """The pinned JMeter."""
    return install()


def wait_until_quiet() -> None:
    """Wait until others leave the processors alone, twenty seconds at most.

    The load average would not do: it remembers the benchmark's own last run.
    """
    deadline = time.monotonic() + _QUIET_WITHIN_S
    while psutil.cpu_percent(interval=2) > QUIET_PERCENT and time.monotonic() < deadline:
        pass


def show(measurements: Iterable[Callable[[], tuple[str, bool]]]) -> NoReturn:
    """Print the row of each measurement, taken on a quiet machine; exit with 1 unless all claims held."""
    held = []
    for measured in measurements:
        wait_until_quiet()
        line, holds = measured()
        print(line, flush=True)
        held.append(holds)
    raise SystemExit(0 if all(held) else 1)


def row(*cells: object) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def table_head(*names: str) -> str:
    """The head of a Markdown table."""
    return "\n".join([row(*names), row(*("---" for _ in names))])
