"""Users that each hold a stream of server-sent events."""

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.pacing import clock, end_of_slots, script, users
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

NEXT = "${__jexl3(props.get('sse').next(ctx))}"
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
    steps = Node(jmx.switch("What is next on the stream", NEXT), (end_of_slots(), *acts, *messages))
    return (users(workload.title, _client(), clock(), steps),)


def _client() -> Node:
    """Before the clock starts, for it takes its time."""
    both = script("event_stream") + script("sse")
    client = Node(jmx.groovy("JSR223Timer", "The client for event streams", both))
    return Node(jmx.once_a_thread("Before the clock"), (Node(jmx.do_nothing("Make the client"), (client,)),))


def _sampler(label: str, act: str, parameters: str = "") -> jmx.Element:
    more = ", Parameters" if parameters else ""
    return jmx.groovy(
        "JSR223Sampler", label, f"props.get('sse').{act}(ctx, SampleResult{more}); null", parameters
    )


def _message(message: Request) -> Node:
    check = message.check
    # The id is the slot's, and below its own sampler: a function's value is kept for a whole iteration.
    assertion = Node(jmx.json_assertion(check.name, check.path, check.expect, check.regex))
    round_trip = Node(_sampler(ROUND_TRIP, "call", message.body), (assertion,))
    return Node(jmx.simple_controller(message.label), (round_trip,))
