"""Preflight against the real gateway, and against small servers that are ill on purpose."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest

from pacemark.gateway.client import GatewayClient
from pacemark.gateway.counters import read_counters
from pacemark.gateway.preflight import PreflightResult, preflight
from pacemark.gateway.spec import LOOPBACK, free_ports
from pacemark.gateway.stack import Stack
from pacemark.gateway.token import Credentials

pytestmark = pytest.mark.gateway

Answer = tuple[int, dict[str, str], object]


def ask(
    url: str,
    credentials: Credentials | None,
    *,
    seconds: float = 60,
    needs_mcp: bool = True,
    needs_token: bool = True,
) -> PreflightResult:
    return preflight(
        url,
        credentials,
        seconds=seconds,
        rate_per_s=10,
        threads=10,
        needs_mcp=needs_mcp,
        needs_token=needs_token,
        out_dir=Path.cwd(),
    )


def the_error(result: PreflightResult) -> tuple[str, str, str]:
    (finding,) = result.errors
    return finding.name, finding.detail, finding.remedy


def test_all_is_well_on_the_embedded_gateway(embedded_stack: Stack) -> None:
    result = ask(embedded_stack.url, embedded_stack.credentials(seconds=60))
    assert [finding for finding in result.findings if finding.level != "ok"] == []
    assert [finding.name for finding in result.findings] == [
        *("reachable", "healthy", "ready", "token", "rate limit", "clock", "tools", "resources"),
        *("file descriptors", "outgoing ports", "disk"),
    ]
    assert len(result.fixtures.tools) == 8
    assert len(result.fixtures.resources) == 6
    assert len(result.fixtures.prompts) == 4
    assert result.gateway_version.startswith("1.0.7")


def test_without_mcp_no_tool_is_called(embedded_stack: Stack) -> None:
    credentials = embedded_stack.credentials(seconds=60)
    with GatewayClient(embedded_stack.url, credentials) as client:
        before = read_counters(client)
        ask(embedded_stack.url, credentials, needs_mcp=False)
        after = read_counters(client)
    assert before is not None
    assert after is not None
    assert after.started == before.started
    asked = after.since(before)
    assert asked.pop("GET /metrics/prometheus") == 1
    assert asked == {"GET /health": 1, "GET /ready": 1, "GET /tools": 1, "GET /version": 1}


def test_no_token_is_named(embedded_stack: Stack) -> None:
    name, detail, remedy = the_error(ask(embedded_stack.url, None))
    assert (name, detail) == ("token", "there is no token")
    assert "MCPGATEWAY_BEARER_TOKEN" in remedy


def test_where_none_is_needed_the_lack_of_a_token_costs_the_gateways_count_only(
    embedded_stack: Stack,
) -> None:
    wrong = Credentials.mint("x" * 40, embedded_stack.admin_email, seconds=60, source="JWT_SECRET_KEY")
    short = embedded_stack.credentials(seconds=0)
    for credentials, seconds, why in (
        (None, 60, "there is no token"),
        (wrong, 60, "GET /tools answered HTTP 401"),
        (short, 36_000, "the run takes 10.0 h"),
    ):
        found = ask(embedded_stack.url, credentials, seconds=seconds, needs_mcp=False, needs_token=False)
        (warning,) = (finding for finding in found.findings if finding.name == "token")
        assert (found.errors, found.takes_token, warning.level) == ([], False, "warning")
        assert warning.detail.endswith(f"{why}: the gateway's own count is not read")
    well = ask(embedded_stack.url, embedded_stack.credentials(seconds=60), needs_mcp=False, needs_token=False)
    assert well.takes_token


def test_a_token_of_another_secret_is_named_and_nothing_more_is_asked(embedded_stack: Stack) -> None:
    wrong = Credentials.mint("x" * 40, embedded_stack.admin_email, seconds=60, source="JWT_SECRET_KEY")
    result = ask(embedded_stack.url, wrong)
    name, detail, remedy = the_error(result)
    assert (name, detail) == ("token", "JWT_SECRET_KEY: GET /tools answered HTTP 401")
    assert "JWT_SECRET_KEY" in remedy
    assert result.fixtures.tools == ()
    assert wrong.token not in result.model_dump_json()


def test_an_expired_token_is_named(embedded_stack: Stack) -> None:
    secret = embedded_stack.secrets.jwt_secret_key
    old = Credentials(jwt.encode({"sub": embedded_stack.admin_email, "exp": 1_700_000_000}, secret), "GIVEN")
    name, detail, _ = the_error(ask(embedded_stack.url, old))
    assert name == "token"
    assert detail.startswith("GIVEN: expired ")


def test_a_token_that_would_expire_in_the_run_is_named(embedded_stack: Stack) -> None:
    result = ask(embedded_stack.url, embedded_stack.credentials(seconds=0), seconds=3600)
    name, detail, _ = the_error(result)
    assert name == "token"
    assert detail.endswith("the run takes 60 min")


def test_nobody_there_is_named(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    name, detail, remedy = the_error(ask(f"http://{LOOPBACK}:{port}", None))
    assert name == "reachable"
    assert str(port) in detail
    assert "pacemark stack up" in remedy


@contextmanager
def server(
    answer: Callable[[str], Answer], *, date_s: float | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A server that answers every request as told, and the paths it was asked for.

    ``date_s`` is what its clock says, in seconds since 1970, when it does not go right.
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(date_s)

        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = answer(self.path)
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{http.server_port}/under/a/path", asked
        finally:
            http.shutdown()
            thread.join()


TOKEN = Credentials("opaque", "GIVEN")


def test_a_gateway_that_is_unhealthy_with_status_200_is_named() -> None:
    ill = {"status": "unhealthy", "error": "Database connection error"}
    with server(lambda path: (200, {}, ill)) as (url, asked):
        name, detail, _ = the_error(ask(url, TOKEN))
    assert name == "healthy"
    assert "Database connection error" in detail
    assert asked == ["/under/a/path/health"]


def test_something_that_is_no_gateway_is_named() -> None:
    with server(lambda path: (200, {}, ["hello"])) as (url, _):
        name, _, remedy = the_error(ask(url, TOKEN))
    assert (name, remedy) == ("healthy", "is this the gateway's base URL?")


def test_a_lockout_is_named_and_not_fed() -> None:
    with server(lambda path: (429, {"Retry-After": "900"}, {})) as (url, asked):
        name, detail, remedy = the_error(ask(url, TOKEN))
    assert name == "rate limit"
    assert "900 s" in detail
    assert "RATE_LIMITING_ENABLED=false" in remedy
    assert len(asked) == 1


def healthy(path: str) -> Answer:
    if path.endswith("/health"):
        return 200, {}, {"status": "healthy"}
    return (200, {}, []) if path.endswith("/tools") else (404, {}, {})


def test_what_is_doubtful_but_bearable_is_a_warning() -> None:
    def limited(path: str) -> Answer:
        status, headers, body = healthy(path)
        return status, headers | {"X-RateLimit-Limit": "6000"}, body

    with server(limited, date_s=1_700_000_000) as (url, _):
        result = ask(url, TOKEN, needs_mcp=False)
    assert result.errors == []
    warned = {finding.name for finding in result.findings if finding.level == "warning"}
    assert warned == {"ready", "token", "rate limit", "clock"}
