"""Users that are connections: each holds one open and sends its messages over it."""

from pacemark.workloads.model import Absence, Check, Feed, Weighted, Whole, Workload

HANDSHAKE = "WS handshake"
CLOSE = "WS close"
CONNECTION_LIFETIME = "WS connection lifetime"


class Message(Weighted):
    """One kind of message in the mix, and how a true reply to it is told from a false one."""

    label: str
    body: str
    check: Check
    absences: tuple[Absence, ...] = ()
    feeds: tuple[Feed, ...] = ()
    """The data files whose next row this message takes."""


class Connections(Workload):
    """Every thread is a WebSocket connection that sends messages, by weight, for its whole life.

    The load's rate is of messages, over all connections.
    """

    endpoint: str
    """Below the gateway's URL."""
    messages: Whole[Message]

    @property
    def message_labels(self) -> tuple[str, ...]:
        """The labels that are messages."""
        return tuple(message.label for message in self.messages)

    @property
    def labels(self) -> tuple[str, ...]:
        # Not the close: a connection that the gateway ended has none, and its lifetime says so.
        return (HANDSHAKE, *self.message_labels, CONNECTION_LIFETIME)

    @property
    def described(self) -> tuple[tuple[str, str, str], ...]:
        return (
            (HANDSHAKE, "once a connection", f"answered 101 with the key's hash, on `{self.endpoint}`"),
            *(
                (
                    message.label,
                    f"{message.weight:g} % of the messages",
                    "; ".join([message.check.name, *(absence.name for absence in message.absences)]),
                )
                for message in self.messages
            ),
            (CLOSE, "once a connection", "answered by a close frame"),
            (CONNECTION_LIFETIME, "once a connection", "ended by our close"),
        )

    @property
    def feeds(self) -> tuple[Feed, ...]:
        return tuple(dict.fromkeys(feed for message in self.messages for feed in message.feeds))
