"""Change points of made-up series."""

from random import Random

import pytest

from pacemark.results.change_points import change_points


def _series(*stretches: tuple[int, float], deviation: float = 3, seed: int = 1) -> list[float]:
    chance = Random(seed)
    return [chance.gauss(mean, deviation) for count, mean in stretches for _ in range(count)]


def test_steps_are_found_where_they_are() -> None:
    found = change_points(_series((20, 100), (25, 115), (60, 104)), least=1)
    assert [point.index for point in found] == [20, 45]
    means = [mean for point in found for mean in (point.before, point.after)]
    assert means == pytest.approx([100, 115, 115, 104], abs=2)


def test_a_step_stays_found_as_the_series_grows() -> None:
    for more in (10, 40, 120):
        assert [point.index for point in change_points(_series((30, 100), (more, 112)))] == [30]


def test_noise_alone_has_none() -> None:
    alarms = sum(bool(change_points(_series((30, 100), seed=seed))) for seed in range(100))
    assert alarms <= 2


def test_one_outlier_is_no_change_for_good() -> None:
    series = _series((30, 100))
    series[15] = 300
    assert change_points(series) == []


@pytest.mark.parametrize("values", [[], [20.0], [20.0, 30.0], [20.0] * 40])
def test_too_few_and_constant_values_have_none(values: list[float]) -> None:
    assert change_points(values) == []


def test_a_change_must_be_more_than_the_least_that_counts() -> None:
    steady = [20.0] * 8 + [21.0] * 8
    assert change_points(steady, least=1) == []
    (point,) = change_points(steady, least=0.5)
    assert (point.index, point.before, point.after) == (8, 20, 21)
