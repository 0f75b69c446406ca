import math
import random

import pytest

from pacemark.results.trend import LEAST_POINTS, trend


def line(slope: float, noise: float = 0.0, n: int = 20, seed: int = 1) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    return [(float(x), 100 + slope * x + chance.gauss(0, noise)) for x in range(n)]


def test_a_straight_line_is_found_exactly() -> None:
    found = trend(line(0.5))
    assert found is not None
    assert (found.slope, found.low, found.high) == (0.5, 0.5, 0.5)
    assert found.at(0) == 100
    assert found.growth(0, 20) == (10, 10, 10)


def test_a_level_that_never_moves_has_no_slope_and_no_doubt() -> None:
    found = trend([(float(x), 7.0) for x in range(20)])
    assert found is not None
    assert found.growth(0, 20) == (0, 0, 0)


def test_a_quarter_of_the_points_may_be_anything() -> None:
    points = line(0.5, noise=0.2)
    bent = [(x, 10_000.0 if x in (3, 8, 11, 17, 19) else y) for x, y in points]
    straight, found = trend(points), trend(bent)
    assert straight is not None
    assert found is not None
    assert abs(found.slope - straight.slope) < 0.1


def test_the_interval_is_sens_own() -> None:
    """Of ten points all 45 slopes count; Gilbert (1987) 16.4.2 takes the ranks (45 -+ 28.8) / 2: 8 and 38."""
    points = [(float(x), y) for x, y in enumerate([10, 15, 14, 20, 18, 22, 27, 24, 29, 33])]
    slopes = sorted((b - a) / (j - i) for i, a in points for j, b in points if j > i)
    found = trend(points)
    assert found is not None
    assert (found.low, found.slope, found.high) == (slopes[7], slopes[22], slopes[37])


def test_few_points_have_no_trend() -> None:
    assert trend(line(1.0, n=LEAST_POINTS - 1)) is None


def test_points_that_resemble_their_neighbours_know_less() -> None:
    waves = [(float(x), 100 + 5 * math.sin(x / 3)) for x in range(30)]
    shuffled = [y for _, y in waves]
    random.Random(3).shuffle(shuffled)
    smooth, rough = trend(waves), trend([(x, y) for (x, _), y in zip(waves, shuffled, strict=True)])
    assert smooth is not None
    assert rough is not None
    assert smooth.high - smooth.low > 1.5 * (rough.high - rough.low)


def test_growth_from_nothing_is_no_percentage() -> None:
    found = trend([(float(x), float(x) - 5) for x in range(20)])
    assert found is not None
    assert found.growth(0, 20) is None


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_the_interval_holds_the_truth_as_often_as_it_says(slope: float) -> None:
    held = 0
    for seed in range(200):
        found = trend(line(slope, noise=2.0, seed=seed))
        assert found is not None
        held += found.low <= slope <= found.high
    assert held >= 194  # of 200 at 99 %
