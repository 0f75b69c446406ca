"""Trends: the figures of one kind of run over its history, and where they changed for good."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError
from pacemark.results.change_points import change_points
from pacemark.results.history import Line
from pacemark.results.threshold import LEAST_CHANGE_MS, METRICS, ComparedMetric

LEAST_CHANGE: dict[str, float] = {"throughput": 0.1, "error": 0.05}
"""Samples a second and percentage points that nobody needs to be told of; of latencies 1 ms."""


class Step(BaseModel):
    """A change point: from that run on the metric is another; ``before`` and ``after`` are the means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: ComparedMetric
    at: int
    """Of the trend's runs, the first that is changed."""
    before: float
    after: float
    gateway_before: str
    gateway_after: str
    """The gateway's versions in the run before and in that run."""


class Trend(BaseModel):
    """The runs of one workload that may be compared with one another, oldest first, and what changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workload: str
    kind: str
    label: str | None
    """None: all samples."""
    runs: list[Line]
    values: dict[ComparedMetric, list[float | None]]
    """A value for each run; None where it has no such label."""
    steps: list[Step]

    def is_of_too_few(self, metric: ComparedMetric, at: int) -> bool:
        """Whether that run's value is a percentile of too few samples."""
        run = self.runs[at]
        return metric in (run.total_too_few if self.label is None else run.too_few.get(self.label, ()))


def trends(lines: Sequence[Line], *, workload: str | None = None, label: str | None = None) -> list[Trend]:
    """The trends of a history, by workload and, within one, by kind of run, the longest unused first.

    Invalid runs are no part of them.

    Raises:
        InputError: the history has no valid run of the workload, or none with the label.
    """
    valid = [line for line in lines if line.verdict != "invalid" and workload in (None, line.workload)]
    if not valid:
        of = f" of {workload}" if workload else ""
        raise InputError(f"the history has no valid run{of}", "`pacemark run WORKLOAD` adds one")
    with_label = [line for line in valid if label is None or label in line.labels]
    if not with_label:
        known = sorted({name for line in valid for name in line.labels})
        raise InputError(f"no run has the label '{label}'", f"there are {', '.join(known)}")
    kinds: dict[tuple[str, str], list[Line]] = {}
    for line in with_label:
        kinds.setdefault((line.workload, line.kind), []).append(line)
    found = [_trend(workload, kind, label, runs) for (workload, kind), runs in kinds.items()]
    return sorted(found, key=lambda one: (one.workload, one.runs[-1].started))


def _trend(workload: str, kind: str, label: str | None, runs: list[Line]) -> Trend:
    figures: list[dict[Any, float]] = [run.total if label is None else run.labels[label] for run in runs]
    values = {metric: [one.get(metric) for one in figures] for metric in METRICS}
    steps = [step for metric in METRICS for step in _steps(metric, runs, values[metric])]
    steps.sort(key=lambda step: step.at)
    return Trend(workload=workload, kind=kind, label=label, runs=runs, values=values, steps=steps)


def _steps(metric: ComparedMetric, runs: Sequence[Line], values: Sequence[float | None]) -> list[Step]:
    known = [(index, value) for index, value in enumerate(values) if value is not None]
    least = LEAST_CHANGE.get(metric, float(LEAST_CHANGE_MS))
    return [
        Step(
            metric=metric,
            at=known[point.index][0],
            before=point.before,
            after=point.after,
            gateway_before=runs[known[point.index - 1][0]].gateway,
            gateway_after=runs[known[point.index][0]].gateway,
        )
        for point in change_points([value for _, value in known], least=least)
    ]
