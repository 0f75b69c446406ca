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
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from fake_gateway import rpc_result

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


class EventStreams:
    """The server in a thread of its own. Set ``opening`` or ``reply``, or call ``drop``, to misbehave."""

    def __init__(self, port: int = 0) -> None:
        self.books = Books()
        self.port = port
        self.delay_s = 0.0
        """Between a message and its reply."""
        self.opening: Callable[[int], tuple[int, str]] = lambda number: (200, EVENT_STREAM)
        """Status and content type of the answer to the so-manieth request for a stream."""
        self.reply: Callable[[dict[str, Any]], dict[str, Any] | None] = true_reply
        self.own_url: Callable[[int], str] = lambda number: ""
        """What it puts before ``/message`` on the so-manieth stream, as a gateway behind nginx is told to."""
        self._sessions: dict[int, Session] = {}
        self._owed: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        """Everything is reset at once, as when a server is killed."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)

    def drop(self, count: int, how: str = "end") -> int:
        """Break the ``count`` oldest streams: ``end`` of the body, ``cut`` within it, or ``reset``."""
        done = asyncio.run_coroutine_threadsafe(self._drop(count, how), self._loop)
        return done.result(5)

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

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=4096)
        server = self._loop.run_until_complete(start)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for session in self._sessions.values():
            session.writer.transport.abort()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.books.paths[f"{method} {target.partition('?')[0]}"] += 1
                assert headers["authorization"].startswith("Bearer ")
                assert "proxy-authorization" not in headers
                if method == "GET":
                    await self._stream(headers, reader, writer)
                    break
                self._message(target, json.loads(body), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _stream(
        self, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        books = self.books
        assert headers["accept"] == "text/event-stream"
        status, content_type = self.opening(books.opened + books.refused + 1)
        if (status, content_type) != (200, EVENT_STREAM):
            books.refused += 1
            fields = f"Content-Type: {content_type}\r\nContent-Length: 2"
            writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n\r\nno".encode())
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
        fields = f"Content-Type: {EVENT_STREAM}\r\nTransfer-Encoding: chunked"
        writer.write(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode())
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
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        number = int(target.rpartition("=")[2])
        now = self._loop.time()
        self._loop.call_at(now + self.delay_s, self._answer, number, call, now)

    def _answer(self, number: int, call: dict[str, Any], read_s: float) -> None:
        session = self._sessions.get(number)
        if session is None:
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
