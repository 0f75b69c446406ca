"""What the servers that keep books have in common: a thread, a port on loopback, and a little HTTP."""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self, TypeVar

Answer = tuple[int, dict[str, str], bytes]
"""Status, header fields, content."""
T = TypeVar("T")
APM_HEADERS = ("x-dynatrace-test", "baggage", "tracestate")


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    target: str
    headers: dict[str, str]
    """By their names in small letters."""
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The next request of a connection.

    Raises:
        asyncio.IncompleteReadError: there is none, the client has closed.
    """
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def response_head(status: int, fields: Mapping[str, str]) -> bytes:
    """A response up to the empty line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode("latin-1")


def response(status: int, fields: Mapping[str, str], content: bytes = b"") -> bytes:
    """A whole response, with its length."""
    return response_head(status, {**fields, "Content-Length": str(len(content))}) + content


class LoopbackServer(ABC):
    """A server that is there within ``with``, in a thread of its own; ``serve`` is what it is about."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        """Once it listens, the one it listens on; before, the one it shall, 0 for any."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self.traces: list[tuple[str, str]] = []
        """Of each request that was read by ``heard``: its X-Correlation-ID and traceparent, empty without."""
        self.tags: list[dict[str, str]] = []
        """Of each of them: what it carried for an APM."""

    async def heard(self, reader: asyncio.StreamReader) -> Request:
        """The next request of a connection, its trace booked; raises as ``read_request`` does."""
        request = await read_request(reader)
        self.traces.append(
            (request.headers.get("x-correlation-id", ""), request.headers.get("traceparent", ""))
        )
        self.tags.append({name: request.headers[name] for name in APM_HEADERS if name in request.headers})
        return request

    @abstractmethod
    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which is closed behind it. That the client ended it needs no handling here."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()
        self._within(self._all_ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def go_away(self) -> None:
        """Listen no more and break all connections, as if killed. It is done soon, not on return."""
        self._loop.call_soon_threadsafe(self._go_away)

    def come_back(self) -> None:
        """Listen, again on the same port."""
        self._within(self._listen())

    def _within(self, work: Coroutine[Any, Any, T]) -> T:
        """Have it done in the server's thread, by another one."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    async def _listen(self) -> None:
        # By host and port: on a socket of `socket.create_server` asyncio does not set TCP_NODELAY, and what
        # is written in two parts then takes 40 ms.
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    def _go_away(self) -> None:
        self._server.close()
        # Cancelled first: whoever serves must not take the break for the client's.
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        for writer in self._writers:
            writer.transport.abort()

    async def _all_ended(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                await self.serve(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()
