"""What became of each constant rate of a load, and whether the gateway held it."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pacemark.results import outcomes
from pacemark.results.digest import Digest
from pacemark.results.record import LatencyFigures, Window
from pacemark.results.recovery import LEAST_SAMPLES, WINDOW_S
from pacemark.results.statistics import latency_figures, outcome_counts
from pacemark.results.verdict import CPU_LIMIT, LATE_WAKE_UP_MS, NAMED_FAILURES
from pacemark.results.wake_up import late_wake_up_p95_ms, overdue_share, waiting_share
from pacemark.workloads.load import Load

ERRORS_PERCENT = 1.0
"""A rate is held with fewer errors,"""
P95_MS = 500
"""a response P95 below this,"""
RATE_PERCENT = 95.0
"""and at least this share of the requests that were asked for."""
LEAST_ASKED = 100
"""Requests a hold must ask for to be judged: with fewer, one error alone is more than 1 %."""
BUSY_SHARE = 0.8
"""Of the threads that wait for replies while requests that are due do not start: with fewer, JMeter had
threads to spare. Measured: 0.96 to 1.00 at a server's limit, 0.02 to 0.59 where JMeter was short of processor
time."""
MOSTLY = 0.5

CpuShare = Callable[[Window], float | None]
"""JMeter's share of the processor time it could get in a window (seconds from the first sample); None
where it was not seen."""

Outcome = Literal["held", "broke", "generator", "too few"]


@dataclass(frozen=True)
class Breach:
    """A limit that a hold did not keep."""

    kind: Literal["errors", "P95", "rate"]
    text: str
    """What was measured, such as ``P95 812 ms, the most on MCP tools/call (1204 ms)``."""


@dataclass(frozen=True)
class Hold:
    """A stage of constant rate. ``generator``: it was not held, and JMeter was the reason or part of it."""

    name: str
    window: Window
    """The whole slices in it, in seconds from the first sample; empty where it has none."""
    asked_per_s: float
    threads: int
    achieved_per_s: float
    error_percent: float | None
    response: LatencyFigures
    cpu_share: float | None
    """JMeter's, of what it could get."""
    breaches: tuple[Breach, ...]
    outcome: Outcome
    why: str
    """What was not kept, what JMeter lacked, or why it cannot be judged; empty where it was held."""


def holds(load: Load, digest: Digest, cpu_share: CpuShare) -> list[Hold]:
    """Every stage of constant rate in the order of time, judged on ``digest``, which covers all the load."""
    digest = digest.without_lifetimes()
    return [
        _hold(load, n, whole_slices(start, start + stage.seconds, digest.slice_s), digest, cpu_share)
        for n, (start, stage) in enumerate(load.timeline())
        if stage.is_hold
    ]


def windows(digest: Digest, from_s: float, to_s: float) -> Iterator[Digest]:
    """[from_s, to_s) cut into windows of whole slices, ``WINDOW_S`` wide or more, each with at least
    ``LEAST_SAMPLES`` samples where there are so many; too few at the end belong to the last."""
    whole = whole_slices(from_s, to_s, digest.slice_s)
    per_slice = dict(digest.cells.group_by("slice").agg(pl.col("count").sum()).iter_rows())
    edges, count = [whole.from_s], 0
    for n in range(round(whole.from_s / digest.slice_s), round(whole.to_s / digest.slice_s)):
        count += per_slice.get(n, 0)
        end = float((n + 1) * digest.slice_s)
        if end - edges[-1] >= WINDOW_S and count >= LEAST_SAMPLES:
            edges.append(end)
            count = 0
    if len(edges) == 1 and whole.seconds > 0:
        edges.append(whole.to_s)
    if len(edges) > 1:
        edges[-1] = whole.to_s
    for start, end in itertools.pairwise(edges):
        yield digest.between(start, end)


def first_breach(hold: Hold, load: Load, digest: Digest, from_s: float) -> tuple[float, list[Breach]]:
    """When, in seconds from the first sample, one of a hold's breaches was first seen, and which.

    Looked for are windows from ``from_s``, the end of what was held, to the hold's end.
    """
    digest = digest.without_lifetimes()
    for window in windows(digest, from_s, hold.window.to_s):
        seen = {breach.kind for breach in _breaches(window, _due(load, window.window))}
        if first := [breach for breach in hold.breaches if breach.kind in seen]:
            return window.window.from_s, first
    return hold.window.from_s, list(hold.breaches)


def ends_well(hold: Hold, load: Load, digest: Digest) -> bool:
    """Whether no limit was broken in a hold's last ``WINDOW_S`` seconds."""
    start = max(hold.window.from_s, hold.window.to_s - max(WINDOW_S, digest.slice_s))
    end = digest.without_lifetimes().between(start, hold.window.to_s)
    return not any(_breaches(end, _due(load, end.window)))


def error_percent(digest: Digest) -> float | None:
    """Failed samples in percent; None without samples."""
    return digest.errors * 100 / digest.count if digest.count else None


def whole_slices(from_s: float, to_s: float, slice_s: int) -> Window:
    """The whole slices in [from_s, to_s); empty at ``from_s`` where there is none."""
    start = math.ceil(round(from_s / slice_s, 6)) * slice_s
    end = math.floor(round(to_s / slice_s, 6)) * slice_s
    return Window(from_s=start, to_s=max(start, end))


def _hold(load: Load, number: int, window: Window, digest: Digest, cpu_share: CpuShare) -> Hold:
    stage = load.stages[number]
    inside = digest.between(window.from_s, window.to_s) if window.seconds > 0 else digest.only("")
    asked = stage.to_per_s * window.seconds
    breaches = tuple(_breaches(inside, asked))
    cpu = cpu_share(window) if window.seconds > 0 else None
    outcome, why = _judged(inside, digest, load, asked, breaches, cpu)
    return Hold(
        name=stage.name,
        window=window,
        asked_per_s=round(stage.to_per_s, 9),
        threads=stage.threads,
        achieved_per_s=inside.count / window.seconds if window.seconds > 0 else 0.0,
        error_percent=error_percent(inside),
        response=latency_figures(inside, "response"),
        cpu_share=cpu,
        breaches=breaches,
        outcome=outcome,
        why=why,
    )


def _judged(
    inside: Digest, whole: Digest, load: Load, asked: float, breaches: tuple[Breach, ...], cpu: float | None
) -> tuple[Outcome, str]:
    if asked < LEAST_ASKED:
        return "too few", f"{asked:.0f} requests were asked for, it takes {LEAST_ASKED}"
    if not breaches:
        return "held", ""
    if lacked := _generator_lacked(inside, whole, load, breaches, cpu):
        return "generator", lacked
    return "broke", "; ".join(breach.text for breach in breaches)


def _breaches(digest: Digest, asked: float) -> Iterator[Breach]:
    """The limits that a window's samples do not keep, errors first: they may be why the others are not."""
    errors = error_percent(digest)
    if errors is not None and errors >= ERRORS_PERCENT:
        yield Breach("errors", f"{errors:.3g} % errors: {_kinds(digest)}")
    p95 = latency_figures(digest, "response").p95
    if p95 is not None and p95 >= P95_MS:
        label, worst = _slowest(digest)
        yield Breach("P95", f"P95 {p95} ms, the most on {label} ({worst} ms)")
    if asked and digest.count < asked * RATE_PERCENT / 100:
        yield Breach("rate", f"{digest.count * 100 / asked:.3g} % of the requests asked for")


def _kinds(digest: Digest) -> str:
    """The most frequent kinds of failure, each with its count."""
    kinds = Counter(outcome_counts(digest))
    kinds.pop(outcomes.OK, None)
    return ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common(NAMED_FAILURES))


def _slowest(digest: Digest) -> tuple[str, int]:
    """The label with the highest response P95, and that in milliseconds."""
    found = {label: latency_figures(one, "response").p95 or 0 for label, one in digest.by_label().items()}
    label = max(found, key=lambda name: found[name])
    return label, found[label]


def _generator_lacked(
    inside: Digest, whole: Digest, load: Load, breaches: tuple[Breach, ...], cpu: float | None
) -> str:
    """What JMeter lacked to ask as much as it should have; empty where the gateway was the limit.

    The rules are the verdict's, put to one hold: requests start late or never by the gateway where it failed,
    or where threads waited for its replies. How late a thread wakes tells nothing where most were busy.
    """
    if cpu is not None and cpu > CPU_LIMIT:
        return f"JMeter used {cpu:.0%} of the processor time it could get, limit {CPU_LIMIT:.0%}"
    late, overdue = late_wake_up_p95_ms(inside), overdue_share(inside)
    if late is not None and late > LATE_WAKE_UP_MS and (overdue or 0) < MOSTLY:
        return f"JMeter's waiting threads woke {late:g} ms late at P95, limit {LATE_WAKE_UP_MS} ms"
    ports = outcome_counts(inside).get("bind", 0)
    if ports * 100 >= ERRORS_PERCENT * inside.count > 0:
        return f"this machine had no port left for {ports} requests"
    kinds = {breach.kind for breach in breaches}
    answered_fast = (latency_figures(inside, "elapsed").p95 or 0) < P95_MS
    if "errors" not in kinds and ("rate" in kinds or answered_fast):
        waiting = waiting_share(inside, load, whole=whole)
        if waiting is not None and waiting < BUSY_SHARE:
            return f"JMeter sent requests late or never, though {1 - waiting:.0%} of its threads were idle"
    return ""


def _due(load: Load, window: Window) -> float:
    return load.due_between(window.from_s, window.to_s)
