"""Two sets of runs side by side: what changed, and what of it is a regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError
from pacemark.results import noise
from pacemark.results.bootstrap import LEAST_BEYOND, LEAST_UNITS, units_of
from pacemark.results.digest import Digest
from pacemark.results.noise import Source, Spread
from pacemark.results.record import LatencyFigures
from pacemark.results.statistics import PERCENTS, exact_mean, latency_figures, percentile, samples_beyond
from pacemark.results.threshold import DEFAULT_THRESHOLDS, METRICS, ComparedMetric, Threshold
from pacemark.workloads.objective import Basis

Outcome = Literal["worse", "better", "same", "inconclusive", "not comparable", "shown"]
Verdict = Literal["worse", "better", "same", "inconclusive"]
SideName = Literal["baseline", "current"]
Past = Mapping[tuple[str | None, ComparedMetric], Sequence[float]]
"""Figures of earlier runs of the same kind, oldest first, by label (None: all) and metric."""

EFFECT = 2
"""A comparison must be able to find a change of twice the threshold, else it is inconclusive."""

LEAST_EXPECTED = 5
"""Samples of a label that there should be for their absence to be no chance: with a mean of 5 there are none
in 0.7 % of cases (Poisson)."""
LEAST_RUNS = 3
"""On each side, to tell how much runs differ (``noise.LEAST_DEGREES``)."""


class Change(BaseModel):
    """One metric of one label (None: all samples) on both sides.

    Latencies in ms, ``throughput`` in samples a second, ``error`` in percent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str | None
    metric: ComparedMetric
    baseline: float | None
    current: float | None
    change: float | None
    change_percent: float | None
    """Relative to the baseline; None where that is 0."""
    too_few: list[SideName] = []
    """The sides on which it is a percentile of too few samples, in one run or more, to say much."""
    threshold: str
    noise: float | None = None
    """What a change must exceed so as not to be chance, in the metric's unit; None where unknown."""
    outcome: Outcome
    """``shown`` where no threshold was given for the metric, ``not comparable`` where a side has no value."""
    runs_needed: int | None = None
    """Where it is inconclusive: runs on each side that would decide; None where no number is known."""
    why: str = ""
    """Where it is inconclusive or not comparable: the reason."""


class Comparison(BaseModel):
    """All changes, those of all samples first, then by label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: Basis
    baseline_runs: int
    current_runs: int
    baseline_count: int
    current_count: int
    changes: list[Change]
    missing: list[str]
    """Labels of the baseline that the current samples lack: a regression of its own kind."""
    rare: list[str] = []
    """Labels of the baseline that the current samples may lack by chance, so few they are."""
    new: list[str]
    """Labels that the baseline lacks."""
    thresholds: list[str]
    noise: list[str]
    """How far runs are taken to differ by themselves, and how that is known."""
    verdict: Verdict
    notes: list[str]

    @property
    def regressions(self) -> list[Change]:
        """The changes beyond a threshold and the noise, for the worse."""
        return [change for change in self.changes if change.outcome == "worse"]

    @property
    def runs_needed(self) -> int | None:
        """Runs on each side that would decide all that is inconclusive; None where no number is known."""
        needed = [change.runs_needed for change in self.changes if change.outcome == "inconclusive"]
        known = [runs for runs in needed if runs is not None]
        return max(known) if known and len(known) == len(needed) else None


class _Runs:
    """The runs of one side. A figure of the side is the mean of its runs' own.

    A percentile of all samples together would be that of the slowest runs alone where runs differ more than
    the samples of one do, and stray further than the runs' spread tells.
    """

    def __init__(self, each: Sequence[Digest]) -> None:
        self.each = list(each)
        self._known: dict[Basis, list[LatencyFigures]] = {}

    @property
    def count(self) -> int:
        return sum(run.count for run in self.each)

    @property
    def paced(self) -> bool:
        """Whether all kept to a rate: only a load that does says when its requests were due."""
        return all(run.tells_response for run in self.each)

    @cached_property
    def labels(self) -> set[str]:
        return {label for run in self.each for label in run.labels}

    @cached_property
    def by_label(self) -> dict[str, "_Runs"]:
        """Those of each label, empty of a run that lacks it."""
        parts = [run.by_label(self.labels) for run in self.each]
        return {label: _Runs([part[label] for part in parts]) for label in self.labels}

    @property
    def notes(self) -> list[str]:
        return [note for run in self.each for note in run.notes]

    def values(self, metric: ComparedMetric, basis: Basis) -> list[Fraction]:
        """The runs' own figures, of those that have one."""
        if metric in PERCENTS:
            ms = (getattr(figures, metric) for figures in self._latencies(basis))
            return [Fraction(one) for one in ms if one is not None]
        found = (value(run, metric, basis) for run in self.each)
        return [one for one in found if one is not None]

    def counts(self, basis: Basis) -> list[int]:
        """Of each run, the samples whose latency is known."""
        return [figures.count for figures in self._latencies(basis)]

    def too_few(self, basis: Basis) -> set[str]:
        """The percentiles of which a run has too few samples."""
        return {name for figures in self._latencies(basis) if figures.count for name in figures.too_few}

    def _latencies(self, basis: Basis) -> list[LatencyFigures]:
        if basis not in self._known:
            self._known[basis] = [latency_figures(run, basis) for run in self.each]
        return self._known[basis]


@dataclass(frozen=True)
class _Assumed:
    """What the noise between runs rests on where they do not tell it."""

    told: float | None
    """One standard deviation, a share."""
    paced: bool
    """Whether the loads kept to a rate, so that no latency touches it."""


@dataclass(frozen=True)
class _Case:
    """A metric of a label on both sides, and how far one run's figure strays; None: unknown."""

    label: str | None
    metric: ComparedMetric
    before: Fraction | None
    after: Fraction | None
    runs: tuple[int, int]
    """How many have the figure."""
    too_few: tuple[bool, bool] = (False, False)
    """Whether it is a percentile that a run has too few samples for."""
    threshold: Threshold | None = None
    spread: Spread | None = None
    past: float = 0
    """Degrees of freedom of the history."""
    why: str = ""

    @property
    def worse(self) -> Fraction:
        assert self.before is not None
        assert self.after is not None
        return self.before - self.after if self.metric == "throughput" else self.after - self.before


def compare(
    baselines: Sequence[Digest],
    currents: Sequence[Digest],
    thresholds: Sequence[Threshold] = (),
    *,
    past: Past | None = None,
    told: float | None = None,
    basis: Basis = "elapsed",
) -> Comparison:
    """Compare ``currents`` with ``baselines``, each a run cut to its measured window before.

    Only the given thresholds apply; with none, p95 10 % and error 0.5 percentage points. A side's figure is
    the mean of its runs' own. A change counts, for the worse or the better, when it exceeds both its
    threshold, compared exactly, and the noise (``results.noise``). It is the same when it is within the
    threshold and one of twice the threshold would have been found in 95 of 100 cases; else inconclusive, and
    ``runs_needed`` says with how many runs on each side it would have been. Throughput gets worse downwards,
    everything else upwards.

    Args:
        past: what tells the noise between runs where the runs given are too few to.
        told: one standard deviation of latencies between runs, a share, where neither tells.

    Raises:
        InputError: a side has no samples.
    """
    sides = [_Runs([digest.without_lifetimes() for digest in side]) for side in (baselines, currents)]
    before, after = sides
    for name, side in (("baseline", before), ("current", after)):
        if not side.count:
            raise InputError(f"the {name} has no samples in its window", "compare runs that have")
    given = {threshold.metric: threshold for threshold in thresholds or DEFAULT_THRESHOLDS}
    assumed = _Assumed(told, paced=before.paced and after.paced)
    common = sorted(before.labels & after.labels)
    alone = len(before.labels | after.labels) == 1
    pairs = [(label, sides if alone else [side.by_label[label] for side in sides]) for label in common]
    cases = [
        case
        for label, pair in [(None, sides), *pairs]
        for case in _cases(label, pair, given, past or {}, assumed, basis)
    ]
    tests = [
        one for one in cases if one.spread and one.spread.deviation and not (alone and one.label is None)
    ]
    changes = [_change(case, max(1, len(tests))) for case in cases]
    absent = sorted(before.labels - after.labels)
    expected = {label: before.by_label[label].count * after.count / before.count for label in absent}
    missing = [label for label in absent if expected[label] >= LEAST_EXPECTED]
    rare = [label for label in absent if label not in missing]
    return Comparison(
        basis=basis,
        baseline_runs=len(baselines),
        current_runs=len(currents),
        baseline_count=before.count,
        current_count=after.count,
        changes=changes,
        missing=missing,
        rare=rare,
        new=sorted(after.labels - before.labels),
        thresholds=[f"{metric} {threshold}" for metric, threshold in given.items()],
        noise=_noise_notes(cases, assumed),
        verdict=_verdict(changes, missing, rare),
        notes=list(dict.fromkeys((*before.notes, *after.notes))),
    )


def value(digest: Digest, metric: ComparedMetric, basis: Basis = "elapsed") -> Fraction | None:
    """A metric of a digest, exact; None without samples."""
    match metric:
        case "throughput":
            return Fraction(digest.count) / Fraction(str(digest.seconds)) if digest.seconds > 0 else None
        case "error":
            return Fraction(digest.errors * 100, digest.count) if digest.count else None
        case "mean":
            return exact_mean(digest, basis)
        case _:
            found = percentile(digest, PERCENTS[metric], basis=basis)
            return None if found is None else Fraction(found)


def differences(fingerprint: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """What makes two runs not comparable: one line for each entry that differs, sorted."""
    names = sorted({*fingerprint, *other})
    return [
        f"{name}: {fingerprint.get(name, 'unknown')} against {other.get(name, 'unknown')}"
        for name in names
        if fingerprint.get(name) != other.get(name)
    ]


def _cases(
    label: str | None,
    sides: Sequence[_Runs],
    given: Mapping[ComparedMetric, Threshold],
    past: Past,
    assumed: _Assumed,
    basis: Basis,
) -> list[_Case]:
    values = {metric: [side.values(metric, basis) for side in sides] for metric in METRICS}
    known = {metric: _known(label, metric, values[metric], past) for metric in given}
    unsure = [m for m in given if sum(one.degrees for one in known[m]) < noise.LEAST_DEGREES]
    inside = [noise.within(run, unsure, basis) for side in sides for run in side.each] if unsure else []
    cases = []
    for metric in METRICS:
        before, after = values[metric]
        few_before, few_after = (metric in side.too_few(basis) for side in sides)
        case = _Case(
            label, metric, _mean(before), _mean(after), (len(before), len(after)), (few_before, few_after)
        )
        if metric in given:
            within = [one[metric] for one in inside if metric in one]
            spread = noise.of_a_run(metric, known[metric], within, assumed.told, paced=assumed.paced)
            few = _says_nothing(metric, sides, basis)
            spread = None if few else spread
            if spread and metric == "error":
                counts = [(side.count, n) for side, n in zip(sides, case.runs, strict=True) if n]
                spread = noise.with_unseen_errors(spread, counts)
            history = sum(one.degrees for one in known[metric] if one.source == "history")
            why = "" if spread else _why_unknown(metric, sides, few=few and metric not in unsure)
            case = replace(case, threshold=given[metric], spread=spread, past=history, why=why)
        cases.append(case)
    return cases


def _mean(values: Sequence[Fraction]) -> Fraction | None:
    return sum(values, Fraction()) / len(values) if values else None


def _known(
    label: str | None, metric: ComparedMetric, values: Sequence[Sequence[Fraction]], past: Past
) -> list[Spread]:
    """What the runs of each side, and those of the history, show of how far a run strays."""
    several = [[float(one) for one in side] for side in values if len(side) > 1]
    among = noise.between(metric, several)
    before = noise.over_time(metric, past.get((label, metric), ()))
    return [spread for spread in (among, before) if spread is not None]


def _says_nothing(metric: ComparedMetric, sides: Sequence[_Runs], basis: Basis) -> bool:
    """Whether a run's percentile rests on next to nothing, and so is not what it is called."""
    counts = [count for side in sides for count in side.counts(basis) if count]
    return metric in PERCENTS and any(
        samples_beyond(count, PERCENTS[metric]) < LEAST_BEYOND for count in counts
    )


def _why_unknown(metric: ComparedMetric, sides: Sequence[_Runs], *, few: bool) -> str:
    runs = [run for side in sides for run in side.each]
    if not few and any(units_of(run)[0] < LEAST_UNITS for run in runs):
        slice_s = max(run.slice_s for run in runs)
        return f"too brief: noise takes {LEAST_UNITS * slice_s} s to know"
    return f"too few samples: it takes {LEAST_BEYOND} of each run beyond {metric}"


def _change(case: _Case, tests: int) -> Change:
    delta = None if case.before is None or case.after is None else case.after - case.before
    change = Change(
        label=case.label,
        metric=case.metric,
        baseline=None if case.before is None else float(case.before),
        current=None if case.after is None else float(case.after),
        change=None if delta is None else float(delta),
        change_percent=float(delta / case.before * 100) if delta is not None and case.before else None,
        too_few=[name for name, few in zip(get_args(SideName), case.too_few, strict=True) if few],
        threshold="" if case.threshold is None else str(case.threshold),
        outcome="shown",
    )
    return (
        change if case.threshold is None else change.model_copy(update=_judged(case, case.threshold, tests))
    )


def _judged(case: _Case, threshold: Threshold, tests: int) -> dict[str, object]:
    """The fields of a change that tell what came of it."""
    if case.before is None or case.after is None:
        return {"outcome": "not comparable", "why": "a side has no value"}
    if case.spread is None:
        return {"outcome": "inconclusive", "why": case.why}
    sure = noise.difference(case.metric, case.spread, float(case.before), float(case.after), case.runs)
    margin, allowed = sure.margin(tests), threshold.allowed(case.before)
    size = abs(case.worse)
    if size > allowed and size > margin:
        return {"outcome": "worse" if case.worse > 0 else "better", "noise": margin}
    able = sure.finds(float(EFFECT * allowed), tests)
    if size <= allowed and able:
        return {"outcome": "same", "noise": margin}
    effect = float(size if able else EFFECT * allowed)
    needed = noise.runs_to_find(case.metric, effect, case.spread, float(case.before), tests, past=case.past)
    why = "" if needed else f"over {noise.MOST_RUNS} runs a side"
    if not needed and case.spread.source == "default":
        why = f"take {LEAST_RUNS} runs a side"
    return {"outcome": "inconclusive", "noise": margin, "runs_needed": needed, "why": why}


def _noise_notes(cases: Sequence[_Case], by: _Assumed) -> list[str]:
    sources = dict.fromkeys(case.spread.source for case in cases if case.spread)
    assumed = ", ".join(
        f"{case.metric} {100 * noise.default_between(case.metric, paced=by.paced):g} %"
        for case in cases
        if case.label is None and case.spread and case.spread.source == "default" and case.metric != "error"
    )
    said: dict[Source, str] = {
        "default": f"assumed between runs, one standard deviation: {assumed}, as of runs alone on their "
        "machine (on one that others use they differ by some 50 %: --noise); with three runs on each side, "
        "five on one, or a history, theirs is known",
        "told": f"between runs, one standard deviation, as was told: {100 * (by.told or 0):g} %",
        "runs": "between runs: as the runs given differ among themselves",
        "history": "between runs: as those of the history differ from one to the next",
        "runs and history": "between runs: as the runs given and those of the history differ",
    }
    return [said[source] for source in sources if source != "default" or assumed]


def _verdict(changes: Sequence[Change], missing: Sequence[str], rare: Sequence[str]) -> Verdict:
    outcomes = {change.outcome for change in changes}
    if missing or "worse" in outcomes:
        return "worse"
    if rare or outcomes & {"inconclusive", "not comparable"}:
        return "inconclusive"
    return "better" if "better" in outcomes else "same"
