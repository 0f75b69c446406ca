"""Between the highest rate held and the lowest not held."""

import math

import pytest

from pacemark.results.bracket import Bracket
from pacemark.results.holds import Hold, Outcome
from pacemark.results.record import LatencyFigures, Window

NONE = LatencyFigures(
    count=0, mean=None, min=None, max=None, p50=None, p90=None, p95=None, p99=None, p999=None
)


def hold(rate: float, outcome: Outcome, why: str = "why") -> Hold:
    return Hold(
        name=f"{rate:g}/s",
        window=Window(from_s=0, to_s=10),
        asked_per_s=rate,
        threads=1,
        achieved_per_s=rate,
        error_percent=0.0,
        response=NONE,
        cpu_share=None,
        breaches=(),
        outcome=outcome,
        why=why,
    )


def rates(bracket: Bracket) -> tuple[float | None, float | None]:
    held, broke = bracket.held, bracket.broke
    return held and held.asked_per_s, broke and broke.asked_per_s


def test_it_lies_between_the_last_held_and_the_first_that_was_not() -> None:
    found = Bracket.of([hold(1, "held"), hold(2, "held"), hold(4, "broke"), hold(6, "held")], [])
    assert rates(found) == (2, 4)
    assert found.is_open
    assert found.between_per_s == pytest.approx(math.sqrt(8))


def test_probes_make_it_narrower_from_both_sides() -> None:
    levels = [hold(2000, "held"), hold(4000, "broke")]
    probes = [hold(2828, "broke"), hold(2378, "held"), hold(2594, "broke")]
    found = Bracket.of(levels, probes)
    assert rates(found) == (2378, 2594)
    assert not found.is_open


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([hold(1, "held"), hold(2, "held")], (2, None)),
        ([hold(1, "broke"), hold(2, "broke")], (None, 1)),
        ([hold(1, "too few"), hold(2, "held")], (2, None)),
    ],
)
def test_without_one_of_both_there_is_nothing_to_probe(
    levels: list[Hold], expected: tuple[float | None, float | None]
) -> None:
    found = Bracket.of(levels, [])
    assert rates(found) == expected
    assert found.unclear == ""
    assert not found.is_open


LIMITED = hold(2, "generator", "JMeter used 99 %")


@pytest.mark.parametrize(
    "levels", [[hold(1, "held"), LIMITED], [LIMITED, hold(4, "broke")], [hold(1, "too few"), LIMITED]]
)
def test_a_generator_at_its_limit_is_no_breaking_point(levels: list[Hold]) -> None:
    found = Bracket.of(levels, [])
    assert found.is_fault
    assert found.unclear == "at 2 requests a second JMeter used 99 %"
    assert not found.is_open


def test_a_generator_that_faltered_below_a_rate_that_was_held_does_no_harm() -> None:
    found = Bracket.of([LIMITED, hold(4, "held"), hold(6, "broke")], [])
    assert rates(found) == (4, 6)
    assert not found.is_fault
    between = Bracket.of([hold(1, "held"), LIMITED, hold(4, "broke")], [])
    assert rates(between) == (1, 4)
    assert between.is_open


def test_one_probe_in_vain_is_made_again_and_two_are_one_too_many() -> None:
    levels = [hold(1, "held"), hold(4, "broke")]
    once = Bracket.of(levels, [LIMITED])
    assert rates(once) == (1, 4)
    assert once.is_open
    between = Bracket.of(levels, [LIMITED, hold(2, "broke"), LIMITED])
    assert rates(between) == (1, 2)
    assert between.is_open
    twice = Bracket.of(levels, [hold(2, "broke"), LIMITED, LIMITED])
    assert twice.is_fault
    assert not twice.is_open


def test_without_a_hold_that_can_be_judged_nothing_is_said() -> None:
    found = Bracket.of([hold(1, "too few", "5 requests were asked for, it takes 100")], [])
    assert rates(found) == (None, None)
    assert "5 requests" in found.unclear
    assert not found.is_fault


def test_a_rate_whose_hold_was_too_short_is_probed_before_it_is_said_that_nothing_was_held() -> None:
    levels = [hold(1, "too few"), hold(2, "too few"), hold(4, "broke")]
    first = Bracket.of(levels, [])
    assert first.is_open
    assert first.between_per_s == 2
    below = Bracket.of(levels, [hold(2, "broke")])
    assert (below.is_open, below.between_per_s) == (True, 1)
    assert not Bracket.of(levels, [hold(2, "broke"), hold(1, "broke")]).is_open
    held = Bracket.of(levels, [hold(2, "held")])
    assert (rates(held), held.untried) == ((2, 4), None)


def test_what_was_held_is_not_the_highest_rate_where_that_was_not_judged() -> None:
    found = Bracket.of([hold(1, "held"), hold(2, "too few")], [])
    assert found.unclear == "the hold of the highest rate is too short: why"
    assert not found.is_open
