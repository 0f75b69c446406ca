"""Load and stress against the request's own numbers."""

import itertools

import pytest

from pacemark.workloads import mcp_jsonrpc_baseline, rest_api_baseline, workload
from pacemark.workloads.load import Load
from pacemark.workloads.model import SCALES, Mix

# The request's table: phase, minutes, users, requests a second.
PHASES = [
    ("warm-up", 2, 200, 1000),
    ("ramp 1", 5, 400, 2000),
    ("ramp 2", 5, 800, 4000),
    ("ramp 3", 5, 1200, 6000),
    ("ramp 4", 5, 1600, 8000),
    ("peak", 5, 2000, 10_000),
    ("recovery", 3, 200, 1000),
]


@pytest.mark.parametrize("name", ["load_test", "stress_test"])
def test_the_mix_is_half_rest_half_mcp(name: str) -> None:
    one = workload(name)
    assert isinstance(one, Mix)
    halves = (rest_api_baseline.WORKLOAD, mcp_jsonrpc_baseline.WORKLOAD)
    expected = {request.label: request.weight / 2 for half in halves for request in half.requests}
    assert {request.label: request.weight for request in one.requests} == expected
    assert one.calls_mcp


def test_the_load_test_is_what_the_request_states() -> None:
    one = workload("load_test")
    assert one.load_at("full") == Load(threads=400, ramp_up_s=120, duration_s=1800, rate_per_s=4000)
    assert [str(o) for o in one.objectives] == ["response p95 < 300 ms", "errors < 0.1%", "rate >= 95%"]


def test_every_phase_of_the_stress_test_is_the_requests() -> None:
    found = {
        stage.name: (start, stage) for start, stage in workload("stress_test").load_at("full").timeline()
    }
    begin = 0.0
    for name, minutes, users, rate in PHASES:
        start, hold = found[name]
        _, climb = found.get(f"climb to {name}", (start, None))
        assert start + hold.seconds == begin + minutes * 60
        assert start - (climb.seconds if climb else 0) == begin
        assert hold.is_hold
        assert hold.to_per_s == rate
        assert {hold.threads, climb.threads if climb else users} == {users}
        begin += minutes * 60
    assert begin == workload("stress_test").load_at("full").duration_s == 30 * 60


def test_a_climb_ends_at_its_holds_rate_and_recovery_steps_down_at_once() -> None:
    stages = workload("stress_test").load_at("full").stages
    for before, after in itertools.pairwise(stages):
        if after.name != "recovery":
            assert after.from_per_s == before.to_per_s
    assert [stage.name for stage in stages][-2:] == ["peak", "recovery"]
    assert stages[-1].is_hold


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_of_the_stress_test_keeps_the_shape(scale: str) -> None:
    full, load = workload("stress_test").load_at("full"), workload("stress_test").load_at(scale)
    for wanted, stage in zip(full.stages, load.stages, strict=True):
        assert stage.to_per_s / load.rate_per_s == pytest.approx(wanted.to_per_s / full.rate_per_s)
        assert stage.seconds / load.duration_s == pytest.approx(wanted.seconds / full.duration_s)


def test_the_limit_itself_is_the_users_to_set() -> None:
    assert [str(o) for o in workload("stress_test").objectives] == [
        "breaking_point >= 10%", "recovery <= 30 s", "clearance <= 60 s",
    ]  # fmt: skip
