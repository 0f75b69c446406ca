"""What a big JTL costs, up to all that ``summary.json`` says: time and peak memory, beside JMeter's own
dashboard, pandas that only reads four of its columns, and Taurus's reader.

Its samples are late, and fail, as those of real runs: what is the same in all rows makes few cells. The last
two run in the Python of ``--peers``, which has pandas and bzt; without it they are left out, and what is
claimed about them is not shown. Rounds are interleaved; a ratio is the median of those of each round. Exits
with 1 when a claim does not hold: 30 times as fast as the dashboard and 50 as the aim, no slower than pandas,
no more memory than 400 MB at 5 million rows and 450 MB at any more, time in proportion to the rows.
"""

import argparse
import itertools
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
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
TIMES_AS_FAST, AIM = 30, 50
PEAK_MB, PEAK_MB_OF_MORE = 400, 450
PROPORTIONAL = 1.15
"""Times what the rows alone would make of it: what is beyond is no proportion."""
PANDAS = """
import sys, pandas
columns = ["timeStamp", "elapsed", "label", "success"]
frame = pandas.read_csv(sys.argv[1], usecols=columns, dtype={"label": "category"})
assert len(frame) == int(sys.argv[2])
"""
WATCHER = """
import resource, subprocess, sys, time
started = time.monotonic()
done = subprocess.run(sys.argv[1:], stdout=sys.stderr)
print(time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
"""Starts what is measured: whose starter is large is said to be as large, until it is larger (Linux)."""
TAURUS = """
import logging, sys
from bzt.modules.jmeter import JTLReader
reader = JTLReader(sys.argv[1], logging.getLogger())
points = list(reader.datapoints(True))
assert sum(point["current"][""]["throughput"] for point in points) == int(sys.argv[2])
"""
_AT_ONCE = 500_000

LATENCIES_MS = {"lognormal, median 1 ms, sigma 0.6": 1, "lognormal, median 150 ms, sigma 0.6": 150}
"""Medians. A recorded millisecond is a whole one, so that some of the fast server's are 0."""
SIGMA = 0.6
LATE_MEAN_MS, TAIL, TAIL_FROM_MS, TAIL_MEAN_MS = 0.8, 0.03, 10, 20
"""How late requests start: exponentially, and a share of them tens of milliseconds, on busy threads."""
FAILED = 0.01
FAILURE = "Test failed: code expected to match /200/"


def write_jtl(path: Path, rows: int, median_ms: float) -> None:
    """Write ``rows`` samples at ``RATE_PER_S`` with the columns that our plans save, in the order in which
    they were due; the same ones each time."""
    labels = [one.label for one in workload("rest_api_baseline").requests]
    names = pl.Series([f"REST API baseline: users 1-{number + 1}" for number in range(100)])
    with path.open("wb") as file:
        file.write(HEADER)
        for first in range(0, rows, _AT_ONCE):
            numbers = pl.DataFrame({"n": range(first, min(first + _AT_ONCE, rows))})
            in_tail = _chance(1) < TAIL
            late_ms = -LATE_MEAN_MS * _chance(2).log()
            late_ms += pl.when(in_tail).then(TAIL_FROM_MS - TAIL_MEAN_MS * _chance(3).log()).otherwise(0.0)
            # Box and Muller 1958, doi 10.1214/aoms/1177706645.
            normal = (-2 * _chance(4).log()).sqrt() * (2 * math.pi * _chance(5)).cos()
            frame = numbers.select(
                "n",
                late_ms=late_ms.round().cast(pl.Int64),
                waited=pl.when(in_tail).then(0).otherwise(1),
                failed=_chance(6) < FAILED,
                elapsed=(median_ms * (SIGMA * normal).exp()).round().cast(pl.Int64),
                label=pl.lit(pl.Series(labels)).gather(pl.col("n") % len(labels)),
                threadName=pl.lit(names).gather(pl.col("n") % len(names)),
            )
            _with_the_other_columns(frame).write_csv(file, include_header=False, quote_style="necessary")


def _chance(column: int) -> pl.Expr:
    """Evenly between 0 and 1, 0 not included."""
    return (pl.col("n").hash(column).cast(pl.Float64) + 1) / (2.0**64 + 1)


def _with_the_other_columns(frame: pl.DataFrame) -> pl.DataFrame:
    failed = pl.col("failed")
    return frame.select(
        START_MS + pl.col("n") * 1000 // RATE_PER_S + pl.col("late_ms"),
        "elapsed",
        "label",
        responseCode=pl.when(failed).then(pl.lit("503")).otherwise(pl.lit("200")),
        responseMessage=pl.when(failed).then(pl.lit("Service Unavailable")).otherwise(pl.lit("OK")),
        threadName="threadName",
        dataType=pl.lit("text"),
        success=pl.when(failed).then(pl.lit("false")).otherwise(pl.lit("true")),
        failureMessage=pl.when(failed).then(pl.lit(FAILURE)),
        bytes=pl.lit(350),
        sentBytes=pl.lit(200),
        grpThreads=pl.lit(100),
        allThreads=pl.lit(100),
        URL=pl.lit("http://127.0.0.1:4444/tools"),
        Latency="elapsed",
        IdleTime=pl.lit(0),
        Connect=pl.lit(0),
        late_ms="late_ms",
        waited="waited",
    )


def measured(command: list[str], cwd: Path) -> tuple[float, float]:
    """Run it to its end: seconds, and the most memory it had, in MB.

    Raises:
        SystemExit: it failed; its output says why.
    """
    # Polars, which this process has loaded, leaves its allocator's settings in the environment.
    env = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    with (cwd / "said.txt").open("wb") as said:
        watched = [sys.executable, "-c", WATCHER, *command]
        done = subprocess.run(watched, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=said, check=False)
    if done.returncode:
        raise SystemExit(f"{command[:4]} failed: {(cwd / 'said.txt').read_text(encoding='utf-8')[-300:]}")
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def dashboard(jtl: Path, folder: Path) -> list[str]:
    """JMeter's dashboard over all samples, which it makes of the last 20,000 of a label by default."""
    args = ["-g", str(jtl), "-o", str(folder / "dashboard"), "-j", str(folder / "jmeter.log")]
    args.append("-Jjmeter.reportgenerator.statistic_window=-1")
    return engine().command(args, heap_mb=DASHBOARD_HEAP_MB, work_dir=folder)


Claims = dict[str, bool | None]
"""Whether each claim holds; None where what it is about was not measured."""


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


def of_the_same_rows(latency: str, rounds: int, peers: str | None, without: Collection[str]) -> Claims:
    """The rows of the table for 5 million samples, and the claims about them."""
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        folder = Path(scratch)
        jtl = folder / "samples.jtl"
        write_jtl(jtl, ROWS, LATENCIES_MS[latency])
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
    peak_mb = max(one.peak_mb for one in costs[OURS])
    return {
        f"{TIMES_AS_FAST} times as fast as {DASHBOARD}, {latency}": _at_least(
            ratios, DASHBOARD, TIMES_AS_FAST
        ),
        f"the aim: {AIM} times, {latency}": _at_least(ratios, DASHBOARD, AIM),
        f"no slower than {READER}, {latency}": _at_least(ratios, READER, 1),
        f"at most {PEAK_MB} MB at {ROWS:,} rows, {latency}": peak_mb <= PEAK_MB,
    }


def _at_least(ratios: Mapping[str, float], name: str, times: float) -> bool | None:
    return ratios[name] >= times if name in ratios else None


def of_more_rows(latency: str, counts: Sequence[int]) -> Claims:
    """What more rows cost, and the claims about that."""
    claims: Claims = {}
    per_row: list[float] = []
    for rows in (ROWS, *counts):
        with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
            folder = Path(scratch)
            jtl = folder / "samples.jtl"
            write_jtl(jtl, rows, LATENCIES_MS[latency])
            command = contenders(jtl, rows, folder, None)[OURS]
            (found,) = interleaved({OURS: command}, 1 if rows > ROWS else 3, folder).values()
        per_row.append(statistics.median(one.seconds for one in found) / rows)
        _tell(latency, rows, OURS, found, f"{per_row[-1] / per_row[0]:.2f} a row")
        if rows > ROWS:
            in_proportion = per_row[-1] <= per_row[0] * PROPORTIONAL
            claims[f"{rows:,} rows take time in proportion, {latency}"] = in_proportion
            at_most = f"at most {PEAK_MB_OF_MORE} MB at {rows:,} rows, {latency}"
            claims[at_most] = found[0].peak_mb <= PEAK_MB_OF_MORE
    return claims


def _tell(latency: str, rows: int, name: str, found: Sequence[Cost], ratio: str) -> None:
    seconds = statistics.median(one.seconds for one in found)
    peak_mb = max(one.peak_mb for one in found)
    print(row(latency, f"{rows:,}", name, f"{seconds:.1f}", f"{peak_mb:.0f}", ratio), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latencies", nargs="+", default=list(LATENCIES_MS), choices=list(LATENCIES_MS))
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
    claims: Claims = {}
    for one in asked.latencies:
        claims |= of_the_same_rows(one, asked.rounds, asked.peers, without)
        if asked.more:
            claims |= of_more_rows(one, asked.more)
    outcomes = {True: "holds", False: "**does not hold**", None: "not shown: left out"}
    print(
        "",
        table_head("claim", "outcome"),
        *(row(one, outcomes[is_so]) for one, is_so in claims.items()),
        sep="\n",
    )
    raise SystemExit(1 if False in claims.values() else 0)


if __name__ == "__main__":
    main()
