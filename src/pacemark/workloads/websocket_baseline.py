"""WebSocket baseline: 500 connections to the gateway's ``/ws``, 20 JSON-RPC messages a second on each."""

from pacemark.workloads.connections import Connections, Message
from pacemark.workloads.json_rpc import TOOL_FAILED, answered, envelope, has_array
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

WORKLOAD = Connections(
    name="websocket_baseline",
    title="WebSocket baseline",
    protocol="WebSocket",
    summary="Lasting connections to the gateway's WebSocket, JSON-RPC messages at a constant rate on each.",
    endpoint="/ws",
    messages=(
        Message(
            label="WS ping",
            weight=60,
            body=envelope("ping"),
            check=answered("has an empty result", "@.result == {}"),
        ),
        Message(
            label="WS tools/list",
            weight=20,
            body=envelope("tools/list"),
            check=has_array("tools"),
        ),
        Message(
            label="WS tools/call",
            weight=20,
            body=envelope("tools/call", '{"name":"${tool_name}","arguments":${__eval(${tool_arguments})}}'),
            check=answered("has content", "@.result.content[0]"),
            absences=(TOOL_FAILED,),
            feeds=("tool_names", "timezones", "test_messages"),
        ),
    ),
    objectives=(
        Objective.parse("loss < 0.1%"),
        # The request gives only the loss. The latency is what it asks of the same methods by HTTP; a reply
        # that is an error is not lost, but not true either.
        Objective.parse("response p95 < 300ms"),
        Objective.parse("errors < 0.1%"),
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=500, ramp_up_s=60, duration_s=600, rate_per_s=10_000),
        "ci": Load(threads=3, ramp_up_s=10, duration_s=90, rate_per_s=6),
        "local": Load(threads=3, ramp_up_s=10, duration_s=80, rate_per_s=6),
        "smoke": Load(threads=3, ramp_up_s=3, duration_s=15, rate_per_s=6),
    },
    calls_mcp=True,
    measurements=("connections",),
)
