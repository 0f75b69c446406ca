"""Before any load: is this gateway there, does it take the token, may it be measured, is this machine fit?"""

import email.utils
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict

from pacemark.gateway.client import RPC_ENDPOINT, GatewayClient, GatewayError, json_of
from pacemark.gateway.connection import DIRECT, UNVERIFIED, Connection
from pacemark.gateway.fixtures import Discovery, Listed, discover
from pacemark.gateway.identities import Identities, identity_findings
from pacemark.gateway.machine import machine_findings
from pacemark.gateway.token import Credentials
from pacemark.results.record import Finding
from pacemark.workloads.fixtures import Fixtures

_TOKEN_MARGIN_S = 60.0
_CLOCK_S = 2.0

_SOURCES = "MCPGATEWAY_BEARER_TOKEN, or JWT_SECRET_KEY to have one made"
_NEW_TOKEN = f"give one that lives longer in {_SOURCES}"
_UNREACHABLE = "is the gateway up, and its URL right? `pacemark stack up` starts a local one"
_LIMITED = "start the gateway with RATE_LIMITING_ENABLED=false"
_NO_TOOLS = "register an MCP server such as fast_time, or list tools that are safe to call"
_NO_RESOURCES = "register an MCP server with resources, such as fast_time"


class PreflightResult(BaseModel):
    """What was found, in the order in which it was asked."""

    model_config = ConfigDict(frozen=True)

    findings: list[Finding]
    fixtures: Fixtures = Fixtures()
    """Empty when they were not needed or not reached."""
    gateway_version: str = ""
    takes_token: bool = True
    """Whether the gateway takes the token for as long as the run lasts. It does, where one is needed."""

    @property
    def errors(self) -> list[Finding]:
        """The findings with which there must be no load."""
        return [finding for finding in self.findings if finding.level == "error"]


def preflight(
    url: str,
    credentials: Credentials | None,
    *,
    seconds: float,
    rate_per_s: float,
    threads: int,
    needs_mcp: bool,
    out_dir: Path,
    rpc_endpoint: str = RPC_ENDPOINT,
    listed_tools: Listed = MappingProxyType({}),
    connection: Connection = DIRECT,
    identities: Identities | None = None,
    needs_token: bool = True,
) -> PreflightResult:
    """Ask the gateway and this machine all that decides whether a run of ``seconds`` means anything.

    Nothing more is sent to the gateway after the first error. What is sent stays far below its rate limit:
    some seven requests, and with ``needs_mcp`` one for each tool, resource and prompt that is tried.

    Args:
        url: the gateway's base URL.
        credentials: the token; None is an error finding where one is needed.
        seconds: how long the run will last.
        rate_per_s: its highest planned rate, in requests a second.
        threads: its highest number of threads.
        needs_mcp: whether tools and resources must be there to call.
        out_dir: where the run will be written.
        rpc_endpoint: the path of JSON-RPC.
        listed_tools: tools that the user declares safe to call, with their arguments.
        connection: how the gateway is reached.
        identities: the load's own tokens, one a thread; the first of them then asks here too.
        needs_token: whether the load is sent with a token; else one serves to read the gateway's counters,
            and the lack of it is a warning.

    Raises:
        InputError: the URL is none, or the endpoint no path, or a file of the connection's is not usable.
    """
    if identities:
        credentials = identities.first
    with GatewayClient(url, credentials, rpc_endpoint=rpc_endpoint, connection=connection) as client:
        asking = _Asking(client, credentials, seconds, rate_per_s)
        steps: list[Callable[[], Finding | list[Finding]]] = [
            *(asking.healthy, asking.ready),
            *([lambda: identity_findings(identities, client, seconds, threads)] if identities else []),
            asking.token if needs_token else asking.token_for_counters,
            *(asking.rate_limit, asking.clock),
            *([lambda: asking.fixtures(listed_tools)] if needs_mcp else []),
        ]
        findings = [_unverified()] if connection.ignores_certificate_of(url) else []
        findings += asking.ask(steps)
    findings += machine_findings(threads=threads, seconds=seconds, rate_per_s=rate_per_s, out_dir=out_dir)
    return PreflightResult(
        findings=findings,
        fixtures=asking.discovery.fixtures,
        gateway_version=asking.version,
        takes_token=asking.takes_token,
    )


class _LimitedError(Exception):
    """The gateway refused to be asked more."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.detail)
        self.finding = finding


class _Asking:
    """One conversation with a gateway; remembers what its answers say of themselves."""

    def __init__(
        self, client: GatewayClient, credentials: Credentials | None, seconds: float, rate_per_s: float
    ) -> None:
        self._client = client
        self._credentials = credentials
        self._seconds = seconds
        self._rate_per_s = rate_per_s
        self._limits: dict[str, int] = {}
        self._aheads_s: list[float] = []
        self.discovery = Discovery(fixtures=Fixtures())
        self.version = ""
        self.takes_token = True

    def ask(self, steps: list[Callable[[], Finding | list[Finding]]]) -> list[Finding]:
        """Take the steps in order, up to the first error."""
        findings: list[Finding] = []
        for step in steps:
            try:
                found = step()
            except _LimitedError as limited:
                return [*findings, limited.finding]
            except GatewayError as error:
                return [*findings, _error("reachable", error.message, error.hint or _UNREACHABLE)]
            findings += found if isinstance(found, list) else [found]
            if any(finding.level == "error" for finding in findings):
                return findings
        return findings

    def healthy(self) -> list[Finding]:
        """By the body: with a dead database the status is 200 all the same."""
        response = self._get("/health")
        answer = json_of(response)
        proxy = self._client.proxy
        via = f" through the proxy {proxy.url}" if proxy else ""
        reachable = _ok("reachable", f"{self._client.url} answers in {_ms(response)}{via}")
        said = answer.get("status") if isinstance(answer, dict) else None
        if response.status_code != 200 or said is None:
            return [
                reachable,
                _error(
                    "healthy",
                    f"{self._client.url}/health answered HTTP {response.status_code} without a status",
                    "is this the gateway's base URL?",
                ),
            ]
        if said != "healthy":
            why = str(answer.get("error") or "no reason given")[:200]
            return [
                reachable,
                _error("healthy", f"the gateway says '{said}': {why}", "see the gateway's log"),
            ]
        return [reachable, _ok("healthy", "the gateway says 'healthy'")]

    def ready(self) -> Finding:
        """As a load balancer would ask."""
        response = self._get("/ready")
        if response.status_code == 200:
            return _ok("ready", "/ready answered 200")
        if response.status_code == 404:
            return Finding(name="ready", level="warning", detail="the gateway has no /ready")
        return _error(
            "ready", f"/ready answered HTTP {response.status_code}", "wait, or see the gateway's log"
        )

    def token(self) -> Finding:
        """There, accepted, and living longer than the run."""
        credentials = self._credentials
        if credentials is None:
            return _error("token", "there is no token", f"set {_SOURCES}")
        left_s = _left_s(credentials)
        if left_s is not None and left_s <= 0:
            return _error("token", f"{credentials.source}: expired {_span(-left_s)} ago", _NEW_TOKEN)
        response = self._get("/tools")
        if response.status_code != 200 or not isinstance(json_of(response), list):
            return _error(
                "token",
                f"{credentials.source}: GET /tools answered HTTP {response.status_code}",
                "it must be signed with this gateway's JWT_SECRET_KEY, its 'sub' one of the gateway's users",
            )
        self.version = self._asked_version()
        if left_s is None:
            return Finding(
                name="token", level="warning", detail=f"{credentials.source}: accepted; its end is not known"
            )
        if left_s < self._seconds + _TOKEN_MARGIN_S:
            detail = f"{credentials.source}: lives {_span(left_s)} more, the run takes {_span(self._seconds)}"
            return _error("token", detail, _NEW_TOKEN)
        return _ok("token", f"{credentials.source}: accepted, lives {_span(left_s)} more")

    def token_for_counters(self) -> Finding:
        """The same, where without it only the gateway's own count is missing."""
        found = self.token()
        if found.level != "error":
            return found
        self.takes_token = False
        detail = f"{found.detail}: the gateway's own count is not read"
        return found.model_copy(update={"level": "warning", "detail": detail})

    def rate_limit(self) -> Finding:
        """Read from the answers so far: the gateway names its limit on each one, not only on a refusal."""
        if not self._limits:
            return _ok("rate limit", "no answer names one")
        path, limit = min(self._limits.items(), key=lambda item: item[1])
        planned = self._rate_per_s * 60
        detail = f"rate limiting is on: {limit} requests a minute on {path}, {planned:g} a minute planned"
        if limit < planned:
            return _error("rate limit", detail, _LIMITED)
        return Finding(name="rate limit", level="warning", detail=detail, remedy=_LIMITED)

    def clock(self) -> Finding:
        """From the Date headers, in whole seconds; a uvicorn that was busy sends an old one, so ask again."""
        if self._aheads_s and min(map(abs, self._aheads_s)) > _CLOCK_S:
            time.sleep(_CLOCK_S)
            self._get("/health")
        if not self._aheads_s:
            return Finding(name="clock", level="warning", detail="the gateway's answers carry no date")
        ahead_s = min(self._aheads_s, key=abs)
        detail = f"the gateway's clock differs by {abs(ahead_s):.1f} s"
        if abs(ahead_s) > _CLOCK_S:
            remedy = "synchronise both clocks: tokens and telemetry depend on them"
            return Finding(name="clock", level="warning", detail=detail, remedy=remedy)
        return _ok("clock", detail)

    def fixtures(self, listed: Listed) -> list[Finding]:
        """What may be called; each was called once."""
        self.discovery = discover(self._client, listed=listed)
        found = self.discovery.fixtures
        findings = [
            _offered("tools", len(found.tools), f"{self.discovery.offered_tools} offered", _NO_TOOLS),
            _offered("resources", len(found.resources), "each was read once", _NO_RESOURCES),
        ]
        if self.discovery.failed:
            detail = f"left out, since they fail: {'; '.join(self.discovery.failed)}"
            findings.append(
                Finding(name="left out", level="warning", detail=detail, remedy="see the gateway's log")
            )
        return findings

    def _get(self, path: str) -> httpx.Response:
        response = self._client.get(path)
        self._aheads_s += _ahead_s(response)
        if limit := re.match(r"\d+", response.headers.get("X-RateLimit-Limit", "")):
            self._limits[path] = int(limit[0])
        if response.status_code == 429:
            wait = response.headers.get("Retry-After", "some")
            detail = f"rate limiting is on: {path} answered 429, come back in {wait} s"
            raise _LimitedError(_error("rate limit", detail, _LIMITED))
        return response

    def _asked_version(self) -> str:
        """From the diagnostics, which only administrators may see, else from the interface's description."""
        for path, *keys in (("/version", "app", "version"), ("/openapi.json", "info", "version")):
            found: Any = json_of(self._get(path))
            for key in keys:
                found = found.get(key) if isinstance(found, dict) else None
            if isinstance(found, str):
                return found
        return ""


def _unverified() -> Finding:
    text, remedy = UNVERIFIED
    return Finding(name="certificate", level="warning", detail=text, remedy=remedy)


def _ok(name: str, detail: str) -> Finding:
    return Finding(name=name, level="ok", detail=detail)


def _error(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, level="error", detail=detail, remedy=remedy)


def _offered(name: str, count: int, detail: str, remedy: str) -> Finding:
    if count:
        return _ok(name, f"{count} to call ({detail})")
    return _error(name, f"none is known to be safe to call and works ({detail})", remedy)


def _left_s(credentials: Credentials) -> float | None:
    """Seconds until the token expires; None when it does not say."""
    end = credentials.expires_at
    return None if end is None else (end - datetime.now(UTC)).total_seconds()


def _ahead_s(response: httpx.Response) -> list[float]:
    """How far the gateway's clock is ahead, if the answer says; half of the second cut off is given back."""
    try:
        date = email.utils.parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return []
    return [date.timestamp() + 0.5 - (time.time() - response.elapsed.total_seconds() / 2)]


def _ms(response: httpx.Response) -> str:
    return f"{response.elapsed.total_seconds() * 1000:.0f} ms"


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
