"""How much a figure moves by itself: within a run, and from run to run of one and the same thing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import polars as pl

from pacemark.results import outcomes
from pacemark.results.bootstrap import (
    LEAST_BEYOND,
    LEAST_UNITS,
    Numbers,
    Stretches,
    block_length,
    resamples,
    unit_of,
    units_of,
)
from pacemark.results.digest import Digest
from pacemark.results.statistics import PERCENTS, samples_beyond
from pacemark.results.student import chi_square, quantile
from pacemark.results.threshold import LEAST_CHANGE_MS, ComparedMetric
from pacemark.workloads.objective import Basis

Source = Literal["runs", "history", "runs and history", "told", "default"]

DEFAULT_BETWEEN: Mapping[ComparedMetric, float] = {
    "p50": 0.19,
    "p90": 0.12,
    "p95": 0.12,
    "p99": 0.27,
    "mean": 0.17,
    "throughput": 0.001,
    "error": 0.0,
}
"""One standard deviation between runs where nothing tells it: a share, of errors percentage points.

Five runs of the embedded gateway alone on a machine differed by 10, 6, 6, 14 and 9 % (p50, p90, p95, p99,
mean): these are the upper limits of that, at ``ASSURANCE``. On a machine that others used too they differed
by 12, 45 and 74 % at p50, p95 and p99; a run does not show which of the two it was: that is to be told.
"""
UNPACED_THROUGHPUT = DEFAULT_BETWEEN["mean"]
"""The same where users wait for their replies, so that a slower gateway makes fewer requests. The throughput
above is that of a paced load, which the gateway's latency does not touch."""
LEAST_DEGREES = 4
"""With three runs on each side, or five on one, runs know their spread themselves."""
MOST_DEGREES = 1e4
"""From here on Student's distribution is the normal one."""
FALSE_ALARMS = 0.01
"""Of comparisons of the same with the same, how many may be called worse or better."""
FOUND = 0.95
"""Of changes of the size in question, how many are found with the runs that are asked for."""
UNSEEN = 300.0
"""Where none of n samples failed, this by n is the upper limit, at 95 %, of the share that do, in percent
(the rule of three: Hanley & Lippman-Hand 1983, doi:10.1001/jama.1983.03330370053031)."""
MOST_RUNS = 200
"""More than anybody will do."""
_MOST_LOG = 50.0
"""Of a change's logarithm: nothing changes by as much."""
ASSURANCE = 0.9
"""How sure it is that the spread is not larger than what the number of runs is reckoned with."""


@dataclass(frozen=True)
class Spread:
    """How far a figure of one run strays from what it is of, one standard deviation: a share of the figure,
    or for errors percentage points. ``degrees`` of freedom say how well that is known."""

    deviation: float
    degrees: float
    source: Source = "runs"
    bound_of: int = 0
    """Where it is the bound of errors that were not seen: of how many runs."""


@dataclass(frozen=True)
class Difference:
    """How far the difference of two sides strays from the true one, in the metric's own unit."""

    deviation: float
    degrees: float
    of: float | None = None
    """Where the deviation is of the logarithm, the smaller of the two sides."""

    def margin(self, tests: int) -> float:
        """What a difference must exceed so as not to be chance, with so many looked at in one comparison.

        Student's t at ``FALSE_ALARMS``, half for either direction, shared among the tests (Bonferroni): that
        anything of one comparison is called changed by chance as seldom as that.
        """
        return self._size(quantile(1 - FALSE_ALARMS / 2 / tests, self.degrees))

    def finds(self, effect: float, tests: int) -> bool:
        """Whether a true change of that size is found in ``FOUND`` of cases."""
        margin = quantile(1 - FALSE_ALARMS / 2 / tests, self.degrees)
        return self._size(margin + quantile(FOUND, self.degrees)) <= effect

    def _size(self, deviations: float) -> float:
        size = deviations * self.deviation
        return size if self.of is None else self.of * math.expm1(min(size, _MOST_LOG))


def scale(metric: ComparedMetric, value: float) -> float:
    """What a deviation is a share of. A latency below a millisecond is recorded as 0."""
    if metric == "error":
        return 1.0
    return value if metric == "throughput" else max(value, float(LEAST_CHANGE_MS))


def within(
    digest: Digest, metrics: Sequence[ComparedMetric], basis: Basis
) -> dict[ComparedMetric, Spread | None]:
    """The spread of a run's figures that follows from how much its stretches of time differ.

    The standard deviation over resamples of a block bootstrap, since what is slow stays slow for a while:
    seconds are not independent, let alone requests. None where too few stretches, or too few samples beyond
    a percentile, cannot tell. It has as many degrees of freedom as blocks, less one.
    """
    units, _ = units_of(digest)
    if units < LEAST_UNITS:
        return dict.fromkeys(metrics)
    drawn = resamples(units)
    known = [
        metric
        for metric in metrics
        if metric not in PERCENTS or samples_beyond(digest.count, PERCENTS[metric]) >= LEAST_BEYOND
    ]
    blocks = math.ceil(units / block_length(units))
    figures = _figures(digest, drawn, known, basis)
    return {metric: _spread(metric, figures.get(metric), blocks) for metric in metrics}


def between(metric: ComparedMetric, sides: Sequence[Sequence[float]]) -> Spread | None:
    """The spread that the runs of each side show among themselves. None where no side has two runs."""
    deviations, degrees = 0.0, 0
    for values in sides:
        centre = scale(metric, sum(values) / len(values))
        deviations += sum((value / centre - sum(values) / len(values) / centre) ** 2 for value in values)
        degrees += len(values) - 1
    return Spread(math.sqrt(deviations / degrees), degrees) if degrees else None


def over_time(metric: ComparedMetric, values: Sequence[float]) -> Spread | None:
    """The spread from one run to the next in a history, so that a step from one version to another hardly
    counts: the mean square successive difference (von Neumann et al. 1941, doi:10.1214/aoms/1177731677),
    which knows as much as a variance of 2 (n-1)^2 / (3n-4) degrees of freedom. None below three runs."""
    n = len(values)
    if n < 3:
        return None
    centre = scale(metric, sum(values) / n)
    steps = sum(((later - earlier) / centre) ** 2 for earlier, later in pairwise(values))
    return Spread(math.sqrt(steps / (2 * (n - 1))), 2 * (n - 1) ** 2 / (3 * n - 4), "history")


def default_between(metric: ComparedMetric, *, paced: bool) -> float:
    """The stated deviation between runs; ``paced`` where a load kept to a rate."""
    return DEFAULT_BETWEEN[metric] if paced or metric != "throughput" else UNPACED_THROUGHPUT


def of_a_run(
    metric: ComparedMetric,
    known: Sequence[Spread],
    inside: Sequence[Spread | None],
    told: float | None = None,
    *,
    paced: bool = True,
) -> Spread | None:
    """The spread of one run: what runs and history show, as soon as they are enough to.

    Until then the default between runs, or what was ``told`` instead (of latencies, and of a throughput that
    follows from them), on top of what is seen within them, or what the few runs show if that is more. The
    default is stated, not estimated, so the sum is known the better, the more of it the default is
    (Satterthwaite 1946, doi:10.2307/3002019). None where
    the inner part is needed and not known.
    """
    own = _pooled(known)
    if own and own.degrees >= LEAST_DEGREES:
        return own
    inner = _pooled([spread for spread in inside if spread is not None])
    if inner is None or None in inside:
        return None
    is_told = told is not None and not (metric == "error" or (metric == "throughput" and paced))
    stated = told if told is not None and is_told else default_between(metric, paced=paced)
    assumed = math.hypot(inner.deviation, stated)
    share = (inner.deviation / assumed) ** 2 if assumed else 1.0
    degrees = min(inner.degrees / share**2 if share else math.inf, MOST_DEGREES)
    deviation = max(assumed, own.deviation if own else 0.0)
    return Spread(deviation, degrees, "told" if is_told else "default")


def with_unseen_errors(spread: Spread, counts: Sequence[tuple[int, int]]) -> Spread:
    """At least what can hide behind no error seen (``UNSEEN``).

    Args:
        counts: of each side, its samples and in how many runs.
    """
    bounds = (Spread(UNSEEN / count * math.sqrt(runs), MOST_DEGREES, "runs", runs) for count, runs in counts)
    least = max(bounds, key=lambda bound: bound.deviation)
    return spread if spread.deviation >= least.deviation else replace(least, source=spread.source)


def difference(
    metric: ComparedMetric, spread: Spread, before: float, after: float, runs: tuple[int, int]
) -> Difference:
    """The noise of the difference of two sides, each the mean of so many runs.

    What is stated of latencies is taken as of their logarithm: single runs that differ by 45 % are some 1.5
    times as slow or as fast, not 45 % and no more. Means of several runs are less skewed, and what runs know
    of their spread is a share of their mean: simulated lognormal, that keeps ``FALSE_ALARMS`` from 3 on.
    """
    if spread.source in ("told", "default") and metric != "error":
        share = math.sqrt(sum(1 / n for n in runs))
        of = min(scale(metric, before), scale(metric, after))
        return Difference(spread.deviation * share, spread.degrees, of)
    shares = (scale(metric, value) ** 2 / n for value, n in zip((before, after), runs, strict=True))
    return Difference(spread.deviation * math.sqrt(sum(shares)), spread.degrees)


def runs_to_find(
    metric: ComparedMetric, effect: float, spread: Spread, baseline: float, tests: int, *, past: float = 0
) -> int | None:
    """How many runs it takes on each side so that a true change of that size is found in ``FOUND`` of cases.

    What a few runs show of their spread may be too little: it is reckoned with the upper limit of the spread
    at ``ASSURANCE`` (Browne 1995, "On the use of a pilot sample for sample size determination"). A history
    knows the spread with ``past`` degrees of freedom already. None where it takes more than ``MOST_RUNS``.
    """
    deviation = spread.deviation * math.sqrt(spread.degrees / chi_square(1 - ASSURANCE, spread.degrees))
    for runs in range(1, MOST_RUNS + 1):
        degrees = 2 * (runs - 1) + past
        if spread.bound_of:  # the more samples have no error, the fewer there can be
            known = replace(spread, deviation=deviation * math.sqrt(spread.bound_of / runs))
            if difference(metric, known, baseline, baseline, (runs, runs)).finds(effect, tests):
                return runs
            continue
        enough = degrees >= LEAST_DEGREES
        known = Spread(deviation, degrees) if enough else replace(spread, deviation=deviation)
        if difference(metric, known, baseline, baseline, (runs, runs)).finds(effect, tests):
            return runs
    return None


def _figures(
    digest: Digest, drawn: Numbers, metrics: Sequence[ComparedMetric], basis: Basis
) -> dict[ComparedMetric, Numbers]:
    """Each metric in each resample."""
    percents = {metric: PERCENTS[metric] for metric in metrics if metric in PERCENTS}
    by_percent = Stretches.of(digest, basis).percentiles(drawn, list(percents.values())) if percents else {}
    found: dict[ComparedMetric, Numbers] = {metric: by_percent[p] for metric, p in percents.items()}
    sums = drawn @ _sums(digest, basis)
    count, errors, known, latency, seconds = sums.T
    ratios: dict[ComparedMetric, tuple[Numbers, Numbers]] = {
        "mean": (latency, known),
        "error": (100 * errors, count),
        "throughput": (count, seconds),
    }
    for metric, (above, below) in ratios.items():
        if metric in metrics:
            found[metric] = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
    return found


def _sums(digest: Digest, basis: Basis) -> Numbers:
    """By unit: samples, errors, samples with a latency, the sum of these, seconds."""
    units, width = units_of(digest)
    latency, count = pl.col(f"{basis}_ms").cast(pl.Int64), pl.col("count")
    by_unit = digest.cells.group_by(unit_of(digest)).agg(
        count.sum(),
        count.filter(pl.col("outcome") != outcomes.OK).sum().alias("errors"),
        count.filter(latency.is_not_null()).sum().alias("known"),
        (latency * count).sum().alias("latency"),
    )
    table = np.zeros((units, 5))
    table[by_unit["unit"].to_numpy(), :4] = by_unit.select("count", "errors", "known", "latency").to_numpy()
    table[:, 4] = width * digest.slice_s
    table[-1, 4] -= max(0.0, units * width * digest.slice_s - digest.window.seconds - _lead_s(digest))
    return table


def _lead_s(digest: Digest) -> float:
    """What the window leaves out of its first slice."""
    return digest.window.from_s % digest.slice_s


def _spread(metric: ComparedMetric, values: Numbers | None, blocks: int) -> Spread | None:
    if values is None or np.isnan(values).any():
        return None
    return Spread(float(values.std(ddof=1)) / scale(metric, float(values.mean())), blocks - 1)


def _pooled(spreads: Sequence[Spread]) -> Spread | None:
    """The spread that several estimates of one agree on, by how well each knows it."""
    degrees = sum(spread.degrees for spread in spreads)
    if not degrees:
        return None
    squares = sum(spread.degrees * spread.deviation**2 for spread in spreads)
    source: Source = spreads[0].source if len({s.source for s in spreads}) == 1 else "runs and history"
    return Spread(math.sqrt(squares / degrees), degrees, source)
