"""What a big JTL costs, up to all that ``summary.json`` says: time and peak memory, beside JMeter's own
dashboard, pandas that only reads four of its columns, and Taurus's reader.

The last two run in the Python of ``--peers``, which has pandas and bzt; without it they are left out. Rounds
are interleaved; a ratio is the median of those of each round. Exits with 1 when a claim does not hold: 30
times as fast as the dashboard (50 is the aim), no slower than pandas, no more memory than 400 MB at 5 million
rows and 450 MB at any more, and time in proportion to the rows.
"""

import argparse
import itertools
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from harness import engine, row, table_head, wait_until_quiet

from pacemark.workloads import workload

RATE_PER_S = 2000
START_MS = 1_769_767_200_000
HEADER = (
    b"timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,"
    b'sentBytes,grpThreads,allThreads,URL,Latency,IdleTime,Connect,"late_ms","waited"\n'
)
"""As JMeter writes it: without the quotes it would not take the last two for variables of the plan."""
OURS, READER, DASHBOARD = "pacemark stats", "pandas reads four columns", "jmeter -g"
DASHBOARD_HEAP_MB = 4096
ROWS, MORE_ROWS, MOST_ROWS = 5_000_000, 20_000_000, 50_000_000
TIMES_AS_FAST = 30
PEAK_MB, PEAK_MB_OF_MORE = 400, 450
PROPORTIONAL = 1.15
"""Times what the rows alone would make of it: what is beyond is no proportion."""
PANDAS = """
import sys, pandas
columns = ["timeStamp", "elapsed", "label", "success"]
frame = pandas.read_csv(sys.argv[1], usecols=columns, dtype={"label": "category"})
assert len(frame) == int(sys.argv[2])
"""
TAURUS = """
import logging, sys
from bzt.modules.jmeter import JTLReader
reader = JTLReader(sys.argv[1], logging.getLogger())
points = list(reader.datapoints(True))
assert sum(point["current"][""]["throughput"] for point in points) == int(sys.argv[2])
"""
_AT_ONCE = 500_000

LATENCIES: dict[str, Callable[[random.Random], int]] = {
    "1 ms": lambda _: 1,
    "lognormal, median 150 ms, sigma 0.6": lambda chance: round(chance.lognormvariate(math.log(150), 0.6)),
}


def write_jtl(path: Path, rows: int, latency: Callable[[random.Random], int]) -> None:
    """Write ``rows`` samples at ``RATE_PER_S`` with the columns that our plans save, in order of start."""
    chance = random.Random(1)
    labels = [one.label for one in workload("rest_api_baseline").requests]
    with path.open("wb") as file:
        file.write(HEADER)
        for first in range(0, rows, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, rows))
            frame = pl.DataFrame(
                {
                    "timeStamp": [START_MS + number * 1000 // RATE_PER_S for number in numbers],
                    "elapsed": [latency(chance) for _ in numbers],
                    "label": [labels[number % len(labels)] for number in numbers],
                    "threadName": [f"REST API baseline: users 1-{number % 100 + 1}" for number in numbers],
                }
            )
            _with_the_other_columns(frame).write_csv(file, include_header=False, quote_style="necessary")


def _with_the_other_columns(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        "timeStamp",
        "elapsed",
        "label",
        responseCode=pl.lit("200"),
        responseMessage=pl.lit("OK"),
        threadName="threadName",
        dataType=pl.lit("text"),
        success=pl.lit("true"),
        failureMessage=pl.lit(None, pl.String),
        bytes=pl.lit(350),
        sentBytes=pl.lit(200),
        grpThreads=pl.lit(100),
        allThreads=pl.lit(100),
        URL=pl.lit("http://127.0.0.1:4444/tools"),
        Latency="elapsed",
        IdleTime=pl.lit(0),
        Connect=pl.lit(0),
        late_ms=pl.lit(0),
        waited=pl.lit(1),
    )


def measured(command: list[str], cwd: Path) -> tuple[float, float]:
    """Run it to its end: seconds, and the most memory it had, in MB.

    Raises:
        SystemExit: it failed; its output says why.
    """
    with (cwd / "said.txt").open("wb") as said:
        started = time.monotonic()
        child = subprocess.Popen(command, cwd=cwd, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.monotonic() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[:4]} failed: {(cwd / 'said.txt').read_text(encoding='utf-8')[-300:]}")
    return seconds, used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def dashboard(jtl: Path, folder: Path) -> list[str]:
    """JMeter's dashboard over all samples, which it makes of the last 20,000 of a label by default."""
    args = ["-g", str(jtl), "-o", str(folder / "dashboard"), "-j", str(folder / "jmeter.log")]
    args.append("-Jjmeter.reportgenerator.statistic_window=-1")
    return engine().command(args, heap_mb=DASHBOARD_HEAP_MB, work_dir=folder)


class Cost(NamedTuple):
    seconds: float
    peak_mb: float


def contenders(jtl: Path, rows: int, folder: Path, peers: str | None) -> dict[str, list[str]]:
    """Command lines."""
    found = {OURS: [sys.executable, "-m", "pacemark", "stats", str(jtl), "--json"]}
    if peers:
        found[READER] = [peers, "-c", PANDAS, str(jtl), str(rows)]
        found["Taurus's reader"] = [peers, "-c", TAURUS, str(jtl), str(rows)]
    return found | {DASHBOARD: dashboard(jtl, folder)}


def interleaved(commands: dict[str, list[str]], rounds: int, folder: Path) -> dict[str, list[Cost]]:
    """What each cost, by round."""
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _, (name, command) in itertools.product(range(rounds), commands.items()):
        wait_until_quiet()
        costs[name].append(Cost(*measured(command, folder)))
        shutil.rmtree(folder / "dashboard", ignore_errors=True)
    return costs


def of_the_same_rows(latency: str, rounds: int, peers: str | None, without: Collection[str]) -> bool:
    """The rows of the table for 5 million samples; whether the claims hold."""
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        folder = Path(scratch)
        jtl = folder / "samples.jtl"
        write_jtl(jtl, ROWS, LATENCIES[latency])
        commands = contenders(jtl, ROWS, folder, peers)
        costs = interleaved({k: v for k, v in commands.items() if k not in without}, rounds, folder)
    ratios = {
        name: statistics.median(
            one.seconds / ours.seconds for one, ours in zip(found, costs[OURS], strict=True)
        )
        for name, found in costs.items()
    }
    for name, found in costs.items():
        _tell(latency, ROWS, name, found, f"{ratios[name]:.1f}")
    return (
        ratios.get(DASHBOARD, TIMES_AS_FAST) >= TIMES_AS_FAST
        and ratios.get(READER, 1) >= 1
        and max(one.peak_mb for one in costs[OURS]) <= PEAK_MB
    )


def of_more_rows(latency: str, counts: Sequence[int]) -> bool:
    """What more rows cost; whether the claims hold."""
    held = []
    per_row: list[float] = []
    for rows in (ROWS, *counts):
        with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
            folder = Path(scratch)
            jtl = folder / "samples.jtl"
            write_jtl(jtl, rows, LATENCIES[latency])
            command = contenders(jtl, rows, folder, None)[OURS]
            (found,) = interleaved({OURS: command}, 1 if rows > ROWS else 3, folder).values()
        per_row.append(statistics.median(one.seconds for one in found) / rows)
        _tell(latency, rows, OURS, found, f"{per_row[-1] / per_row[0]:.2f} a row")
        held.append(per_row[-1] <= per_row[0] * PROPORTIONAL and found[0].peak_mb <= PEAK_MB_OF_MORE)
    return all(held)


def _tell(latency: str, rows: int, name: str, found: Sequence[Cost], ratio: str) -> None:
    seconds = statistics.median(one.seconds for one in found)
    peak_mb = max(one.peak_mb for one in found)
    print(row(latency, f"{rows:,}", name, f"{seconds:.1f}", f"{peak_mb:.0f}", ratio), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latencies", nargs="+", default=list(LATENCIES), choices=list(LATENCIES))
    parser.add_argument("--more", nargs="*", type=int, default=[MORE_ROWS, MOST_ROWS], metavar="ROWS")
    parser.add_argument(
        "--peers", default=os.environ.get("PEERS_PYTHON"), metavar="PYTHON", help="[$PEERS_PYTHON]"
    )
    parser.add_argument("--no-dashboard", action="store_true", help="without JMeter's, which takes minutes")
    asked = parser.parse_args()
    without = [DASHBOARD] if asked.no_dashboard else []
    if not asked.peers:
        print("left out, no Python that has them given by --peers: pandas, Taurus\n")
    print(table_head("latency", "rows", "what", "seconds", "peak MB", "times ours"))
    held = [of_the_same_rows(one, asked.rounds, asked.peers, without) for one in asked.latencies]
    if asked.more:
        held.append(of_more_rows(asked.latencies[-1], asked.more))
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
