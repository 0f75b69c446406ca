"""Users that are WebSocket connections, by the samplers of net.luminis."""

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Element, Node, Variable
from pacemark.jmx.pacing import TRACE, clock, script, switch, users
from pacemark.jmx.requests import checks, fed
from pacemark.workloads.connections import CLOSE, CONNECTION_LIFETIME, HANDSHAKE, Connections, Message

CONNECTIONS = "connections"
"""What the thread's connection does next (see connections.groovy)."""

CONNECT_TIMEOUT_MS = 5_000
REPLY_TIMEOUT_MS = 10_000
"""After which a message counts as lost."""
CLOSE_TIMEOUT_MS = 5_000

_SAMPLERS = "eu.luminis.jmeter.wssampler"


def variables(workload: Connections) -> list[Variable]:
    """The endpoint, when a message is lost, and the mix."""
    mix = "; ".join(f"{message.weight:g}% {message.label}" for message in workload.messages)
    return [
        Variable("WS_ENDPOINT", workload.endpoint, "The WebSocket endpoint, below GATEWAY_URL"),
        Variable(
            "REPLY_TIMEOUT_MS",
            f"${{__P(REPLY_TIMEOUT_MS,{REPLY_TIMEOUT_MS})}}",
            "Milliseconds after which a message counts as lost and its connection is opened anew",
        ),
        Variable("MIX", mix, "Share of each message, by its sampler's name"),
    ]


def nodes(workload: Connections) -> tuple[Node, ...]:
    """The thread group."""
    connections = Node(jmx.groovy("JSR223Timer", "Connections: what each does next", script("connections")))
    steps = switch(
        "What the connection does next",
        # Answers the pings of the server, which would close the connection otherwise.
        Node(_sampler("PingFrameFilter", "Pings are answered", [jmx.boolean("replyToPing", True)])),
        # Two, for whether there is TLS is a tick in the sampler and cannot be a variable.
        _handshake("ws", tls=False),
        _handshake("wss", tls=True),
        *(_choice(message) for message in workload.messages),
        Node(_close()),
        Node(
            jmx.groovy(
                "JSR223Sampler",
                CONNECTION_LIFETIME,
                "props.get('connections').ended(ctx, SampleResult)",
            )
        ),
    )
    return (users(workload.title, (clock(CONNECTIONS, connections),), (steps,)),)


def _handshake(scheme: str, *, tls: bool) -> Node:
    # Below the handshake only: a sampler takes in every header manager above it anew with every message.
    token = Node(jmx.headers("Token and trace", {"Authorization": "Bearer ${TOKEN}", **TRACE}))
    sampler = _sampler(
        "OpenWebSocketSampler",
        HANDSHAKE,
        [
            jmx.boolean("TLS", tls),
            jmx.string("server", "${WS_HOST}"),
            jmx.string("port", "${WS_PORT}"),
            jmx.string("path", "${WS_PATH}"),
            jmx.string("connectTimeout", str(CONNECT_TIMEOUT_MS)),
            jmx.string("readTimeout", "${REPLY_TIMEOUT_MS}"),
        ],
    )
    below = (token, Node(explanation())) if tls else (token,)
    return Node(jmx.simple_controller(scheme), (Node(sampler, below),))


def explanation() -> Element:
    """Below a handshake over TLS, which by itself does not say that it was the certificate."""
    script = "props.get('access').explain(prev)"
    return jmx.groovy("JSR223PostProcessor", "Was it the certificate?", script)


def _choice(message: Message) -> Node:
    sampler = Node(
        _sampler(
            "RequestResponseWebSocketSampler",
            message.label,
            [
                jmx.boolean("createNewConnection", False),
                jmx.boolean("TLS", False),
                jmx.string("server", ""),
                jmx.string("port", "80"),
                jmx.string("path", ""),
                jmx.string("connectTimeout", str(CONNECT_TIMEOUT_MS)),
                jmx.string("payloadType", "Text"),
                jmx.string("requestData", message.body),
                jmx.string("readTimeout", "${REPLY_TIMEOUT_MS}"),
                jmx.boolean("loadDataFromFile", False),
                jmx.string("dataFile", ""),
            ],
        ),
        checks(message.check, message.absences),
    )
    return fed(message.label, sampler, message.feeds)


def _close() -> Element:
    properties = [jmx.string("statusCode", "1000"), jmx.string("readTimeout", str(CLOSE_TIMEOUT_MS))]
    return _sampler("CloseWebSocketSampler", CLOSE, properties)


def _sampler(kind: str, name: str, properties: list[Element]) -> Element:
    return jmx.element(f"{_SAMPLERS}.{kind}", f"{_SAMPLERS}.{kind}Gui", name, properties)
