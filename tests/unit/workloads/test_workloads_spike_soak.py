import pytest

from pacemark.workloads import workload
from pacemark.workloads.mixed import REQUESTS
from pacemark.workloads.model import SCALES, Mix

# The request's own table: phase, seconds, users, requests a second at its start and at its end.
SPIKE = [
    ("Baseline", 120, 200, 1_000, 1_000),
    ("Spike", 30, 2_000, 1_000, 10_000),
    ("Sustain", 120, 2_000, 10_000, 10_000),
    ("Recovery", 120, 200, 1_000, 1_000),
    ("Verify", 120, 200, 1_000, 1_000),
]


def test_the_spike_is_what_the_request_states() -> None:
    spike = workload("spike_test")
    stages = [
        (stage.name, stage.seconds, stage.threads, stage.from_per_s, stage.to_per_s)
        for stage in spike.load_at("full").stages
    ]
    assert stages == SPIKE
    assert [str(one) for one in spike.objectives] == [
        "recovery < 30 s", "clearance < 60 s", "rate >= 95%",
    ]  # fmt: skip


@pytest.mark.parametrize("scale", [*SCALES, "0.1", "0.02"])
def test_a_spike_stays_ten_times_its_base(scale: str) -> None:
    stages = workload("spike_test").load_at(scale).stages
    base, peak = stages[0].to_per_s, stages[2].to_per_s
    assert peak == pytest.approx(10 * base)
    assert (stages[1].from_per_s, stages[1].to_per_s) == pytest.approx((base, peak))
    assert (stages[3].from_per_s, stages[3].to_per_s) == pytest.approx((base, base))
    assert stages[0].seconds == pytest.approx(4 * stages[1].seconds)
    assert stages[2].threads >= 9 * stages[0].threads or stages[0].threads == 1


@pytest.mark.parametrize("scale", ["full", "ci", "local"])
def test_a_spike_has_the_samples_that_its_rule_takes(scale: str) -> None:
    load = workload("spike_test").load_at(scale)
    assert load.due_between(load.ramp_up_s, load.stages[0].seconds) >= 100
    assert load.due_between(load.duration_s - load.stages[4].seconds, load.duration_s) >= 100


def test_the_soak_is_what_the_request_states() -> None:
    soak = workload("soak_test")
    full = soak.load_at("full")
    assert (full.threads, full.duration_s, full.rate_per_s) == (400, 24 * 3600, 2_000)
    assert [str(one) for one in soak.objectives] == [
        "growth < 10%", "response p95 < 300 ms", "errors < 0.1%", "rate >= 95%",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["spike_test", "soak_test"])
def test_both_send_rest_and_mcp_half_and_half(name: str) -> None:
    one = workload(name)
    assert isinstance(one, Mix)
    assert one.requests == REQUESTS
    assert sum(request.weight for request in REQUESTS if request.label.startswith("MCP")) == 50
    assert one.calls_mcp
