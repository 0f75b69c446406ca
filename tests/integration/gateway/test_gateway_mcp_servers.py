"""Finding out what MCP servers offer: before a run, by asking them."""

from collections.abc import Sequence

import pytest
from fake_mcp_server import TOOLS, FakeMcpServer, Message

from pacemark.gateway.mcp_servers import Found, find_servers, instances, server_urls
from pacemark.gateway.stack import Stack
from pacemark.gateway.token import Credentials
from pacemark.workloads import workload
from pacemark.workloads.servers import Servers

NOBODY = "http://127.0.0.1:9"


def find(urls: dict[str, str], gateway: str = NOBODY, token: str = "") -> Found:
    one = workload("mcp_test_servers_baseline")
    assert isinstance(one, Servers)
    return find_servers(one, urls, gateway, Credentials(token, "test") if token else None)


def said(found: Found, level: str) -> list[str]:
    return [f"{finding.name}: {finding.detail}" for finding in found.findings if finding.level == level]


@pytest.mark.parametrize("path", ["/mcp", "/http", "/"])
@pytest.mark.parametrize(
    ("versions", "strict", "asked"),
    [
        (("2025-11-25",), True, "2025-11-25"),
        (("2024-11-05",), True, "2024-11-05"),
        (("2025-03-26",), False, "2025-11-25"),
    ],
)
def test_the_endpoint_and_the_version_are_found(
    path: str, versions: Sequence[str], strict: bool, asked: str
) -> None:
    """A strict server refuses the versions that it does not know; another answers with its own."""
    with FakeMcpServer(path=path, versions=versions, strict=strict) as server:
        found = find({"fast_time": server.url})
    assert found.properties["FAST_TIME_MCP"] == path.removesuffix("/")
    assert found.properties["FAST_TIME_PROTOCOL"] == asked
    assert f"MCP {versions[0]} at {path}" in said(found, "ok")[0]
    assert server.complaints == []
    assert len(server.notified) == 1


def test_a_url_may_have_the_endpoint_s_path() -> None:
    with FakeMcpServer(path="/other") as server:
        found = find({"fast_time": f"{server.url}/other"})
    assert (found.properties["FAST_TIME_URL"], found.properties["FAST_TIME_MCP"]) == (server.url, "/other")


def test_what_a_server_does_not_offer_or_does_not_do_is_left_out_and_named() -> None:
    def misbehaving(call: Message, true: Message) -> Message:
        if call["params"]["name"] == "get_stats":
            return {**true, "result": {"content": [{"type": "text", "text": "full"}], "isError": True}}
        if call["params"]["name"] == "echo":
            return {**true, "result": {"content": [{"type": "text", "text": "something else"}]}}
        return true

    tools = [tool for tool in TOOLS if tool != "get_system_time"]
    with FakeMcpServer(streams=True, tools=tools, rest={"/health": b"{}"}) as server:
        server.answer = misbehaving
        found = find({"fast_test": server.url})
    assert found.labels == set()
    (line,) = [line for line in said(found, "warning") if line.startswith("fast_test: left out")]
    for reason in (
        "fast_test get_system_time (not offered)",
        "fast_test get_stats (tool error: ",
        "fast_test echo (it does not say what was asked)",
        "fast_test GET health (no such endpoint)",
    ):
        assert reason in line


def test_a_server_that_does_not_answer_is_an_error_that_names_it() -> None:
    with FakeMcpServer() as server:
        found = find({"fast_time": server.url, "fast_test": NOBODY, "benchmark": f"{NOBODY}-8"})
    errors = said(found, "error")
    assert errors[0].startswith(f"fast_test: {NOBODY}")
    assert errors[1].startswith("benchmark: there are no ports in ")
    remedies = [finding.remedy for finding in found.findings if finding.level == "error"]
    assert "FAST_TEST_SERVER_URL" in remedies[0]


def test_without_any_server_there_is_an_error_and_one_that_is_not_given_is_said() -> None:
    found = find({})
    assert said(found, "error") == ["test servers: none is given"]
    assert "benchmark: not given, so left out" in said(found, "warning")


def test_without_a_token_nothing_goes_through_the_gateway() -> None:
    with FakeMcpServer() as server, FakeMcpServer(tools=["fast-time-get-system-time"], token="t") as gateway:
        alone = find({"fast_time": server.url}, gateway.url)
        both = find({"fast_time": server.url}, gateway.url, "t")
        wrong = find({"fast_time": server.url}, gateway.url, "u")
    assert not any(label.startswith("gateway") for label in alone.labels | wrong.labels)
    assert "gateway fast_time get_system_time" in both.labels
    assert [line for line in said(alone, "warning") if "through the gateway: left out: no token" in line]
    assert [line for line in said(wrong, "warning") if "through the gateway: left out: " in line]
    # By the name alone: the gateway does not tell where its servers are.
    assert [line for line in said(both, "warning") if line.endswith("is it the same server?")]


def test_a_range_of_ports_is_each_of_them_and_urls_come_from_the_environment() -> None:
    assert instances("http://h:9000-9002/x") == ["http://h:9000/x", "http://h:9001/x", "http://h:9002/x"]
    assert instances("http://h:9000") == ["http://h:9000"]
    environ = {"FAST_TIME_SERVER_URL": "http://a", "BENCHMARK_SERVER_URL": "", "OTHER": "b"}
    assert server_urls(environ) == {"fast_time": "http://a"}


@pytest.mark.gateway
def test_the_embedded_stack_offers_everything_both_ways(embedded_stack: Stack) -> None:
    one = workload("mcp_test_servers_baseline")
    assert isinstance(one, Servers)
    token = embedded_stack.credentials(seconds=60)
    found = find_servers(one, embedded_stack.asked_urls, embedded_stack.url, token)
    assert said(found, "error") == said(found, "warning") == []
    assert found.labels == {request.label for request in one.requests}
    # The plan on its own knows the same ways, but for the newest protocol version.
    defaults = {setting.name: setting.candidates[0] for each in one.servers for setting in each.settings}
    ways = {
        name: value for name, value in found.properties.items() if not name.endswith(("_URL", "_PROTOCOL"))
    }
    assert ways == {name: value for name, value in defaults.items() if not name.endswith("_PROTOCOL")}
    assert "and 2 more: MCP 2025-11-25 at /mcp, a session, answers as event streams" in said(found, "ok")[2]
