"""MCP JSON-RPC baseline: the MCP methods over the gateway's ``/rpc`` at 1,000 operations a second."""

from pacemark.workloads.json_rpc import PROTOCOL_VERSION, TOOL_FAILED, answered, has_array, json_rpc
from pacemark.workloads.load import Load
from pacemark.workloads.model import Mix
from pacemark.workloads.objective import Objective

WORKLOAD = Mix(
    name="mcp_jsonrpc_baseline",
    title="MCP JSON-RPC baseline",
    protocol="JSON-RPC",
    summary="The MCP methods, tool calls included, over the gateway's JSON-RPC endpoint at a constant rate.",
    requests=(
        json_rpc("tools/list", 25, has_array("tools")),
        json_rpc(
            "tools/call",
            30,
            answered("has content", "@.result.content[0]"),
            absences=(TOOL_FAILED,),
            params='{"name":"${tool_name}","arguments":${__eval(${tool_arguments})}}',
            feeds=("tool_names", "timezones", "test_messages"),
        ),
        json_rpc("resources/list", 15, has_array("resources")),
        json_rpc(
            "resources/read",
            10,
            answered("has contents", "@.result.contents[0].uri"),
            params='{"uri":"${resource_uri}"}',
            feeds=("resource_uris",),
        ),
        json_rpc("prompts/list", 10, has_array("prompts")),
        json_rpc(
            "initialize",
            5,
            answered("has serverInfo", "@.result.serverInfo.name"),
            params=f'{{"protocolVersion":"{PROTOCOL_VERSION}","capabilities":{{}},'
            '"clientInfo":{"name":"pacemark","version":"1"}}',
        ),
        json_rpc("ping", 5, answered("has an empty result", "@.result == {}")),
    ),
    objectives=(
        Objective.parse("response p95 < 300ms"),
        Objective.parse("errors < 0.1%"),
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=200, ramp_up_s=60, duration_s=900, rate_per_s=1000),
        "ci": Load(threads=10, ramp_up_s=10, duration_s=70, rate_per_s=10),
        "local": Load(threads=10, ramp_up_s=10, duration_s=60, rate_per_s=10),
        "smoke": Load(threads=5, ramp_up_s=3, duration_s=15, rate_per_s=10),
    },
    calls_mcp=True,
)
