"""How long a gateway takes to be as it was, after a load steps down (design.md, "Recovery")."""

from collections.abc import Callable
from typing import NamedTuple

from pacemark.results.digest import Digest
from pacemark.results.holds import LEAST_IN_WINDOW, error_percent, windows
from pacemark.results.record import Window
from pacemark.results.statistics import latency_figures

P95_FACTOR, P95_MARGIN_MS = 1.2, 5
"""P95 is back when it is at most so many times the baseline's and this much more."""
ERRORS_PERCENT = 0.1
"""Errors are back when they are fewer."""


class Recovery(NamedTuple):
    """``seconds`` from the step down until a figure was back and stayed so; None where it was not, or where
    that cannot be told."""

    seconds: float | None
    why: str = ""
    """Why there are no seconds."""
    failed: bool = False
    """Whether it was seen not to come back until the end."""


def latency_limit_ms(baseline: Digest) -> float | None:
    """The response P95 that is as good as the baseline's; None where that has too few samples."""
    p95 = latency_figures(baseline, "response").p95
    if p95 is None or baseline.count < LEAST_IN_WINDOW:
        return None
    return P95_FACTOR * p95 + P95_MARGIN_MS


def latency_recovery(digest: Digest, baseline: Digest, after: Window) -> Recovery:
    """Until response P95 was back; ``after`` goes from the step down to the end of the lower load."""
    limit_ms = latency_limit_ms(baseline)
    if limit_ms is None:
        return Recovery(None, f"the first hold has {baseline.count} samples, it takes {LEAST_IN_WINDOW}")

    def is_back(window: Digest) -> bool:
        p95 = latency_figures(window, "response").p95
        return p95 is not None and p95 <= limit_ms

    return _recovery(digest, after, is_back, LEAST_IN_WINDOW, f"P95 was not at most {limit_ms:.0f} ms")


def error_recovery(digest: Digest, after: Window) -> Recovery:
    """Until errors were back below ``ERRORS_PERCENT``."""

    def is_back(window: Digest) -> bool:
        percent = error_percent(window)
        return percent is not None and percent < ERRORS_PERCENT

    return _recovery(digest, after, is_back, 1, f"errors were not below {ERRORS_PERCENT:g} %")


def _recovery(
    digest: Digest, after: Window, is_back: Callable[[Digest], bool], least: int, not_back: str
) -> Recovery:
    found = list(windows(digest.without_lifetimes(), after.from_s, after.to_s))
    count = sum(window.count for window in found)
    if count < least:
        return Recovery(None, f"{count} samples after the step down, it takes {least}")
    back_s: float | None = None
    for window in found:
        if not is_back(window):
            back_s = None
        elif back_s is None:
            back_s = max(0.0, window.window.from_s - after.from_s)
    if back_s is None:
        return Recovery(None, f"{not_back} again in the {after.seconds:g} s after the step down", failed=True)
    # Only the first window may begin after the step down, by the part of a slice.
    return Recovery(0.0 if back_s < digest.slice_s else back_s)
