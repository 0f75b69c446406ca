import pytest

from pacemark.errors import InputError
from pacemark.workloads import WORKLOADS, workload
from pacemark.workloads.model import SCALES, Mix, Workload

# The request's own tables.
REQUESTED = {
    "rest_api_baseline": (
        {
            "GET /health": 20, "GET /tools": 25, "GET /servers": 20, "GET /gateways": 15,
            "GET /resources": 10, "GET /prompts": 10,
        },
        (100, 60, 600, 1000),
        "response p95 < 200 ms",
    ),
    "mcp_jsonrpc_baseline": (
        {
            "MCP tools/list": 25, "MCP tools/call": 30, "MCP resources/list": 15, "MCP resources/read": 10,
            "MCP prompts/list": 10, "MCP initialize": 5, "MCP ping": 5,
        },
        (200, 60, 900, 1000),
        "response p95 < 300 ms",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTED)
def test_a_workload_is_what_the_request_states(name: str) -> None:
    weights, numbers, objective = REQUESTED[name]
    one = workload(name)
    assert isinstance(one, Mix)
    assert {request.label: request.weight for request in one.requests} == weights
    full = one.load_at("full")
    assert (full.threads, full.ramp_up_s, full.duration_s, full.rate_per_s) == numbers
    assert [str(o) for o in one.objectives] == [objective, "errors < 0.1%", "rate >= 95%"]


@pytest.mark.parametrize("one", WORKLOADS.values(), ids=WORKLOADS)
def test_every_scale_can_judge_what_it_promises(one: Workload) -> None:
    """A P95 takes 400 samples; smoke is too short for it, and says so instead."""
    assert set(one.scales) == set(SCALES)
    for scale in ("ci", "local") if any(objective.is_latency for objective in one.objectives) else ():
        load = one.scales[scale]
        if load.rate_per_s is None:
            continue  # what comes of think time is not planned
        assert load.due_between(load.ramp_up_s, load.duration_s) >= 400
        # /ws takes no more on two cores.
        assert load.rate_per_s >= (6 if one.name == "websocket_baseline" else 10)
    # In 15 s no hold of a stress test would ask for enough requests to be judged.
    assert one.scales["smoke"].duration_s == (30 if "breaking_point" in one.measurements else 15)


@pytest.mark.parametrize("scale", ["huge", "0", "-1", "nan", "inf", ""])
def test_a_scale_that_is_none_is_refused(scale: str) -> None:
    with pytest.raises(InputError, match="is no scale"):
        workload("rest_api_baseline").load_at(scale)


def test_a_workload_that_is_none_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no workload 'rest'") as refused:
        workload("rest")
    assert "rest_api_baseline" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("rest_api_baseline", "requests"),
        ("mcp_test_servers_baseline", "requests"),
        ("sse_streaming_baseline", "messages"),
        ("websocket_baseline", "messages"),
    ],
)
def test_weights_that_do_not_add_up_are_refused(name: str, field: str) -> None:
    values = dict(workload(name))
    with pytest.raises(ValueError, match=f"{field}\n.*the weights do not add up to 100 %"):
        type(workload(name))(**{**values, field: values[field][1:]})
