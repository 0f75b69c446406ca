"""Does one JMeter hold a thousand event streams, and measure a known delay? Exits with 1 when it does not.

The server is ours, in a process of its own (``tests/event_streams.py``): it counts what it opened, sent and
saw closed, answers each message after 100 ms, and measures how long that took it.
"""

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Self

import polars as pl
from harness import HEAP_MB, Carried, engine, row, show, table_head

from pacemark.jmx.plan import render
from pacemark.results.measurements.streams import open_streams
from pacemark.results.statistics import figures, percentile
from pacemark.results.wake_up import late_wake_up_p95_ms
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.streams import CONNECT, FIRST_EVENT, ROUND_TRIP, STREAM_LIFETIME

SERVER = Path(__file__).parents[1] / "tests" / "event_streams.py"
DELAY_MS = 100
CLAIM_MS = 5
"""The delay that the server's books have is measured within so much at P50."""


class Server:
    """The server process; ``books`` asks it for what it has counted so far."""

    def __enter__(self) -> Self:
        command = [sys.executable, str(SERVER), str(DELAY_MS / 1000)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self._line())}"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)

    def books(self) -> dict[str, int]:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return {str(name): int(value) for name, value in json.loads(self._line()).items()}

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


def measure(load: Load) -> tuple[str, bool]:
    """A row of the table, and whether the claims held."""
    with Server() as server:
        carried = Carried.out(engine(), render(workload("sse_streaming_baseline")), load, server.url)
        books = server.books()
    if carried.execution.stopped:
        raise SystemExit(carried.execution.stopped)
    digest, streams = carried.digest, load.threads
    held = digest.only(STREAM_LIFETIME)
    at_once = max(open_streams(digest)[1])
    replies = figures(digest.only(ROUND_TRIP))
    steady = digest.without_lifetimes().between(load.ramp_up_s, load.duration_s)
    round_trip = percentile(steady.only(ROUND_TRIP), "50") or 0
    shortest_s = int(held.cells.select(pl.col("elapsed_ms").min()).item()) / 1000
    agreed = (
        (books["opened"], books["closed"], books["dropped"], books["most_open"])
        == (streams, streams, 0, streams)
        and (held.count, held.errors, at_once) == (streams, 0, streams)
        and books["posts"] == books["replies"] == books["distinct_ids"] == replies.count - replies.errors
        and digest.errors == 0
    )
    pauses = carried.execution.pauses(carried.execution.started, carried.execution.ended)
    cpu_s = carried.cpu_s(load.ramp_up_s, load.duration_s)
    real = books["delay_p50_ms"]
    holds = agreed and abs(round_trip - real) <= CLAIM_MS
    return row(
        f"{streams:,}",
        f"{shortest_s:.1f} s",
        f"{at_once:,} / {books['most_open']:,}",
        digest.errors,
        f"{replies.count:,} / {books['replies']:,}",
        *(percentile(digest.only(label), "50") for label in (CONNECT, FIRST_EVENT)),
        f"{round_trip} / {real}",
        percentile(steady.only(ROUND_TRIP), "95"),
        late_wake_up_p95_ms(steady),
        f"{100 * cpu_s / (carried.execution.cores * (load.duration_s - load.ramp_up_s)):.0f} %",
        f"{pauses.max_ms:.0f}",
        "yes" if holds else "**no**",
    ), holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, nargs="+", default=[20, 1000])
    parser.add_argument("--seconds", type=int, default=60, help="that all are held")
    parser.add_argument("--ramp-up", type=int, default=20)
    parser.add_argument("--every", type=float, default=5, help="seconds between a stream's messages")
    asked = parser.parse_args()
    print(f"One JMeter with {HEAP_MB} MB of heap; times in milliseconds.\n")
    print(
        table_head(
            "streams",
            "held, at least",
            "open at once, JMeter / server",
            "errors",
            "replies, JMeter / server",
            "headers P50",
            "first event P50",
            "round trip P50, JMeter / server",
            "P95",
            "late P95",
            "JMeter's CPU",
            "longest GC pause",
            "holds",
        )
    )
    loads = (
        Load(
            threads=streams,
            ramp_up_s=asked.ramp_up,
            duration_s=asked.ramp_up + asked.seconds,
            rate_per_s=streams / asked.every,
        )
        for streams in asked.streams
    )
    show(partial(measure, load) for load in loads)


if __name__ == "__main__":
    main()
