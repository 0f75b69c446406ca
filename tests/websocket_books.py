"""A WebSocket server (RFC 6455) that keeps its own books, and misbehaves when told to."""

import asyncio
import base64
import hashlib
import json
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fake_gateway import rpc_result
from loopback_server import LoopbackServer, response, response_head

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


class WebSocketServer(LoopbackServer):
    """Replace ``act`` to misbehave, ``refuse`` to answer a status."""

    def __init__(self, act: Callable[[Call], Act] = truly) -> None:
        super().__init__()
        self.act = act
        self.refuse = 0
        self.stalled = threading.Event()
        self.books: list[Book] = []
        self.refused = 0
        self.waiting = 0
        """Messages that the stall holds up."""

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

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await self.heard(reader)
        await self._while_stalled()
        if self.refuse:
            self.refused += 1
            writer.write(response(self.refuse, {}))
            return
        book = Book(request.headers.get("authorization", ""), request.target)
        number = len(self.books)
        self.books.append(book)
        key = request.headers["sec-websocket-key"] + _KEY
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}
        writer.write(response_head(101, upgrade))
        try:
            await self._messages(number, book, reader, writer)
        finally:
            book.ended = True

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
