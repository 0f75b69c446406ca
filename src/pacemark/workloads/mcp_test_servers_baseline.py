"""MCP test servers: what a tool costs at its own server, and what the gateway adds to that."""

from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective
from pacemark.workloads.servers import GATEWAY, McpServer, RestRequest, Servers, Setting, ToolCall

ZONE = {"timezone": "${timezone}"}
MEETING = {
    "time": "2026-01-30T10:00:00Z",
    "source_timezone": "UTC",
    "target_timezone": "${timezone}",
}
# Not the id alone: that stands in every answer.
SAID = "echo of ${REQUEST_ID}"
PARAMETER = {"param1": "pacemark"}


def health(server: str) -> RestRequest:
    return RestRequest(
        server=server,
        name="health",
        weight=2,
        path=f"{server.upper()}_HEALTH",
        holds=r'"(?:healthy|ok|OK|up|UP)"',
        truth="says that it is healthy",
    )


def health_path(server: str) -> Setting:
    return Setting(
        name=f"{server.upper()}_HEALTH", candidates=("/health",), note=f"{server}'s health, empty: none"
    )


def time(server: str) -> RestRequest:
    return RestRequest(
        server=server,
        name="time",
        weight=2,
        path=f"{server.upper()}_TIME",
        value="${timezone}",
        holds=r'"[a-z_]*time"\s*:\s*"\d{4}-',
        truth="has a time",
        feeds=("timezones",),
    )


def time_path(server: str, *candidates: str) -> Setting:
    return Setting(
        name=f"{server.upper()}_TIME",
        candidates=candidates,
        note=f"{server}'s time, up to the timezone; empty: none",
    )


WORKLOAD = Servers(
    name="mcp_test_servers_baseline",
    title="MCP test servers baseline",
    protocol="MCP, HTTP",
    summary="The MCP test servers asked directly, a session a thread and server, and the same tools through "
    "the gateway in between: what the servers can do, and what the gateway adds.",
    servers=(
        McpServer(
            name="fast_time",
            rest=(
                health_path("fast_time"),
                time_path("fast_time", "/api/v1/time?timezone=", "/api/time?tz="),
            ),
            at_gateway="fast-time",
        ),
        McpServer(
            name="fast_test",
            rest=(
                health_path("fast_test"),
                time_path("fast_test", "/api/time?tz=", "/api/v1/time?timezone="),
                Setting(
                    name="FAST_TEST_ECHO",
                    candidates=("/api/echo", "/api/v1/echo"),
                    note="fast_test's echo, empty: none",
                ),
            ),
            at_gateway="fast-test",
        ),
        McpServer(name="benchmark", rest=(health_path("benchmark"),), at_gateway="benchmark"),
        McpServer(name=GATEWAY),
    ),
    # Few through the gateway: it takes some twenty times the processor time of a direct call.
    requests=(
        ToolCall(server="fast_time", tool="get_system_time", weight=18, arguments=ZONE, feeds=("timezones",)),
        ToolCall(server="fast_time", tool="convert_time", weight=12, arguments=MEETING, feeds=("timezones",)),
        health("fast_time"),
        time("fast_time"),
        ToolCall(server="fast_test", tool="echo", weight=18, arguments={"message": SAID}, holds=SAID),
        ToolCall(server="fast_test", tool="get_system_time", weight=6, arguments=ZONE, feeds=("timezones",)),
        ToolCall(server="fast_test", tool="get_stats", weight=4),
        health("fast_test"),
        time("fast_test"),
        RestRequest(
            server="fast_test",
            name="echo",
            weight=2,
            path="FAST_TEST_ECHO",
            body='{"message":"pacemark was here"}',
            holds="pacemark was here",
            truth="says what was asked",
        ),
        ToolCall(server="benchmark", tool="benchmark_tool_1", weight=18, arguments=PARAMETER),
        ToolCall(server="benchmark", tool="benchmark_tool_2", weight=6, arguments=PARAMETER),
        health("benchmark"),
        ToolCall(
            server="fast_time",
            tool="get_system_time",
            weight=2,
            arguments=ZONE,
            feeds=("timezones",),
            through_gateway=True,
        ),
        ToolCall(
            server="fast_test",
            tool="echo",
            weight=2,
            arguments={"message": SAID},
            holds=SAID,
            through_gateway=True,
        ),
        ToolCall(
            server="benchmark", tool="benchmark_tool_1", weight=2, arguments=PARAMETER, through_gateway=True
        ),
    ),
    objectives=(
        Objective.parse("direct_p95 < 50ms"),
        Objective.parse("errors < 0.1%"),
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=200, ramp_up_s=60, duration_s=600, rate_per_s=2000),
        "ci": Load(threads=10, ramp_up_s=10, duration_s=70, rate_per_s=40),
        # Three calls a second through the gateway, which has 72 ms of its processor time for each.
        "local": Load(threads=20, ramp_up_s=10, duration_s=190, rate_per_s=50),
        "smoke": Load(threads=8, ramp_up_s=3, duration_s=15, rate_per_s=20),
    },
    measurements=("servers", "tax"),
)
