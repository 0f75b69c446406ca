"""What a big JTL costs: figures and report from it, beside JMeter's own dashboard. Time and peak memory."""

import argparse
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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
DASHBOARD_HEAP_MB = 4096
DIGEST_ONLY = """
import sys, pathlib
from pacemark.results.digest import Digest
Digest.from_jtl(pathlib.Path(sys.argv[1]))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--no-dashboard", action="store_true", help="without JMeter's, which takes minutes")
    asked = parser.parse_args()
    print(f"{asked.rows:,} rows\n")
    print(table_head("latency", "JTL, MB", "what", "seconds", "peak MB"))
    pacemark = [sys.executable, "-m", "pacemark"]
    for name, latency in LATENCIES.items():
        with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
            folder = Path(scratch)
            jtl = folder / "samples.jtl"
            write_jtl(jtl, asked.rows, latency)
            commands = {
                "the digest": [sys.executable, "-c", DIGEST_ONLY, str(jtl)],
                "pacemark stats": [*pacemark, "stats", str(jtl)],
                "pacemark report": [*pacemark, "report", str(jtl), "--out", str(folder / "report")],
            }
            if not asked.no_dashboard:
                commands["jmeter -g"] = dashboard(jtl, folder)
            for what, command in commands.items():
                wait_until_quiet()
                seconds, peak_mb = measured(command, folder)
                print(
                    row(name, f"{jtl.stat().st_size / 1e6:.0f}", what, f"{seconds:.1f}", f"{peak_mb:.0f}"),
                    flush=True,
                )
            shutil.rmtree(folder / "report")


if __name__ == "__main__":
    main()
