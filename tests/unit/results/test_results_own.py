"""Objectives on figures that only some workloads have."""

import math

import pytest
from test_results_recovery import made_up, steady

from pacemark.results.judge import Own, judge, one_line
from pacemark.results.record import JudgedObjective, Window
from pacemark.workloads.objective import Objective

DIGEST = made_up(steady)


def judged(own: Own, text: str = "growth < 10%") -> JudgedObjective:
    objective = Objective.parse(text)
    figures = {(objective.metric, objective.unit): own}
    return judge([objective], DIGEST, window=Window(from_s=0, to_s=1), due=None, own=figures)[0]


@pytest.mark.parametrize(
    ("value", "interval", "outcome"),
    [
        (5, None, "met"),
        (15, None, "missed"),
        (5, (1, 9), "met"),
        (5, (-3, 9), "met"),
        (5, (1, 10), "not judged"),
        (15, (8, 20), "missed"),
        (15, (-1, 30), "not judged"),
        (15, (0, 30), "not judged"),
        (5, (5, math.inf), "not judged"),
        (15, (15, math.inf), "missed"),
        (-5, (-math.inf, math.inf), "not judged"),
    ],
)
def test_an_estimate_is_judged_with_its_interval(
    value: float, interval: tuple[float, float] | None, outcome: str
) -> None:
    found = judged(Own(value, "a reason", interval))
    assert (found.outcome, found.value) == (outcome, value)
    assert "a reason" in found.why


def test_what_is_known_of_a_figure_stands_in_its_line() -> None:
    assert one_line(judged(Own(15.0, "gateway +12 MB an hour", (12, 18)))) == (
        "growth 15 %, limit < 10 % (all samples): gateway +12 MB an hour"
    )
    assert one_line(judged(Own(5, "noisy", (-1, 12)))) == (
        "growth not judged, limit < 10 % (all samples): it may be from -1 to 12 %; noisy"
    )
    assert one_line(judged(Own(None, "no data"))) == "growth not judged, limit < 10 % (all samples): no data"
