"""How long a gateway takes to be as it was, after a load steps down (design.md, "Recovery")."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.outcomes import OK
from pacemark.results.record import Window
from pacemark.results.statistics import percentile, rank
from pacemark.workloads.objective import Basis

WINDOW_S = 5
"""A window begins with each slice of the digest (a second, in runs up to an hour) and is this long."""
LEAST_SAMPLES = 100
"""A window of fewer is widened until it has as many; so many the baseline must have, too."""
FACTOR, SLACK_MS = 1.2, 5
"""P95 is back at 1.2 times the baseline's and 5 ms."""
CLEAR = 0.001
"""Errors are back below this share."""


class Stretch(NamedTuple):
    """A stretch of whole slices after the step down: samples, those within the limit, those that failed.

    ``start_s`` is counted from the step down.
    """

    start_s: float
    samples: int
    within: int
    errors: int

    @property
    def is_back(self) -> bool:
        """Whether P95 (nearest rank) keeps the limit: whether as many samples do."""
        return self.within >= rank(self.samples, "95")

    @property
    def is_clear(self) -> bool:
        return self.errors < CLEAR * self.samples


class Recovery(NamedTuple):
    """``seconds`` from the step down until a figure was back and stayed so; None where it was not, or where
    that cannot be told."""

    seconds: float | None
    why: str = ""
    """Why there are no seconds."""
    failed: bool = False
    """Whether it was seen not to come back until the end."""


def latency_limit_ms(baseline: Digest | None, basis: Basis) -> float | None:
    """The P95 that is as good as the baseline's; None where that has too few samples."""
    if baseline is None or baseline.count < LEAST_SAMPLES:
        return None
    p95 = percentile(baseline, "95", basis=basis)
    return None if p95 is None else FACTOR * p95 + SLACK_MS


def latency_recovery(digest: Digest, baseline: Digest, after: Window) -> Recovery:
    """Until response P95 was back; ``after`` goes from the step down to the end of the lower load."""
    limit_ms = latency_limit_ms(baseline, "response")
    if limit_ms is None:
        return Recovery(None, f"the first hold has {baseline.count} samples, it takes {LEAST_SAMPLES}")
    not_back = f"P95 was not at most {limit_ms:.0f} ms"
    return _recovery(digest, limit_ms, after, lambda window: window.is_back, not_back)


def error_recovery(digest: Digest, after: Window) -> Recovery:
    """Until errors were back below ``CLEAR``. Too few samples can show that they were not, never that they
    were."""
    not_back = f"errors were not below {CLEAR:.1%}"
    lower = inside(digest.without_lifetimes(), after.from_s, after.to_s)
    if lower is not None and lower.count < LEAST_SAMPLES and lower.errors:
        text = f"{not_back}: {lower.errors} of {lower.count} samples failed after the step down"
        return Recovery(None, text, failed=True)
    return _recovery(digest, 0.0, after, lambda window: window.is_clear, not_back)


def _recovery(
    digest: Digest, limit_ms: float, after: Window, holds: Callable[[Stretch], bool], not_back: str
) -> Recovery:
    digest = digest.without_lifetimes()
    seen = list(windows(digest, "response", limit_ms, after.from_s, after.to_s))
    if not seen:
        return Recovery(None, f"fewer than {LEAST_SAMPLES} samples after the step down")
    seconds = seconds_until(seen, holds)
    if seconds is None:
        why = f"{not_back} again in the {after.seconds:.3g} s after the step down"
        return Recovery(None, why, failed=True)
    return Recovery(seconds)


def windows(digest: Digest, basis: Basis, limit_ms: float, step_s: float, end_s: float) -> Iterator[Stretch]:
    """The windows of whole slices in [step_s, end_s), by start; ``within`` are those up to ``limit_ms``.

    None when fewer than ``LEAST_SAMPLES`` are there.
    """
    first, last = _first(digest, step_s), _last(digest, end_s)
    sums = _running_sums(digest, basis, limit_ms, first, last)
    count = sums[0]
    width = math.ceil(WINDOW_S / digest.slice_s)
    newest = last - first - width
    for start in range(newest + 1):
        if count[-1] - count[start] < LEAST_SAMPLES:
            break
        end = max(start + width, bisect_left(count, count[start] + LEAST_SAMPLES))
        if start == newest or count[-1] - count[start + 1] < LEAST_SAMPLES:
            end = last - first
        yield Stretch(
            max(0.0, (first + start) * digest.slice_s - step_s), *(up[end] - up[start] for up in sums)
        )


def seconds_until(seen: Sequence[Stretch], holds: Callable[[Stretch], bool]) -> float | None:
    """The start of the first window from which on all hold, 0 when all do; None when the last does not."""
    if all(map(holds, seen)):
        return 0.0
    back = None
    for window in reversed(seen):
        if not holds(window):
            break
        back = window.start_s
    return back


def _running_sums(
    digest: Digest, basis: Basis, limit_ms: float, first: int, last: int
) -> tuple[list[int], list[int], list[int]]:
    """Samples, those within the limit and those that failed, in the slices from ``first`` up to each."""
    # Latencies are whole milliseconds; the limit, a sum of floats, may be a hair below its value.
    within = (pl.col("count") * (pl.col(f"{basis}_ms") <= limit_ms + 1e-6)).sum()
    failed = pl.col("count").filter(pl.col("outcome") != OK).sum()
    table = digest.cells.group_by("slice").agg(
        pl.col("count").sum(), within.alias("in"), failed.alias("failed")
    )
    by_slice = {number: sums for number, *sums in table.iter_rows()}
    slices = [by_slice.get(number, (0, 0, 0)) for number in range(first, last)]
    samples, inside, errors = ([0, *accumulate(one[column] for one in slices)] for column in range(3))
    return samples, inside, errors


def inside(digest: Digest, from_s: float, to_s: float) -> Digest | None:
    """The whole slices within [from_s, to_s): nothing of the phases beside it is among them."""
    first, last = _first(digest, from_s), _last(digest, to_s)
    return digest.between(first * digest.slice_s, last * digest.slice_s) if first < last else None


def _first(digest: Digest, from_s: float) -> int:
    return math.ceil(from_s / digest.slice_s - 1e-9)


def _last(digest: Digest, to_s: float) -> int:
    return math.floor(to_s / digest.slice_s + 1e-9)
