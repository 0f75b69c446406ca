"""Users that each hold a stream of server-sent events open, and now and then send a message through it."""

import re
from typing import Self

from pacemark.errors import InputError
from pacemark.workloads.model import Request, Whole, Workload

CONNECT = "SSE connect"
FIRST_EVENT = "SSE first event"
ROUND_TRIP = "SSE round trip"
RECONNECT = "SSE reconnect"
STREAM_LIFETIME = "SSE stream lifetime"
SILENCE = "SSE longest silence in a lifetime"
OUTAGE_LIFETIME = "SSE outage lifetime"


class Streams(Workload):
    """Every thread is a stream, open from its start in the ramp-up to the end of the load.

    The load's rate is of messages over all streams, one after another on each, unevenly spaced.
    What falls due while a stream is away is not sent.
    """

    messages: Whole[Request]
    """What is posted to the endpoint that the stream names. Their paths do not count."""
    endpoint: str = "/sse"
    """Below the gateway's URL."""

    def at(self, endpoint: str) -> Self:
        """The same on another endpoint, such as a virtual server's ``/servers/ID/sse``.

        Raises:
            InputError: it is no plain path.
        """
        if not re.fullmatch(r"(/[\w.~%-]+)+", endpoint, re.ASCII):
            raise InputError(
                f"the endpoint of event streams '{endpoint}' is no path", "write /servers/ID/sse"
            )
        return self.model_copy(update={"endpoint": endpoint})

    @property
    def labels(self) -> tuple[str, ...]:
        return (CONNECT, FIRST_EVENT, ROUND_TRIP, STREAM_LIFETIME, SILENCE)

    @property
    def described(self) -> tuple[tuple[str, str, str], ...]:
        replies = "; ".join(
            f"{message.weight:g} % `{message.label.removeprefix('MCP ')}`: {message.check.name}"
            for message in self.messages
        )
        return (
            (CONNECT, "once a stream", "until the headers: 200, text/event-stream"),
            (
                FIRST_EVENT,
                "after each opening",
                "from the request on; names the endpoint, of the same origin",
            ),
            (ROUND_TRIP, "at the load's rate", f"from the post to the reply's arrival; {replies}"),
            (RECONNECT, "`retry` after a drop, until open", "as a connect; sends Last-Event-ID"),
            (STREAM_LIFETIME, "at a stream's end", "it ended because the load did; else it was dropped"),
            (SILENCE, "at a stream's end", "the longest time without a byte from the server"),
            (
                OUTAGE_LIFETIME,
                "once a drop",
                "from the drop until open again; failed: not until the load's end",
            ),
        )

    @property
    def handlers(self) -> dict[str, str]:
        path = re.sub(r"^/servers/[^/]+", "/servers/{server_id}", self.endpoint)
        opening, posting = f"GET {path}", f"POST {path.rpartition('/')[0]}/message"
        return {CONNECT: opening, RECONNECT: opening, ROUND_TRIP: posting}
