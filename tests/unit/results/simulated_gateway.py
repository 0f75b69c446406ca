"""What JMeter would record of a gateway whose limit is known: a queue in front of one server."""

import bisect
import csv
import itertools
from collections.abc import Callable
from pathlib import Path

from pacemark.results.digest import Digest
from pacemark.workloads.load import Load

COLUMNS = ("timeStamp", "elapsed", "label", "responseCode", "success", "late_ms", "waited")
LABELS = ("GET /tools", "MCP tools/call")
START_MS = 1_700_000_000_000
BASE_S = 0.02
"""What an answer takes where nothing queues."""


def due_times(load: Load) -> list[tuple[float, float, int]]:
    """When each slot is due, when its stage ends, and the stage's threads."""
    slots = []
    for start, stage in load.timeline():
        slope = (stage.to_per_s - stage.from_per_s) / stage.seconds
        for k in range(stage.slots):
            root = (stage.from_per_s**2 + 2 * slope * k) ** 0.5
            at = (root - stage.from_per_s) / slope if slope else k / stage.from_per_s
            slots.append((start + at, start + stage.seconds, stage.threads))
    return slots


def recorded(
    path: Path,
    load: Load,
    *,
    limit_per_s: float = 1e9,
    fails: Callable[[float, int], bool] = lambda at_s, in_flight: False,
    stalls: tuple[float, float] = (0, 0),
) -> Digest:
    """A load as carried out against a gateway that serves ``limit_per_s`` requests a second in turn.

    ``fails`` says, of a request's start and of how many are in flight, whether it is answered with 503.
    In the seconds between ``stalls`` the generator sends nothing, though its threads are idle.
    """
    free = [0.0] * load.threads  # when each thread is, sorted
    served_until = 0.0
    numbers = itertools.count()
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for due, end, threads in due_times(load):
            # As many threads as sleep in this stage must be free beside the one that sends.
            busy = free[load.threads - threads]
            start = max(due, busy)
            if stalls[0] <= start < stalls[1]:
                start = stalls[1]
            if start >= end:
                continue
            in_flight = load.threads - bisect.bisect_right(free, start)
            done = start + BASE_S
            fault = fails(start, in_flight)
            if not fault:
                served_until = max(served_until, start) + 1 / limit_per_s
                done += served_until - start
            free.remove(busy)
            bisect.insort(free, done)
            rows.writerow(
                (
                    START_MS + round(start * 1000),
                    round((done - start) * 1000),
                    LABELS[next(numbers) % 2],
                    503 if fault else 200,
                    "false" if fault else "true",
                    round((start - due) * 1000),
                    int(busy <= due),
                )
            )
    return Digest.from_jtl(path)
