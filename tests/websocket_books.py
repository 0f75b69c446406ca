"""A WebSocket server (RFC 6455) that keeps its own books, and misbehaves when told to."""

import asyncio
import base64
import hashlib
import json
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from fake_gateway import rpc_result

_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


@dataclass
class Book:
    """What happened on one connection."""

    authorization: str
    path: str
    asked: list[str] = field(default_factory=list)
    """Ids of the messages that came in, in their order."""
    answered: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    closed_with: int | None = None
    """The code of the client's close frame."""
    pongs: int = 0
    ended: bool = False


@dataclass(frozen=True)
class Call:
    """A message, and where it stands: the n-th of its connection (from 0), of the n-th connection."""

    connection: int
    number: int
    id: str
    method: str
    params: dict[str, Any]

    def reply(self, **other: Any) -> str:
        result = {"jsonrpc": "2.0", "id": self.id, "result": rpc_result(self.method, self.params)}
        return json.dumps(result | other)


@dataclass(frozen=True)
class Act:
    """What to do about a message."""

    text: str = ""
    """The reply; empty for none."""
    after_s: float = 0.0
    then: str = ""
    """``close``: by a close frame 1011. ``drop``: by TCP only. ``ping``: a ping before the reply."""


def truly(call: Call) -> Act:
    return Act(call.reply())


class WebSocketServer:
    """The server in a thread of its own. Replace ``act`` to misbehave, ``refuse`` to answer a status."""

    def __init__(self, act: Callable[[Call], Act] = truly) -> None:
        self.act = act
        self.refuse = 0
        self.stalled = threading.Event()
        self.books: list[Book] = []
        self.refused = 0
        self.waiting = 0
        """Messages that the stall holds up."""
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return sum(not book.ended for book in self.books)

    @property
    def asked(self) -> list[str]:
        return [one for book in self.books for one in book.asked]

    @property
    def answered(self) -> list[str]:
        return [one for book in self.books for one in book.answered]

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def go_away(self) -> None:
        """End all connections by TCP and listen no more."""
        self._loop.call_soon_threadsafe(self._go_away)

    def come_back(self) -> None:
        """Listen again, on the same port."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)

    def _go_away(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        book = None
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
            await self._while_stalled()
            if self.refuse:
                self.refused += 1
                writer.write(f"HTTP/1.1 {self.refuse} No\r\nContent-Length: 0\r\n\r\n".encode())
                return
            book = Book(headers.get("authorization", ""), head[0].split(" ")[1])
            number = len(self.books)
            self.books.append(book)
            accept = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + _KEY).encode()).digest())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            await self._messages(number, book, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            if book is not None:
                book.ended = True
            self._writers.discard(writer)
            writer.close()

    async def _messages(
        self, number: int, book: Book, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            kind, payload = await _frame_from(reader)
            if kind == CLOSE:
                book.closed_with = struct.unpack("!H", payload[:2])[0] if payload else 1005
                writer.write(_frame(CLOSE, payload[:2]))
                return
            if kind == PONG:
                book.pongs += 1
                continue
            self.waiting += 1
            try:
                await self._while_stalled()
            finally:
                self.waiting -= 1
            said = json.loads(payload)
            call = Call(number, len(book.asked), said["id"], said["method"], said["params"])
            book.asked.append(call.id)
            book.methods.append(call.method)
            act = self.act(call)
            if act.after_s:
                # The client may close meanwhile, and its close frame is read.
                self._loop.call_later(act.after_s, self._send, book, writer, call, act)
            elif not self._send(book, writer, call, act):
                return

    def _send(self, book: Book, writer: asyncio.StreamWriter, call: Call, act: Act) -> bool:
        """Whether the connection goes on."""
        if writer.is_closing():
            return False
        if act.then == "ping":
            writer.write(_frame(PING, b"there?"))
        if act.text:
            writer.write(_frame(TEXT, act.text.encode()))
            book.answered.append(call.id)
        if act.then == "close":
            writer.write(_frame(CLOSE, struct.pack("!H", 1011)))
        return act.then not in ("close", "drop")

    async def _while_stalled(self) -> None:
        while self.stalled.is_set():
            await asyncio.sleep(0.01)


def _frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    length = struct.pack("!B", size) if size < 126 else struct.pack("!BH", 126, size)
    return bytes([0x80 | kind]) + length + payload


async def _frame_from(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
    assert size < 127 or size > 127, "a message of more than 64 KiB"
    assert second & 0x80, "a client masks its frames"
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
