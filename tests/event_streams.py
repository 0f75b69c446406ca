"""A server of event streams that keeps its own books: what it opened, dropped, answered, and when.

It speaks the gateway's protocol (``endpoint``, ``/message``, replies on the stream) and frames its events as
oddly as the format allows. Run as a program it serves until its standard input ends, and prints its books.
"""

import asyncio
import contextlib
import json
import socket
import statistics
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fake_gateway import rpc_result
from loopback_server import LoopbackServer, Request, response, response_head

RETRY_MS = 400
EVENT_STREAM = "text/event-stream; charset=utf-8"


@dataclass
class Books:
    """What the server saw. Instants in seconds of its own clock."""

    opened: int = 0
    refused: int = 0
    dropped: int = 0
    """Streams that the server broke."""
    closed: int = 0
    """Streams that the client closed."""
    most_open: int = 0
    posts: int = 0
    replies: int = 0
    resumed_with: list[str] = field(default_factory=list)
    """Last-Event-ID of each connection that had one."""
    wrong_resumes: int = 0
    """Of these, how many were not the last id that some dropped stream had been sent."""
    open_now: int = 0
    posts_without_stream: int = 0
    ids: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    """Of all requests, by method."""
    delays_s: list[float] = field(default_factory=list)
    """From each message read to its reply written: the delay that was set, and what the machine added."""


class Session:
    """One open stream."""

    def __init__(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.number, self.writer = number, writer
        self.sent = 0
        self.last_id = ""
        self.opened = time.monotonic()
        self.is_dropped = False

    def write(self, text: str) -> None:
        """In two chunks, parted anywhere: within a character, or between the two of a line's end."""
        data = text.encode()
        middle = self.sent * 7 % len(data)
        for part in filter(None, (data[:middle], data[middle:])):
            self.writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def event(self, kind: str, data: str) -> None:
        """One event, framed differently each time: line ends, comments, several data lines, odd spaces."""
        self.sent += 1
        self.last_id = f"{self.number}-{self.sent}"
        end = ("\r\n", "\n", "\r")[self.sent % 3]
        lines = [
            f": Kommentär {self.sent}",
            f"event: {kind}",
            *(f"data: {line}" for line in data.split("\n")),
        ]
        lines += [f"id:{self.last_id}", f"retry: {RETRY_MS}", "unknown: field", "nothing"]
        self.write(end.join(lines) + end + end)


class EventStreams(LoopbackServer):
    """Set ``opening`` or ``reply``, or call ``drop``, to misbehave."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.books = Books()
        self.delay_s = 0.0
        """Between a message and its reply."""
        self.opening: Callable[[int], tuple[int, str]] = lambda number: (200, EVENT_STREAM)
        """Status and content type of the answer to the so-manieth request for a stream."""
        self.reply: Callable[[dict[str, Any]], dict[str, Any] | None] = true_reply
        self.own_url: Callable[[int], str] = lambda number: ""
        """What it puts before ``/message`` on the so-manieth stream, as a gateway behind nginx is told to."""
        self._sessions: dict[int, Session] = {}
        self._owed: Counter[str] = Counter()

    def drop(self, count: int, how: str = "end") -> int:
        """Break the ``count`` oldest streams: ``end`` of the body, ``cut`` within it, or ``reset``."""
        return self._within(self._drop(count, how))

    async def _drop(self, count: int, how: str) -> int:
        chosen = sorted(self._sessions.values(), key=lambda one: one.opened)[:count]
        for session in chosen:
            session.is_dropped = True
            self.books.dropped += 1
            self._owed[session.last_id] += 1
            self._ended(session)
            if how == "end":
                session.writer.write(b"0\r\n\r\n")
                session.writer.close()
            elif how == "cut":
                session.writer.write(b"1000\r\ndata: half of an ev")
                session.writer.close()
            else:
                # Without lingering, what goes out is a reset and not an end.
                connection = session.writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                session.writer.transport.abort()
        return len(chosen)

    def _ended(self, session: Session) -> None:
        if self._sessions.pop(session.number, None) is not None:
            self.books.open_now -= 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await self._asked(reader)).method != "GET":
            self._message(request.target, json.loads(request.body), writer)
            await writer.drain()
        await self._stream(request.headers, reader, writer)

    async def _asked(self, reader: asyncio.StreamReader) -> Request:
        request = await self.heard(reader)
        self.books.paths[f"{request.method} {request.target.partition('?')[0]}"] += 1
        assert request.headers["authorization"].startswith("Bearer ")
        assert "proxy-authorization" not in request.headers
        return request

    async def _stream(
        self, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        books = self.books
        assert headers["accept"] == "text/event-stream"
        status, content_type = self.opening(books.opened + books.refused + 1)
        if (status, content_type) != (200, EVENT_STREAM):
            books.refused += 1
            writer.write(response(status, {"Content-Type": content_type}, b"no"))
            await writer.drain()
            return
        if resumed := headers.get("last-event-id"):
            books.resumed_with.append(resumed)
            if not self._owed[resumed]:
                books.wrong_resumes += 1
            self._owed[resumed] -= 1
        books.opened += 1
        session = Session(books.opened, writer)
        self._sessions[session.number] = session
        books.open_now += 1
        books.most_open = max(books.most_open, books.open_now)
        writer.write(response_head(200, {"Content-Type": EVENT_STREAM, "Transfer-Encoding": "chunked"}))
        session.event("endpoint", f"{self.own_url(session.number)}/message?session_id={session.number}")
        session.event("keepalive", "{}")
        await writer.drain()
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        if not session.is_dropped:
            books.closed += 1
            self._ended(session)

    def _message(self, target: str, call: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        self.books.posts += 1
        self.books.ids[call["id"]] += 1
        writer.write(response(202, {}))
        number = int(target.rpartition("=")[2])
        now = self._loop.time()
        self._loop.call_at(now + self.delay_s, self._answer, number, call, now)

    def _answer(self, number: int, call: dict[str, Any], read_s: float) -> None:
        session = self._sessions.get(number)
        if session is None or session.writer.is_closing():
            self.books.posts_without_stream += 1
            return
        if (answer := self.reply(call)) is None:
            return
        # A request of the server's own may have the same id; a reply may stand on several lines.
        session.event("message", json.dumps({"jsonrpc": "2.0", "id": call["id"], "method": "ping"}))
        session.event("message", json.dumps(answer, indent=1))
        self.books.replies += 1
        self.books.delays_s.append(self._loop.time() - read_s)


def true_reply(call: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call["id"], "result": rpc_result(call["method"], call["params"])}


def main() -> None:
    with EventStreams() as server:
        server.delay_s = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
        print(server.port, flush=True)
        for _ in sys.stdin:
            books = {name: value for name, value in vars(server.books).items() if isinstance(value, int)}
            books |= {"distinct_ids": len(server.books.ids)}
            books |= {"delay_p50_ms": round(1000 * statistics.median(server.books.delays_s or [0]))}
            print(json.dumps(books), flush=True)


if __name__ == "__main__":
    main()
