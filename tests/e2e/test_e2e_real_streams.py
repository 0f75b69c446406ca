"""Event streams and WebSocket connections behind nginx: TLS, a client certificate, a base path, a proxy."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_command import Pacemark, files_with, rows
from event_streams import EventStreams
from fake_gateway import FakeGateway
from nginx_front import NAMED, ForwardProxy, Fronts, nginx_before
from websocket_books import WebSocketServer

from pacemark.asked import Asked
from pacemark.gateway.connection import Connection
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.results.digest import Digest
from pacemark.results.statistics import figures
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

pytestmark = [pytest.mark.nginx, pytest.mark.patient]

SSE, WS = "sse_streaming_baseline", "websocket_baseline"
SERVER = "/servers/one/sse"


@dataclass
class Gateway:
    """What plays a gateway behind one nginx: REST and JSON-RPC, event streams, WebSocket."""

    streams: EventStreams
    sockets: WebSocketServer
    fronts: Fronts

    @property
    def opened(self) -> int:
        return self.streams.books.opened + len(self.sockets.books)


@pytest.fixture
def gateway(fake_gateway: FakeGateway, tmp_path: Path) -> Iterator[Gateway]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    with EventStreams() as streams, WebSocketServer() as sockets:
        parts = {"/sse": streams.url, "/servers/": streams.url, "/message": streams.url, "/ws": sockets.url}
        with nginx_before(fake_gateway.url, folder, parts) as fronts:
            yield Gateway(streams, sockets, fronts)


@pytest.mark.jmeter
def test_a_virtual_servers_streams_with_a_client_certificate_and_no_proxy_for_loopback(
    gateway: Gateway, tmp_path: Path
) -> None:
    fronts = gateway.fronts
    gateway.streams.own_url = lambda _: f"{fronts.client}/servers/one"
    settings = {"MCPGATEWAY_BEARER_TOKEN": "a-token", "MCP_SSE_ENDPOINT": SERVER}
    secure = ("--ca-file", fronts.ca_file, "--cert", fronts.cert, "--key", fronts.key)
    load = ("--threads", "3", "--ramp-up", "0", "--duration", "2s", "--rate", "12", "--no-dashboard")
    with ForwardProxy() as proxy:
        pacemark = Pacemark(tmp_path / "here", HTTPS_PROXY=proxy.url, **settings)
        ended = pacemark("run", SSE, "--gateway", fronts.client, *secure, *load)
    assert proxy.tunnels == []
    samples = rows(ended.directory / "samples.jtl")
    assert [row for row in samples if row["success"] != "true"] == []
    sent = Counter(row["label"] for row in samples)
    books = gateway.streams.books
    # One for one, and the preflight's.
    assert books.paths == {
        "GET /servers/one/sse": sent["SSE connect"] + 1,
        "POST /servers/one/message": sent["SSE round trip"] + 1,
    }
    assert (books.opened, books.closed) == (4, 4)
    assert files_with(pacemark.folder, "PRIVATE KEY") == []


@pytest.mark.jmeter
@pytest.mark.parametrize("name", [SSE, WS])
def test_through_a_proxy_with_a_password(name: str, gateway: Gateway, engine: Engine, tmp_path: Path) -> None:
    fronts = gateway.fronts
    at = f"{NAMED}:{fronts.ports['client']}"
    gateway.streams.own_url = lambda _: f"https://{at}/base"
    with ForwardProxy(user="me", password="p@ ss") as proxy:
        environ = {"HTTPS_PROXY": proxy.url.replace("//", "//me:p%40%20ss@")}
        asked = Asked(
            workload=workload(name),
            scale="smoke",
            load=Load(threads=3, ramp_up_s=0, duration_s=2, rate_per_s=12),
            warm_up_s=0,
            objectives=(Objective.parse("errors < 0.1%"),),
            url=f"https://{at}/base",
            credentials=Credentials("a-token", "test"),
            out=tmp_path / "results",
            listed_tools={"row-0": None},
            connection=Connection.read(environ, ca_file=fronts.ca_file, cert=fronts.cert, key=fronts.key),
        )
        record, directory = run(asked, engine, on_progress=lambda _: None)
    digest = Digest.of(directory)
    assert figures(digest).outcomes == {"ok": digest.count}, record.reasons
    assert set(workload(name).labels) <= set(digest.labels)
    assert gateway.opened == 3 + 1
    assert set(proxy.tunnels) == {at}
    # Streams and connections, and besides the preflight and what is posted.
    assert len(proxy.tunnels) > gateway.opened
    assert files_with(directory, "p@ ss") == []


def test_without_its_ca_a_gateway_gets_no_load(gateway: Gateway, tmp_path: Path) -> None:
    pacemark = Pacemark(tmp_path / "here", MCPGATEWAY_BEARER_TOKEN="a-token")
    ended = pacemark("run", SSE, WS, "--scale", "smoke", "--gateway", gateway.fronts.good)
    assert ended.status == 3
    assert ["give the gateway's CA with --ca-file FILE" in line for line in ended.errors] == [True, True]
    assert gateway.streams.books.paths == {}
    assert gateway.opened == 0


def test_an_endpoint_that_is_no_path_is_wrong_usage(tmp_path: Path) -> None:
    ended = Pacemark(tmp_path, MCP_SSE_ENDPOINT="https://h/sse")(
        "run", SSE, "--gateway", "http://127.0.0.1:1"
    )
    assert ended.status == 2
    (line,) = ended.errors
    assert "'https://h/sse' is no path: write /servers/ID/sse" in line
