"""What a controller and a worker say to each other: one JSON object a line, a question and its answer."""

import json
import socket
from typing import Any

LONGEST_BYTES = 256 << 20
"""Of a line: the log of an engine is the longest."""

Message = dict[str, Any]


class Wire:
    """One connection, already encrypted."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")

    def send(self, message: Message) -> None:
        """Raises OSError when the other end is gone."""
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, timeout_s: float) -> Message | None:
        """The next message; None when the other end has closed.

        Raises:
            OSError: the connection broke, or nothing came in time (TimeoutError).
            ValueError: what came is no message.
        """
        self._connection.settimeout(timeout_s)
        line = self._reader.readline(LONGEST_BYTES)
        if not line:
            return None
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("no message")
        return message

    @property
    def own_host(self) -> str:
        """This end's address, as the other end reaches it."""
        return str(self._connection.getsockname()[0])

    @property
    def other_host(self) -> str:
        return str(self._connection.getpeername()[0])

    def close(self) -> None:
        self._reader.close()
        self._connection.close()
