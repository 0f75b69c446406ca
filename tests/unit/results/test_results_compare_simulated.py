"""Comparisons of made-up runs, bursty within and different from run to run: benchmarks/compare.py, small."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from noisy_runs import Gateway

from pacemark.results.compare import Comparison, compare
from pacemark.results.threshold import Threshold

THRESHOLD = [Threshold.parse("p95", "5%")]
GATEWAY = Gateway()
SLOWER = GATEWAY.slower(1.1)
SHARED = Gateway(offset=0.12, tail=0.33, sway=0.19, keeps=0.4, bursts_per_min=2.8)


def _compared(
    chance: np.random.Generator,
    after: Gateway,
    runs: int = 1,
    *,
    of: Gateway = GATEWAY,
    told: float | None = None,
    **load: int,
) -> Comparison:
    sides = [[one.run(chance, **load) for _ in range(runs)] for one in (of, after)]
    return compare(sides[0], sides[1], THRESHOLD, told=told)


@pytest.mark.parametrize(("gateway", "told"), [(GATEWAY, None), (SHARED, 0.5)])
def test_the_same_against_the_same_raises_no_alarm(gateway: Gateway, told: float | None) -> None:
    chance = np.random.default_rng(1)
    verdicts = Counter(_compared(chance, gateway, of=gateway, told=told, rate=50).verdict for _ in range(50))
    assert verdicts["worse"] + verdicts["better"] == 0


def test_a_rise_is_found_or_said_to_take_more_runs_with_which_it_is_found() -> None:
    chance = np.random.default_rng(2)
    found = 0
    for _ in range(10):
        first = _compared(chance, SLOWER, rate=50)
        assert first.verdict in ("worse", "inconclusive")
        if first.verdict == "inconclusive":
            assert first.runs_needed is not None
            first = _compared(chance, SLOWER, first.runs_needed, rate=50)
        found += first.verdict == "worse"
    assert found >= 9


def test_twice_as_slow_is_found_with_one_run_and_twenty_times_where_much_noise_is_told() -> None:
    chance = np.random.default_rng(3)
    for factor, told in ((2, None), (20, 0.5)):
        found = {_compared(chance, GATEWAY.slower(factor), told=told, rate=20).verdict for _ in range(5)}
        assert found == {"worse"}


def test_runs_that_differ_more_than_their_samples_raise_no_alarm() -> None:
    """Latencies of 1 % about their median, which differs by 6 % from run to run: many runs on each side."""
    tight = Gateway(median_ms=300, sigma=0.01, sway=0.01, bursts_per_min=0)
    chance = np.random.default_rng(4)
    verdicts = Counter(_compared(chance, tight, 10, of=tight, rate=20, seconds=10).verdict for _ in range(40))
    assert verdicts["worse"] + verdicts["better"] == 0
