"""Comparisons of made-up runs, bursty within and different from run to run: benchmarks/compare.py, small."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from noisy_runs import Gateway

from pacemark.results.compare import Comparison, compare
from pacemark.results.threshold import Threshold

THRESHOLD = [Threshold.parse("p95", "5%")]
GATEWAY = Gateway()
SLOWER = GATEWAY.slower(1.1)


def _compared(chance: np.random.Generator, after: Gateway, runs: int = 1) -> Comparison:
    sides = [[one.run(chance) for _ in range(runs)] for one in (GATEWAY, after)]
    return compare(sides[0], sides[1], THRESHOLD)


def test_the_same_against_the_same_raises_no_alarm() -> None:
    chance = np.random.default_rng(1)
    verdicts = Counter(_compared(chance, GATEWAY).verdict for _ in range(100))
    assert verdicts["worse"] <= 1


def test_a_rise_is_found_or_said_to_take_more_runs_with_which_it_is_found() -> None:
    chance = np.random.default_rng(2)
    found = 0
    for _ in range(10):
        first = _compared(chance, SLOWER)
        assert first.verdict in ("worse", "inconclusive")
        if first.verdict == "inconclusive":
            assert first.runs_needed is not None
            first = _compared(chance, SLOWER, first.runs_needed)
        found += first.verdict == "worse"
    assert found >= 9


def test_four_times_as_slow_is_found_with_one_run() -> None:
    chance = np.random.default_rng(3)
    assert {_compared(chance, GATEWAY.slower(4)).verdict for _ in range(10)} == {"worse"}
