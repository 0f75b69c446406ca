"""Users that have a session with each MCP server, and send the request of the next slot."""

from pacemark.jmx import assertions
from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.pacing import TRACE, clock, script, switch, users
from pacemark.jmx.requests import fed
from pacemark.workloads.servers import GATEWAY, McpServer, RestRequest, Servers, ToolCall

SERVERS = "servers"
"""Names the session to open or, when it is due, the request of the next slot."""
WHY = "${__jexl3(props.get('servers').why(ctx))}"
"""What is wrong with an answer. JMeter asks for an assertion's message only when that fails."""

OPTIONS = (
    " \\\n    -JFAST_TIME_URL=http://127.0.0.1:8888 -JFAST_TEST_URL=http://127.0.0.1:8880"
    " -JBENCHMARK_URL=http://127.0.0.1:9000-9099"
)

FORMATS = "application/json, text/event-stream"
"""A server chooses: one JSON message, or an event stream that ends after it."""

RESULT = r'"result"\s*:\s*\{'
CONTENT = r'"content"\s*:\s*\[\s*\{'
# Backslashes before the quotes, and it is part of what the tool said.
NO_TOOL_ERROR = r'\A(?![\s\S]*"isError"\s*:\s*true)'
VERSION = r'"protocolVersion"\s*:\s*"([^"]+)"'
SESSION = r"(?i)(mcp-session-id):\s*(\S+)"
OWN_ID = '"${REQUEST_ID}"'


def variables(workload: Servers) -> list[Variable]:
    """Each server's URL and ways, the mix, and which servers there are."""
    items = []
    for server in workload.servers:
        if server.name != GATEWAY:
            what = f"{server.name}'s URL; empty: nothing is sent to it"
            if server.name == "benchmark":
                what += ". A range of ports is spread over the threads: http://127.0.0.1:9000-9099"
            items.append(Variable(server.url, f"${{__P({server.url},)}}", what))
        for setting in server.settings:
            default = setting.candidates[0].replace(",", "\\,")
            items.append(Variable(setting.name, f"${{__P({setting.name},{default})}}", setting.note))
    if any(server.name == GATEWAY for server in workload.sessions):
        note = "Threads that call through the gateway and do nothing else; empty: a quarter of them"
        items.append(Variable("GATEWAY_THREADS", "${__P(GATEWAY_THREADS,)}", note))
    mix = "; ".join(
        f"{request.weight:g}% {request.label} [{', '.join(request.needs)}]" for request in workload.requests
    )
    note = "Share of each request, by its sampler's name; sent where none of the variables in [] is empty"
    items.append(Variable("MIX", mix, note))
    items.append(Variable("SERVERS", _names(workload.servers), "Whom the requests go to"))
    items.append(Variable("SESSIONS", _names(workload.sessions), "With whom each thread has a session"))
    return items


def nodes(workload: Servers) -> tuple[Node, ...]:
    """The thread group."""
    prepare = Node(jmx.groovy("JSR223Timer", "Sessions: who is there", script("servers")))
    before = Node(jmx.do_nothing("See which servers are given"), (prepare,))
    choices = (
        *(_opening(server) for server in workload.sessions),
        *(_request(request) for request in workload.requests),
    )
    steps = switch("A session to open, or the request of the next slot", *choices)
    return (users(workload.title, (before, clock(SERVERS)), (steps,)),)


def _names(servers: tuple[McpServer, ...]) -> str:
    return ", ".join(server.name for server in servers)


def _opening(server: McpServer) -> Node:
    first, second = server.openings
    body = (
        '{"jsonrpc":"2.0","id":"${REQUEST_ID}","method":"initialize","params":{"protocolVersion":"'
        f'${{{server.name.upper()}_PROTOCOL}}","capabilities":{{}},'
        '"clientInfo":{"name":"pacemark","version":"1"}}}'
    )
    initialize = Node(
        jmx.http_request(first, "POST", _endpoint(server.name), body),
        (
            _headers(server.name, {}),
            *_kept(server),
            _is_mine(OWN_ID),
            Node(
                assertions.body_assertion(
                    "has a protocol version", (RESULT, VERSION), message=WHY, regex=True
                )
            ),
        ),
    )
    initialized = Node(
        jmx.http_request(
            second, "POST", _endpoint(server.name), '{"jsonrpc":"2.0","method":"notifications/initialized"}'
        ),
        (_in_session(server.name), Node(assertions.status_assertion("accepted", "20[024]"))),
    )
    only_then = Node(
        jmx.switch("Only when it was answered truly", "${JMeterThread.last_sample_ok}"),
        (Node(jmx.simple_controller("true"), (initialized,)), Node(jmx.simple_controller("false"))),
    )
    return Node(jmx.simple_controller(f"open {server.name}"), (initialize, only_then))


def _kept(server: McpServer) -> tuple[Node, ...]:
    """What the answer to ``initialize`` says of the requests that follow."""
    header, session, version = (f"{server.name}_{what}" for what in ("header", "session", "version"))
    return (
        Node(
            assertions.regex_extractor(
                "The session's header", header, SESSION, "$1$", "X-No-Session", of_headers=True
            )
        ),
        Node(assertions.regex_extractor("The session", session, SESSION, "$2$", "none", of_headers=True)),
        Node(assertions.regex_extractor("The version chosen", version, VERSION, "$1$", "", of_headers=False)),
    )


def _request(request: ToolCall | RestRequest) -> Node:
    sampler = _call(request) if isinstance(request, ToolCall) else _rest(request)
    return fed(request.label, sampler, request.feeds)


def _call(request: ToolCall) -> Node:
    holds = [request.holds] if request.holds else []
    return Node(
        jmx.http_request(request.label, "POST", _endpoint(request.to), request.body),
        (
            _in_session(request.to),
            _is_mine(OWN_ID, *holds),
            Node(
                assertions.body_assertion(
                    "has content, and the tool did not fail",
                    (RESULT, CONTENT, NO_TOOL_ERROR),
                    message=WHY,
                    regex=True,
                )
            ),
        ),
    )


def _rest(request: RestRequest) -> Node:
    url = f"${{{request.server}_url}}${{{request.path}}}{request.value}"
    formats = {"Accept": "application/json"}
    if request.body:
        formats["Content-Type"] = "application/json"
    return Node(
        jmx.http_request(request.label, request.method, url, request.body),
        (
            Node(jmx.headers("Formats and trace", {**formats, **TRACE})),
            Node(assertions.body_assertion(request.truth, (request.holds,), regex=True)),
        ),
    )


def _endpoint(server: str) -> str:
    return f"${{{server}_url}}${{{server.upper()}_MCP}}"


def _is_mine(*texts: str) -> Node:
    """Plain text, which JMeter looks for without compiling a pattern for each id."""
    return Node(assertions.body_assertion("is the answer to this request", texts, message=WHY, regex=False))


def _in_session(server: str) -> Node:
    return _headers(
        server,
        {"MCP-Protocol-Version": f"${{{server}_version}}", f"${{{server}_header}}": f"${{{server}_session}}"},
    )


def _headers(server: str, more: dict[str, str]) -> Node:
    token = {"Authorization": "Bearer ${TOKEN}"} if server == GATEWAY else {}
    name = "Formats, session and trace" if more else "Formats and trace"
    formats = {"Accept": FORMATS, "Content-Type": "application/json"}
    return Node(jmx.headers(name, {**token, **formats, **more, **TRACE}))
