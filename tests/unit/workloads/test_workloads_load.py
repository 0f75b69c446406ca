import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pacemark.workloads.load import Load

LOAD = Load(threads=100, ramp_up_s=60, duration_s=600, rate_per_s=1000)


@pytest.mark.parametrize(
    ("at_s", "rate"), [(-1, 0), (0, 0), (30, 500), (60, 1000), (599.9, 1000), (600, 0), (1e6, 0)]
)
def test_the_rate_rises_with_the_ramp_up_and_then_holds(at_s: float, rate: float) -> None:
    assert LOAD.rate_at(at_s) == rate


def test_what_is_due_is_the_integral_of_the_rate() -> None:
    assert LOAD.due_between(0, 60) == 30_000
    assert LOAD.due_between(60, 600) == 540_000
    assert LOAD.due_between(590, 700) == 10_000
    assert [stage.slots for stage in LOAD.stages] == [30_000, 540_000]


@given(st.integers(0, 100), st.integers(1, 100), st.floats(0.1, 5000), st.floats(0, 200), st.floats(0, 200))
def test_windows_add_up(ramp: int, steady: int, rate: float, a: float, b: float) -> None:
    load = Load(threads=1, ramp_up_s=ramp, duration_s=ramp + steady, rate_per_s=rate)
    low, high = sorted((a, b))
    parts = load.due_between(0, low) + load.due_between(low, high) + load.due_between(high, 300)
    assert math.isclose(parts, rate * (ramp / 2 + steady), rel_tol=1e-9)


def test_a_ramp_up_as_long_as_the_run_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be shorter"):
        Load(threads=1, ramp_up_s=10, duration_s=10, rate_per_s=1)


def test_a_scale_shrinks_rate_threads_and_times_alike() -> None:
    assert LOAD.scaled(0.1) == Load(threads=10, ramp_up_s=6, duration_s=60, rate_per_s=100)
    assert LOAD.scaled(0.0001) == Load(threads=1, ramp_up_s=1, duration_s=2, rate_per_s=0.1)
