"""What JMeter's three clients (HTTP, Java's own for SSE, WebSocket) accept, through which proxy, as whom."""

import base64
import csv
import hashlib
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from nginx_front import NAMED, ForwardProxy, Fronts, nginx_before

from pacemark.gateway.connection import Connection
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.jvm import jvm_settings
from pacemark.jmeter.run import execute
from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.pacing import users
from pacemark.jmx.websocket import explanation
from pacemark.workloads.load import Load

pytestmark = [pytest.mark.jmeter, pytest.mark.nginx, pytest.mark.patient]

JAVA = """
import java.net.http.*
def client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()
def request = HttpRequest.newBuilder(URI.create(Parameters))
def toProxy = props.get('access').toProxy
if (toProxy) request.header('Proxy-Authorization', toProxy)
def answer = client.send(request.build(), HttpResponse.BodyHandlers.ofString())
SampleResult.responseCode = answer.statusCode()
SampleResult.successful = answer.statusCode() == 200
"""
CLIENTS = ("http", "java", "websocket")


class Echo:
    """Answers every GET, WebSocket handshakes too, and remembers whose tokens came."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        echo = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                echo.tokens.append(self.headers.get("Authorization", ""))
                if key := self.headers.get("Sec-WebSocket-Key"):
                    magic = f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()
                    self.send_response(101)
                    self.send_header("Upgrade", "websocket")
                    self.send_header("Connection", "Upgrade")
                    accept = base64.b64encode(hashlib.sha1(magic).digest()).decode()
                    self.send_header("Sec-WebSocket-Accept", accept)
                    self.end_headers()
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def fronts(echo: Echo, tmp_path: Path) -> Iterator[Fronts]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    with nginx_before(echo.url, folder) as fronts:
        yield fronts


def sampler(client: str, label: str, host: str, port: int) -> Node:
    url = f"https://{host}:{port}/base/health"
    if client == "http":
        token = Node(jmx.headers("Token", {"Authorization": "Bearer ${TOKEN}"}))
        return Node(jmx.http_request(label, "GET", url, ""), (token,))
    if client == "java":
        element = jmx.groovy("JSR223Sampler", label, JAVA)
        element.find("stringProp[@name='parameters']").text = url
        return Node(element)
    kind = "eu.luminis.jmeter.wssampler.OpenWebSocketSampler"
    values = {"server": host, "port": str(port), "path": "/base/ws", "connectTimeout": "20000"}
    fields = [jmx.string(name, value) for name, value in {**values, "readTimeout": "20000"}.items()]
    element = jmx.element(kind, f"{kind}Gui", label, [jmx.boolean("TLS", True), *fields])
    return Node(element, (Node(explanation()),))


class Runner:
    """One JMeter that goes through every door with every client, once a thread."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def run(
        self,
        connection: Connection,
        doors: Mapping[str, tuple[str, int]],
        *,
        clients: tuple[str, ...] = CLIENTS,
        threads: int = 1,
        **properties: str,
    ) -> dict[str, str]:
        """By client and door: ``ok``, or what JMeter wrote of the failure."""
        steps = [
            sampler(client, f"{client} {door}", host, port)
            for client in clients
            for door, (host, port) in doors.items()
        ]
        given = {"THREADS": str(threads), "RAMP_UP": "0", "DURATION": "10"}
        names = ("THREADS", "RAMP_UP", "DURATION", "TOKEN", "TOKENS_FILE", "CERTIFICATES")
        variables = [Variable(name, f"${{__P({name},)}}", "") for name in names]
        end = Node(jmx.stop_thread("end", ""))
        root = Node(jmx.plan_root("Doors", "", variables), (users("Doors", (), (*steps, end)),))
        plan = self.folder / "plan.jmx"
        plan.write_bytes(jmx.document(root))
        stores = self.folder / "stores"
        stores.mkdir(mode=0o700)
        jvm = jvm_settings(connection, f"https://{NAMED}", stores)
        settings = {**JMETER_SETTINGS, **given, **jvm.properties, **properties}
        execute(
            self.engine,
            plan,
            settings,
            Load(threads=threads, ramp_up_s=0, duration_s=10, rate_per_s=1),
            self.folder,
            heap_mb=512,
            on_progress=lambda _: None,
            system=jvm.system,
        )
        with (self.folder / "samples.jtl").open(encoding="utf-8", newline="") as file:
            return {
                row["label"]: "ok"
                if row["success"] == "true"
                else f"{row['responseCode']} {row['responseMessage']}"
                for row in csv.DictReader(file)
            }


@pytest.fixture
def runner(engine: Engine, tmp_path: Path) -> Runner:
    return Runner(engine, tmp_path)


def test_every_client_verifies_shows_its_certificate_and_goes_through_the_proxy(
    runner: Runner, fronts: Fronts
) -> None:
    with ForwardProxy(user="me", password="p@ ss") as proxy:
        environ = {"HTTPS_PROXY": proxy.url.replace("//", "//me:p%40%20ss@")}
        connection = Connection.read(environ, ca_file=fronts.ca_file, cert=fronts.cert, key=fronts.key)
        local = {name: ("127.0.0.1", port) for name, port in fronts.ports.items()}
        found = runner.run(connection, {**local, "proxied": (NAMED, fronts.ports["client"])})
    refused = ("expired", "elsewhere", "unknown")
    for client in CLIENTS:
        assert all("SSLHandshakeException" in found.pop(f"{client} {door}") for door in refused), found
    assert set(found.values()) == {"ok"}, found
    assert len(found) == 3 * len(CLIENTS)
    assert proxy.tunnels == [f"{NAMED}:{fronts.ports['client']}"] * len(CLIENTS)


def test_insecure_takes_everything_and_each_thread_has_its_own_token(
    runner: Runner, fronts: Fronts, echo: Echo, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text('\ufeffemail,token\n"Doe, A",first\n,second\n', encoding="utf-8")
    connection = Connection.read({}, insecure=True, cert=fronts.cert, key=fronts.key)
    doors = {name: ("127.0.0.1", port) for name, port in fronts.ports.items()}
    found = runner.run(connection, doors, threads=3, TOKENS_FILE=str(tokens))
    assert set(found.values()) == {"ok"}, found
    assert len(found) == len(doors) * len(CLIENTS)
    sent = Counter(token for token in echo.tokens if token)
    assert sent == {"Bearer first": 2 * len(doors), "Bearer second": len(doors)}
