"""Objectives put to a digest: met, missed, or not judged and why."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import polars as pl

from pacemark.results.digest import NO_SLOT, Digest
from pacemark.results.record import LEAST_BEYOND, CountedFrom, JudgedObjective, LatencyFigures, Window
from pacemark.results.statistics import PERCENTS, Figures, figures, latency_figures, samples_beyond
from pacemark.workloads.objective import OWN, Objective


class Own(NamedTuple):
    """A workload's own figure in its objective's unit, by unit where there are two; or why there is none.

    ``why`` also says what more there is to know of a figure. ``interval`` is where the true figure lies, for
    one that is estimated or only bounded: its ends may be infinite. Such a figure is met when the objective
    allows all of the interval, missed when it does not allow the figure and the interval lies above 0, and
    else not judged.
    """

    value: float | None
    why: str = ""
    interval: tuple[float, float] | None = None
    is_moot: bool = False
    """Whether there is no figure because what it is of did not happen, and need not have."""


def judge(
    objectives: Iterable[Objective],
    digest: Digest,
    *,
    window: Window,
    due: float | None,
    own: Mapping[tuple[str, str], Own] = MappingProxyType({}),
    promql: Mapping[Objective, Own] = MappingProxyType({}),
    corrected: Digest | None = None,
) -> list[JudgedObjective]:
    """Judge each objective on a digest that was cut to the measured window.

    An objective on ``response`` is judged on ``corrected``, or without it on ``elapsed``, where the response
    of any of its samples is unknown; ``basis`` says which it was. A percentile with fewer than
    ``LEAST_BEYOND`` samples beyond it is not judged, nor is anything without samples. Those that a correction
    added do not count: they were reckoned from the others and are no evidence of their own.

    Args:
        window: the measured window as it was planned. The digest's own may be rounded outward to slices.
        due: samples that were planned in ``window``, None where nothing was: the 100 % of a rate.
        own: the figures that samples alone do not tell, by metric and unit.
        promql: what Prometheus says, by objective: of one expression two may ask for its highest and lowest.
        corrected: ``digest`` as ``omission.corrected`` makes it.
    """
    # Each objective counts all samples anew: of one slice they are few kinds, whatever the run's length.
    digest = digest.at_once()
    return [
        _judged_own(objective, promql.get(objective))
        if objective.promql
        else _judged_own(objective, own.get((objective.metric, objective.unit)))
        if objective.metric in OWN
        else _judged(objective, digest, window, due, corrected)
        for objective in objectives
    ]


def one_line(judged: JudgedObjective) -> str:
    """``p95 231 ms, limit < 200 ms (GET /tools)``: metric, value, limit and label."""
    objective = judged.objective
    metric = f"corrected {objective.metric}" if judged.basis == "corrected" else objective.metric
    label = objective.of or "all samples"
    unit = "" if objective.unit in ("/s", "") else " "
    limit = f"limit {objective.comparison} {objective.limit:g}{unit}{objective.unit}"
    if judged.outcome == "not judged":
        return f"{metric} not judged, {limit} ({label}): {judged.why}"
    value = "unknown" if judged.value is None else _shown(judged.value, objective)
    why = f": {judged.why}" if judged.why else ""
    return f"{metric} {value}{unit}{objective.unit}, {limit} ({label}){why}"


def _judged_own(objective: Objective, found: Own | None) -> JudgedObjective:
    if found is None:
        return _not_judged(objective, "samples alone do not tell it")
    if found.value is None:
        return _not_judged(objective, found.why).model_copy(update={"is_moot": found.is_moot})
    if found.interval is not None:
        is_missed = not objective.allows(found.value) and found.interval[0] > 0
        if not is_missed and not all(objective.allows(end) for end in found.interval):
            return _not_judged(objective, _uncertain(found, objective.unit), found.value)
    return _decided(objective, found.value).model_copy(update={"why": found.why})


def _uncertain(found: Own, unit: str) -> str:
    assert found.interval is not None
    low, high = found.interval
    where = f"at least {low:.3g} {unit}" if math.isinf(high) else f"from {low:.3g} to {high:.3g} {unit}"
    return f"it may be {where}" + (f"; {found.why}" if found.why else "")


def _judged(
    objective: Objective, digest: Digest, window: Window, due: float | None, corrected: Digest | None
) -> JudgedObjective:
    label = objective.label
    if label is not None:
        digest = digest.only(label)
    if not digest.count:
        why = "no samples in the window" if label is None else f"no samples of '{label}' in the window"
        return _not_judged(objective, why)
    found = figures(digest)
    if objective.is_latency:
        return _judged_latency(objective, found, corrected)
    if objective.metric == "errors":
        return _decided(objective, found.errors * 100 / found.count)
    return _judged_rate(objective, digest, window, due)


def _judged_latency(objective: Objective, found: Figures, corrected: Digest | None) -> JudgedObjective:
    metric = objective.metric
    basis: CountedFrom = "elapsed"
    latencies: Figures | LatencyFigures = found
    if objective.basis == "response" and found.response and found.response.count == found.count:
        basis, latencies = "response", found.response
    elif objective.basis == "response" and corrected is not None:
        estimated = corrected if objective.label is None else corrected.only(objective.label)
        basis, latencies = "corrected", latency_figures(estimated, "response")
    value = float(getattr(latencies, metric))
    if metric in PERCENTS and (beyond := samples_beyond(found.count, PERCENTS[metric])) < LEAST_BEYOND:
        why = f"{beyond} of {found.count} samples lie beyond {metric}, it takes {LEAST_BEYOND}"
        return _not_judged(objective, why, value, basis)
    return _decided(objective, value, basis)


def _judged_rate(objective: Objective, digest: Digest, window: Window, due: float | None) -> JudgedObjective:
    if min(digest.seconds, window.seconds) <= 0:
        return _not_judged(objective, "the window has no length")
    rate_per_s = digest.count / digest.seconds
    if objective.unit == "/s":
        return _decided(objective, rate_per_s)
    if objective.label is not None:
        return _not_judged(objective, "the rate that was asked for is of all requests, not of one label")
    if not due:
        return _not_judged(objective, "no rate was asked for in the window")
    return _decided(objective, _paced(digest) / digest.seconds * window.seconds * 100 / due)


def _paced(digest: Digest) -> int:
    """The samples that had a slot, or do not tell. A handshake that was made anew was not asked for."""
    return int(digest.cells.filter(pl.col("waited").ne_missing(NO_SLOT))["count"].sum())


def _decided(objective: Objective, value: float, basis: CountedFrom | None = None) -> JudgedObjective:
    outcome = "met" if objective.allows(value) else "missed"
    return JudgedObjective.model_validate(
        {"objective": objective, "value": value, "outcome": outcome, "basis": basis}
    )


def _not_judged(
    objective: Objective, why: str, value: float | None = None, basis: CountedFrom | None = None
) -> JudgedObjective:
    return JudgedObjective(objective=objective, value=value, outcome="not judged", basis=basis, why=why)


def _shown(value: float, objective: Objective) -> str:
    """Four digits or the whole number, and as many more as tell on which side of the limit the value is."""
    decimals = 3 - math.floor(math.log10(value)) if value > 0 else 0
    for places in range(max(0, decimals), 15):
        text = f"{value:.{places}f}"
        if objective.allows(float(text)) == objective.allows(value):
            break
    return text.rstrip("0").rstrip(".") if "." in text else text
