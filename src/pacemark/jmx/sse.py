"""Users that each hold a stream of server-sent events."""

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.pacing import clock, script, switch, users
from pacemark.jmx.requests import checks
from pacemark.workloads.model import Request
from pacemark.workloads.streams import (
    CONNECT,
    FIRST_EVENT,
    OUTAGE_LIFETIME,
    RECONNECT,
    ROUND_TRIP,
    SILENCE,
    STREAM_LIFETIME,
    Streams,
)

STREAMS = "sse"
"""Waits for what is to be done or told next on this thread's stream, and names it."""

ACTS = {
    CONNECT: "connect",
    RECONNECT: "connect",
    FIRST_EVENT: "firstEvent",
    STREAM_LIFETIME: "lifetime",
    SILENCE: "silence",
    OUTAGE_LIFETIME: "outage",
}
"""By label, the method of ``sse.groovy`` that makes the sample."""


def variables(workload: Streams) -> list[Variable]:
    """Where the streams are, and the mix of messages."""
    mix = "; ".join(f"{message.weight:g}% {message.label}" for message in workload.messages)
    return [
        Variable(
            "MCP_SSE_ENDPOINT",
            f"${{__P(MCP_SSE_ENDPOINT,{workload.endpoint})}}",
            "The streams, below GATEWAY_URL; or /servers/ID/sse",
        ),
        Variable("MIX", mix, "Share of each message, by its controller's name"),
    ]


def nodes(workload: Streams) -> tuple[Node, ...]:
    """The thread group."""
    acts = (Node(_sampler(label, act)) for label, act in ACTS.items())
    messages = (_message(message) for message in workload.messages)
    steps = switch("What is next on the stream", *acts, *messages)
    return (users(workload.title, (_client(), clock(STREAMS)), (steps,)),)


def _client() -> Node:
    """Before the clock starts, for it takes its time."""
    both = script("event_stream") + script("sse")
    client = Node(jmx.groovy("JSR223Timer", "The client for event streams", both))
    return Node(jmx.do_nothing("Make the client"), (client,))


def _sampler(label: str, act: str, parameters: str = "") -> jmx.Element:
    more = ", Parameters" if parameters else ""
    return jmx.groovy(
        "JSR223Sampler", label, f"props.get('sse').{act}(ctx, SampleResult{more}); null", parameters
    )


def _message(message: Request) -> Node:
    # The id is the slot's.
    round_trip = Node(_sampler(ROUND_TRIP, "call", message.body), checks(message.check, message.absences))
    return Node(jmx.simple_controller(message.label), (round_trip,))
