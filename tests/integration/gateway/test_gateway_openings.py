"""Streams and connections tried once before the load, against servers that keep their own books."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from event_streams import EVENT_STREAM, EventStreams
from fake_gateway import FakeGateway
from nginx_front import nginx_before
from websocket_books import WebSocketServer

from pacemark.gateway import openings
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.openings import try_opening
from pacemark.gateway.stack import Stack
from pacemark.gateway.token import Credentials
from pacemark.results.record import Finding
from pacemark.workloads.sse_streaming_baseline import WORKLOAD as STREAMS
from pacemark.workloads.websocket_baseline import WORKLOAD as CONNECTIONS

TOKEN = Credentials("a-token", "test")


@pytest.fixture
def streams() -> Iterator[EventStreams]:
    with EventStreams() as server:
        yield server


def tried(server: EventStreams | WebSocketServer, url: str = "", by: Connection = DIRECT) -> Finding:
    workload = STREAMS if isinstance(server, EventStreams) else CONNECTIONS
    return try_opening(workload, url or server.url, TOKEN, by)


def test_a_stream_is_opened_once_asked_and_closed(streams: EventStreams) -> None:
    finding = tried(streams)
    assert (finding.name, finding.level) == ("stream", "ok")
    assert "/sse answered tools/list in" in finding.detail
    assert streams.books.paths == {"GET /sse": 1, "POST /message": 1}
    until = time.monotonic() + 5
    while not streams.books.closed and time.monotonic() < until:
        time.sleep(0.02)
    assert streams.books.open_now == 0


def misbehave(server: EventStreams, **how: Any) -> None:
    for name, value in how.items():
        setattr(server, name, value)


@pytest.mark.parametrize(
    ("how", "detail", "remedy"),
    [
        ({"opening": lambda _: (404, EVENT_STREAM)}, "answered HTTP 404", "is MCP_SSE_ENDPOINT right"),
        ({"opening": lambda _: (200, "text/html")}, "answered no event stream", "is MCP_SSE_ENDPOINT right"),
        ({"reply": lambda _: None}, "no reply to tools/list within", "CACHE_TYPE=database or redis"),
        ({"reply": lambda call: {"id": call["id"], "error": {}}}, "without a list of tools", "gateway's log"),
        ({"reply": lambda call: {"id": call["id"], "result": {}}}, "without a list of tools", "empty result"),
        ({"own_url": lambda _: "http://[x"}, "is no URL", "gateway's log"),
    ],
)
def test_a_stream_that_would_fail_under_load(
    streams: EventStreams, monkeypatch: pytest.MonkeyPatch, how: Any, detail: str, remedy: str
) -> None:
    monkeypatch.setattr(openings, "_TIMEOUT_S", 0.7)
    misbehave(streams, **how)
    finding = tried(streams)
    assert finding.level == "error"
    assert detail in finding.detail
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "elsewhere", [lambda one: one.url, lambda one: one.url.replace("http:", "https:"), lambda _: "//me@h"]
)
def test_the_token_goes_to_no_other_origin(
    streams: EventStreams, elsewhere: Callable[[EventStreams], str]
) -> None:
    with EventStreams() as foreign:
        streams.own_url = lambda _: elsewhere(foreign)
        finding = tried(streams)
    assert "is of another origin, http" in finding.detail
    assert "X-Forwarded-Proto" in finding.remedy
    assert foreign.books.paths == {}
    assert streams.books.paths == {"GET /sse": 1}


def test_a_websocket_handshake() -> None:
    with WebSocketServer() as server:
        assert (tried(server).level, len(server.books)) == ("ok", 1)
        server.refuse = 403
        assert "MCPGATEWAY_WS_RELAY_ENABLED=true" in tried(server).remedy
        server.refuse = 404
        finding = tried(server)
    assert "/ws was answered HTTP 404" in finding.detail
    assert "is Upgrade passed on" in finding.remedy


@pytest.mark.gateway
def test_the_real_gateway_answers_by_its_own_streams_a_virtual_servers_and_websocket(
    embedded_stack: Stack,
) -> None:
    token = embedded_stack.credentials(seconds=60)
    of_server = STREAMS.at(f"/servers/{embedded_stack.server_id}/sse")
    for workload in (STREAMS, of_server, CONNECTIONS):
        finding = try_opening(workload, embedded_stack.url, token, DIRECT)
        assert finding.level == "ok", finding.detail
    missing = try_opening(STREAMS.at("/servers/none/sse"), embedded_stack.url, token, DIRECT)
    assert "/servers/none/sse answered HTTP 404" in missing.detail


@pytest.mark.nginx
def test_a_gateway_that_was_not_told_its_base_path(
    streams: EventStreams, fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    fake_gateway.answer = lambda *_: (404, {}, b"")
    with nginx_before(fake_gateway.url, tmp_path, {"/sse": streams.url}) as fronts:
        trusting = Connection.read({}, ca_file=fronts.ca_file)
        finding = tried(streams, fronts.good, trusting)
        assert f"POST {fronts.good.removesuffix('/base')}/message answered HTTP 404" in finding.detail
        assert "APP_ROOT_PATH" in finding.remedy
        assert "of a CA that" in tried(streams, fronts.unknown, trusting).detail


@pytest.mark.nginx
def test_an_nginx_that_holds_events_back(
    streams: EventStreams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openings, "_TIMEOUT_S", 0.7)
    with nginx_before(streams.url, tmp_path, buffers=True) as fronts:
        finding = tried(streams, fronts.good, Connection.read({}, ca_file=fronts.ca_file))
    assert finding.level == "error"
    assert "/sse: no event came within 0.7 s" in finding.detail
    assert "proxy_buffering off" in finding.remedy
