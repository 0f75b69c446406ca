"""Objectives on what Prometheus says: any PromQL expression with a limit."""

from collections.abc import Iterable

from pacemark.results.judge import Own
from pacemark.results.record import Window
from pacemark.telemetry.recorder import Telemetry
from pacemark.workloads.objective import Objective

NO_PROMETHEUS = "no Prometheus: set PROMETHEUS_URL"


def own_figures(
    objectives: Iterable[Objective], telemetry: Telemetry | None, window: Window, without: str = NO_PROMETHEUS
) -> dict[Objective, Own]:
    """By objective on an expression, the worst value of any of its series in the measured window.

    ``without`` says why there is no telemetry, where there is none.
    """
    return {
        objective: _worst(objective, telemetry, window) if telemetry else Own(None, without)
        for objective in objectives
        if objective.promql is not None
    }


def _worst(objective: Objective, telemetry: Telemetry, window: Window) -> Own:
    assert objective.promql is not None
    name = telemetry.worst_of.get((objective.promql, objective.worst), objective.promql)
    inside = [
        (value, at_s, series)
        for series, points in telemetry.lines(name).items()
        for at_s, value in points
        if window.from_s <= at_s < window.to_s and value is not None
    ]
    if not inside:
        why = telemetry.missing.get(name, "no value in the measured window")
        return Own(None, f"Prometheus: {why}")
    pick = max if objective.worst == "max" else min
    value, at_s, series = pick(inside)
    of = f"{series}, " if series else ""
    return Own(value, f"{of}worst at {at_s:.0f} s")
