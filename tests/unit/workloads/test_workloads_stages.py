"""A load that is made of stages."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacemark.workloads import workload
from pacemark.workloads.load import Load, Stage

SHAPE = (
    Stage(name="climb", seconds=10, from_per_s=0, to_per_s=100, threads=10),
    Stage(name="hold", seconds=20, from_per_s=100, to_per_s=100, threads=10),
    Stage(name="peak", seconds=10, from_per_s=400, to_per_s=400, threads=40),
    Stage(name="down", seconds=10, from_per_s=100, to_per_s=100, threads=5),
)
LOAD = Load(threads=40, ramp_up_s=5, duration_s=50, rate_per_s=400, shape=SHAPE)
STRESS = workload("stress_test").scales["full"]


def test_a_load_as_large_as_its_shape_is_its_shape() -> None:
    assert LOAD.stages == SHAPE


def test_a_smaller_load_shrinks_rates_times_and_threads_each_by_its_own() -> None:
    small = LOAD.model_copy(update={"threads": 10, "duration_s": 25, "rate_per_s": 40.0})
    found = [(stage.seconds, stage.from_per_s, stage.to_per_s, stage.threads) for stage in small.stages]
    assert found == [(5, 0, 10, 3), (10, 10, 10, 3), (5, 40, 40, 10), (5, 10, 10, 2)]


@pytest.mark.parametrize(
    ("at_s", "rate", "threads"),
    [(0, 0, 10), (5, 50, 10), (10, 100, 10), (29.9, 100, 10), (30, 400, 40), (49, 100, 5), (50, 0, 40)],
)
def test_rate_and_threads_are_those_of_the_stage(at_s: float, rate: float, threads: int) -> None:
    assert LOAD.rate_at(at_s) == rate
    assert LOAD.threads_at(at_s) == threads


@pytest.mark.parametrize(
    ("held", "turns"),
    [([5], [5]), ([1, 5], [1, 5]), ([1, 2, 5, 5, 1, 1], [1, 5, 1]), ([5, 5, 1, 3, 3, 2], [5, 1, 3, 2])],
)
def test_it_turns_where_it_neither_rises_nor_falls_further(held: list[float], turns: list[float]) -> None:
    shape = tuple(Stage(name="hold", seconds=10, from_per_s=rate, to_per_s=rate, threads=1) for rate in held)
    duration_s = 10 * len(held)
    load = Load(threads=1, ramp_up_s=1, duration_s=duration_s, rate_per_s=max(held), shape=shape)
    assert load.turns_per_s == turns


def test_every_stage_plans_the_integral_of_its_rate() -> None:
    assert [stage.slots for stage in LOAD.stages] == [500, 2000, 4000, 1000]
    assert LOAD.due_between(0, 50) == 7500
    assert LOAD.due_between(25, 35) == 500 + 2000


@given(st.integers(20, 5000), st.floats(1, 20_000), st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1))
def test_windows_of_any_stretch_add_up(
    duration_s: int, rate: float, threads: int, one: float, other: float
) -> None:
    load = STRESS.model_copy(update={"duration_s": duration_s, "rate_per_s": rate, "threads": threads})
    low, high = sorted((one * duration_s, other * duration_s))
    edges = [0.0, low, high, duration_s + 1.0]
    parts = sum(load.due_between(a, b) for a, b in itertools.pairwise(edges))
    # 9,000,000 requests of the request's own half hour at 10,000 a second.
    assert math.isclose(parts, STRESS.due_between(0, 1800) * duration_s / 1800 * rate / 10_000, rel_tol=1e-6)
    assert max(stage.threads for stage in load.stages) == threads
    assert math.isclose(sum(stage.seconds for stage in load.stages), duration_s)
