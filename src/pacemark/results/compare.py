"""Two sets of samples side by side: what changed, and what of it is a regression."""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError
from pacemark.results.digest import Digest, merge
from pacemark.results.statistics import PERCENTS, exact_mean, percentile, percentile_interval
from pacemark.workloads.objective import Basis

ComparedMetric = Literal["p50", "p90", "p95", "p99", "mean", "throughput", "error"]
LimitUnit = Literal["%", "ms", "/s"]
Outcome = Literal["regressed", "improved", "same", "inconclusive", "shown"]

_UNITS: Mapping[str, tuple[LimitUnit, ...]] = {"throughput": ("%", "/s"), "error": ("%",)}
_LATENCY_UNITS: tuple[LimitUnit, ...] = ("%", "ms")
_LEAST_CHANGE_MS = 1
"""JMeter records whole milliseconds: a latency that moved by one may not have moved at all."""


class Threshold(BaseModel):
    """By how much a metric may get worse: relative (``%``) or absolute; for ``error`` percentage points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: ComparedMetric
    limit: Fraction
    unit: LimitUnit

    @classmethod
    def parse(cls, metric: str, text: str) -> Self:
        """Read ``10%``, ``20ms`` (latencies) or ``5/s`` (throughput) for one of the compared metrics.

        Raises:
            InputError: the metric or the text is none of these.
        """
        if metric not in get_args(ComparedMetric):
            raise InputError(f"no threshold on '{metric}'", f"use {', '.join(get_args(ComparedMetric))}")
        units = _UNITS.get(metric, _LATENCY_UNITS)
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|ms|/s)\s*", text)
        if match is None or match[2] not in units:
            examples = " or ".join(f"5{unit}" for unit in units)
            raise InputError(
                f"cannot read the threshold '{text}' on {metric}", f"write for example {examples}"
            )
        return cls.model_validate({"metric": metric, "limit": Fraction(match[1]), "unit": match[2]})

    def allowed(self, baseline: Fraction) -> Fraction:
        """The change that still counts as the same, in the metric's own unit."""
        if self.unit == "%" and self.metric != "error":
            return abs(baseline) * self.limit / 100
        return self.limit

    def __str__(self) -> str:
        return f"{float(self.limit):g} percentage points" if self.metric == "error" else self._plain()

    def _plain(self) -> str:
        return f"{float(self.limit):g}{' ms' if self.unit == 'ms' else self.unit}"


DEFAULT_THRESHOLDS = (Threshold.parse("p95", "10%"), Threshold.parse("error", "0.5%"))


class Change(BaseModel):
    """One metric of one label (None: all samples) on both sides.

    Latencies in ms, ``throughput`` in samples a second, ``error`` in percent. ``outcome`` is ``shown`` where
    no threshold was given for the metric or a side has no value, and ``inconclusive`` where a percentile
    moved beyond its threshold but the 99 % intervals of both sides overlap: too few samples to tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str | None
    metric: ComparedMetric
    baseline: float | None
    current: float | None
    change: float | None
    change_percent: float | None
    """Relative to the baseline; None where that is 0."""
    threshold: str
    outcome: Outcome


class Comparison(BaseModel):
    """All changes, those of all samples first, then by label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: Basis
    baseline_runs: int
    baseline_count: int
    current_count: int
    changes: list[Change]
    missing: list[str]
    """Labels of the baseline that the current samples lack: a regression of its own kind."""
    new: list[str]
    """Labels that the baseline lacks."""
    thresholds: list[str]
    verdict: Literal["worse", "better", "same", "inconclusive"]
    notes: list[str]

    @property
    def regressions(self) -> list[Change]:
        """The changes beyond a threshold, for the worse."""
        return [change for change in self.changes if change.outcome == "regressed"]


def compare(
    baselines: Sequence[Digest],
    current: Digest,
    thresholds: Sequence[Threshold] = (),
    *,
    basis: Basis = "elapsed",
) -> Comparison:
    """Compare ``current`` with the pooled ``baselines``, each cut to its measured window before.

    Only the given thresholds apply; with none, p95 10 % and error 0.5 percentage points. A change counts
    when it exceeds its threshold, compared exactly; one of a latency also when it is more than 1 ms, one of
    a percentile when the 99 % intervals of both sides lie apart.
    Throughput regresses downwards, everything else upwards.

    Raises:
        InputError: a side has no samples.
    """
    pooled = merge(baselines)
    for side, digest in (("baseline", pooled), ("current", current)):
        if not digest.count:
            raise InputError(f"the {side} has no samples in its window", "compare runs that have")
    given = {threshold.metric: threshold for threshold in thresholds or DEFAULT_THRESHOLDS}
    before, after = set(pooled.labels), set(current.labels)
    changes = _changes(None, pooled, current, given, basis)
    for label in sorted(before & after):
        changes += _changes(label, pooled.only(label), current.only(label), given, basis)
    missing = sorted(before - after)
    return Comparison(
        basis=basis,
        baseline_runs=pooled.runs,
        baseline_count=pooled.count,
        current_count=current.count,
        changes=changes,
        missing=missing,
        new=sorted(after - before),
        thresholds=[f"{metric} {threshold}" for metric, threshold in given.items()],
        verdict=_verdict(changes, missing),
        notes=list(dict.fromkeys((*pooled.notes, *current.notes))),
    )


def differences(fingerprint: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """What makes two runs not comparable: one line for each entry that differs, sorted."""
    names = sorted({*fingerprint, *other})
    return [
        f"{name}: {fingerprint.get(name, 'unknown')} against {other.get(name, 'unknown')}"
        for name in names
        if fingerprint.get(name) != other.get(name)
    ]


def _changes(
    label: str | None, before: Digest, after: Digest, given: Mapping[ComparedMetric, Threshold], basis: Basis
) -> list[Change]:
    metrics: tuple[ComparedMetric, ...] = get_args(ComparedMetric)
    changes = [
        _change(label, metric, _value(before, metric, basis), _value(after, metric, basis), given.get(metric))
        for metric in metrics
    ]
    return [
        change.model_copy(update={"outcome": "inconclusive"})
        if change.outcome in ("regressed", "improved") and _may_be_chance(change.metric, before, after, basis)
        else change
        for change in changes
    ]


def _may_be_chance(metric: ComparedMetric, before: Digest, after: Digest, basis: Basis) -> bool:
    """Whether the intervals of a percentile on both sides overlap."""
    if metric not in PERCENTS:
        return False
    old = percentile_interval(before, PERCENTS[metric], basis=basis)
    new = percentile_interval(after, PERCENTS[metric], basis=basis)
    if old is None or new is None:
        return True
    return (old[1] is None or new[0] <= old[1]) and (new[1] is None or old[0] <= new[1])


def _value(digest: Digest, metric: ComparedMetric, basis: Basis) -> Fraction | None:
    match metric:
        case "throughput":
            return Fraction(digest.count) / Fraction(str(digest.seconds)) if digest.seconds > 0 else None
        case "error":
            return Fraction(digest.errors * 100, digest.count)
        case "mean":
            return exact_mean(digest, basis)
        case _:
            value = percentile(digest, PERCENTS[metric], basis=basis)
            return None if value is None else Fraction(value)


def _change(
    label: str | None,
    metric: ComparedMetric,
    before: Fraction | None,
    after: Fraction | None,
    threshold: Threshold | None,
) -> Change:
    delta = None if before is None or after is None else after - before
    return Change(
        label=label,
        metric=metric,
        baseline=None if before is None else float(before),
        current=None if after is None else float(after),
        change=None if delta is None else float(delta),
        change_percent=float(delta / before * 100) if delta is not None and before else None,
        threshold="" if threshold is None else str(threshold),
        outcome="shown" if threshold is None else _outcome(threshold, before, after),
    )


def _outcome(threshold: Threshold, before: Fraction | None, after: Fraction | None) -> Outcome:
    if before is None or after is None:
        return "shown"
    worse = before - after if threshold.metric == "throughput" else after - before
    least = Fraction(0) if threshold.metric in ("throughput", "error") else Fraction(_LEAST_CHANGE_MS)
    if abs(worse) <= max(threshold.allowed(before), least):
        return "same"
    return "regressed" if worse > 0 else "improved"


def _verdict(
    changes: Sequence[Change], missing: Sequence[str]
) -> Literal["worse", "better", "same", "inconclusive"]:
    outcomes = {change.outcome for change in changes}
    if missing or "regressed" in outcomes:
        return "worse"
    if "inconclusive" in outcomes:
        return "inconclusive"
    return "better" if "improved" in outcomes else "same"
