"""What the test servers of a workload offer: found out by ``initialize`` and one try of each request.

Servers of one name differ between versions in their endpoint, their protocol versions, whether they keep
sessions, whether they answer as JSON or as an event stream, and in their REST interface.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from pacemark.gateway.client import GatewayClient, GatewayError, http_client, json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.mcp_session import McpError, McpSession, open_session
from pacemark.gateway.token import Credentials
from pacemark.results.record import Finding
from pacemark.workloads.servers import GATEWAY, McpServer, RestRequest, Servers, ToolCall

VARIABLES = {
    "fast_time": "FAST_TIME_SERVER_URL",
    "fast_test": "FAST_TEST_SERVER_URL",
    "benchmark": "BENCHMARK_SERVER_URL",
}
"""Where a user says the URL of each."""

_TIMEOUT_S = 10.0
_RANGE = re.compile(r"(?P<host>.*):(?P<first>\d+)-(?P<last>\d+)(?P<path>/.*)?")
_UNREACHABLE = "is it up, and {variable} right? Unset it to leave the server out"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass
class Found:
    """What may be sent, with which properties of the plan, and what there is to say of it."""

    labels: set[str] = field(default_factory=set)
    properties: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def say(self, name: str, level: str, detail: str, remedy: str = "") -> None:
        """Add a finding."""
        self.findings.append(
            Finding.model_validate({"name": name, "level": level, "detail": detail, "remedy": remedy})
        )


def find_servers(
    workload: Servers,
    urls: Mapping[str, str],
    gateway: str,
    credentials: Credentials | None,
    connection: Connection = DIRECT,
) -> Found:
    """Ask each server that has a URL, then the gateway for the same tools.

    A server that was not given, or a request that a server does not answer truly, is left out and named.
    A server that was given and does not answer is an error, and so is none given at all.

    Args:
        workload: what is to be sent.
        urls: by server; benchmark's may have a range of ports (``http://host:9000-9099``).
        gateway: its base URL.
        credentials: its token; without one nothing is sent through it.
        connection: how all of them are reached.
    """
    found = Found()
    for server in workload.servers:
        if server.name == GATEWAY:
            continue
        if url := urls.get(server.name, ""):
            with http_client(connection, next(iter(instances(url)), url), timeout_s=_TIMEOUT_S) as http:
                _ask(http, workload, server, url.rstrip("/"), found)
        else:
            where = VARIABLES.get(server.name, server.url)
            found.say(server.name, "warning", "not given, so left out", f"set {where}")
    if not found.labels and not any(finding.level == "error" for finding in found.findings):
        found.say(
            "test servers", "error", "none is given", f"set {', '.join(VARIABLES.values())}, or --embedded"
        )
    if found.labels and not credentials:
        found.say("through the gateway", "warning", "left out: no token", "set MCPGATEWAY_BEARER_TOKEN")
    elif credentials and found.labels:
        _ask_gateway(workload, urls, gateway, credentials, connection, found)
    return found


def server_urls(environ: Mapping[str, str]) -> dict[str, str]:
    """The URLs that the user set, by server."""
    return {server: environ[name] for server, name in VARIABLES.items() if environ.get(name)}


def instances(url: str) -> list[str]:
    """Each URL of a range of ports; the URL itself where it is none."""
    match = _RANGE.fullmatch(url)
    if not match:
        return [url]
    ports = range(int(match["first"]), int(match["last"]) + 1)
    return [f"{match['host']}:{port}{match['path'] or ''}" for port in ports]


def _ask(http: httpx.Client, workload: Servers, server: McpServer, url: str, found: Found) -> None:
    remedy = _UNREACHABLE.format(variable=VARIABLES.get(server.name, server.url))
    every = instances(url)
    if not every:
        found.say(server.name, "error", f"there are no ports in {url}", "write http://HOST:FIRST-LAST")
        return
    try:
        base, path, session = opened(http, server, every[0])
        for instance in every[1:]:
            opened(http, server, instance)[2].close()
    except McpError as error:
        found.say(server.name, "error", error.message, remedy)
        return
    found.properties[server.url] = url.removesuffix(path) if base != every[0] else url
    found.properties[f"{server.name.upper()}_MCP"] = path
    found.properties[f"{server.name.upper()}_PROTOCOL"] = session.asked
    calls = [
        one
        for one in workload.requests
        if isinstance(one, ToolCall) and one.server == server.name and not one.through_gateway
    ]
    rests = [one for one in workload.requests if isinstance(one, RestRequest) and one.server == server.name]
    left_out = [*_try_calls(session, calls, found), *_try_rest(http, base, server, rests, found)]
    session.close()
    many = f" and {len(every) - 1} more" if len(every) > 1 else ""
    found.say(server.name, "ok", f"{base}{many}: {_ways(session, path)}")
    if left_out:
        found.say(server.name, "warning", f"left out: {'; '.join(left_out)}", "see what the server offers")


def opened(http: httpx.Client, server: McpServer, url: str) -> tuple[str, str, McpSession]:
    """Base, path and session. A path in the URL may be the endpoint's own, or what comes before it.

    Raises:
        McpError: nobody answers there, or no path speaks MCP.
    """
    paths = server.settings[0].candidates
    own = urlsplit(url).path
    if own:
        base = url.removesuffix(own)
        try:
            return base, *open_session(http, base, [own], {})
        except McpError:
            pass
    return url, *open_session(http, url, paths, {})


def _ways(session: McpSession, path: str) -> str:
    kept = "a session" if session.has_session else "no session"
    form = "event streams" if session.streams else "JSON"
    return f"MCP {session.version} at {path or '/'}, {kept}, answers as {form}"


def _try_calls(session: McpSession, calls: Sequence[ToolCall], found: Found) -> Iterator[str]:
    """Call each tool once; what does not answer truly is yielded, the rest may be sent."""
    try:
        offered = session.tools()
    except McpError as error:
        yield f"every tool ({error.message})"
        return
    for call in calls:
        problem = problem_of(session, call, call.tool) if call.tool in offered else "not offered"
        if problem:
            yield f"{call.label} ({problem})"
        else:
            found.labels.add(call.label)


def problem_of(session: McpSession, call: ToolCall, name: str) -> str:
    """What is wrong with the answer to one call of the tool ``name``; empty when it is true."""
    arguments = {key: _sample(value) for key, value in call.arguments.items()}
    try:
        result = session.call("tools/call", {"name": name, "arguments": arguments})
    except McpError as error:
        return error.message
    content = result.get("content")
    if result.get("isError") is True or not content:
        return f"{'tool error' if content else 'no content'}: {str(content)[:200]}"
    if call.holds and _sample(call.holds) not in str(content):
        return "it does not say what was asked"
    return ""


def _try_rest(
    http: httpx.Client, base: str, server: McpServer, requests: Sequence[RestRequest], found: Found
) -> Iterator[str]:
    """The first path of each that answers truly; a request without one is yielded."""
    for request in requests:
        setting = next(one for one in server.rest if one.name == request.path)
        good = (path for path in setting.candidates if _answers(http, base + path, request))
        path = found.properties[setting.name] = next(good, "")
        if path:
            found.labels.add(request.label)
        else:
            yield f"{request.label} (no such endpoint)"


def _answers(http: httpx.Client, url: str, request: RestRequest) -> bool:
    headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if request.body else {})
    try:
        response = http.request(
            request.method, url + _sample(request.value), content=request.body or None, headers=headers
        )
    except httpx.HTTPError:
        return False
    return response.status_code == 200 and re.search(request.holds, response.text) is not None


def _ask_gateway(
    workload: Servers,
    urls: Mapping[str, str],
    gateway: str,
    credentials: Credentials,
    connection: Connection,
    found: Found,
) -> None:
    server = next(one for one in workload.servers if one.name == GATEWAY)
    token = {"Authorization": f"Bearer {credentials.token}"}
    remedy = "register the servers there, as `pacemark stack up` does; without, there is no tax to measure"
    try:
        with http_client(connection, gateway, timeout_s=_TIMEOUT_S, headers=token) as http:
            path, session = open_session(http, gateway, server.settings[0].candidates[:1], token)
            offered = session.tools()
            rows = _registered(gateway, credentials, connection)
            left_out = list(_try_through(workload, urls, session, offered, rows, found))
            session.close()
    except (McpError, GatewayError) as error:
        found.say("through the gateway", "warning", f"left out: {error.message}", remedy)
        return
    found.properties["GATEWAY_MCP"] = path
    found.properties["GATEWAY_PROTOCOL"] = session.asked
    found.say("through the gateway", "ok", f"{gateway}: {_ways(session, path)}")
    if left_out:
        found.say("through the gateway", "warning", f"left out: {'; '.join(left_out)}", remedy)


def _registered(gateway: str, credentials: Credentials, connection: Connection) -> dict[str, str]:
    """By the name that stands before a server's tools, the URL that the gateway has of it."""
    with GatewayClient(gateway, credentials, timeout_s=_TIMEOUT_S, connection=connection) as client:
        rows = json_of(client.get("/gateways", limit=0))
    rows = rows if isinstance(rows, list) else []
    return {str(row.get("slug")): str(row.get("url")) for row in rows if isinstance(row, dict)}


def _try_through(
    workload: Servers,
    urls: Mapping[str, str],
    session: McpSession,
    offered: set[str],
    registered: Mapping[str, str],
    found: Found,
) -> Iterator[str]:
    """Call each tool once that is called directly too; what does not answer truly is yielded."""
    direct = {
        (one.server, one.tool)
        for one in workload.requests
        if isinstance(one, ToolCall) and one.label in found.labels
    }
    at_gateway = {one.name: one.at_gateway for one in workload.servers}
    for call in workload.requests:
        if not isinstance(call, ToolCall) or not call.through_gateway:
            continue
        if (call.server, call.tool) not in direct:
            continue
        tool = call.tool.replace("_", "-")
        same = [name for name, url in registered.items() if _is_one_of(url, instances(urls[call.server]))]
        prefix = next(
            (name for name in [*same, at_gateway[call.server]] if f"{name}-{tool}" in offered), None
        )
        if prefix is None:
            yield f"{call.label} (not offered)"
        elif problem := problem_of(session, call, f"{prefix}-{tool}"):
            yield f"{call.label} ({problem})"
        else:
            found.labels.add(call.label)
            found.properties[f"{call.server.upper()}_AT_GATEWAY"] = prefix
            if prefix not in same:
                detail = (
                    f"the gateway's {prefix} is at {registered.get(prefix, 'a URL that it does not tell')}"
                )
                found.say(call.server, "warning", f"{detail}: is it the same server?", "compare the two URLs")


def _is_one_of(url: str, others: Sequence[str]) -> bool:
    return any(_place(url) == _place(other) for other in others)


def _place(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname in _LOOPBACK else str(parts.hostname)
    return host, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _sample(text: str) -> str:
    return text.replace("${timezone}", "Europe/Berlin").replace("${REQUEST_ID}", "pacemark-0")
