"""A fast server that answers as the gateway does, keeps its own books, and breaks on purpose when told to."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Self

Answer = tuple[int, dict[str, str], bytes]
ROWS = [{"id": f"{n:032x}", "name": f"row-{n}", "uri": f"time://row/{n}"} for n in range(8)]


def _json(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def rpc_result(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "tools/call":
            return {"content": [{"type": "text", "text": json.dumps(params)}], "isError": False}
        case "resources/read":
            return {"contents": [{"uri": params["uri"], "text": "here"}]}
        case "initialize":
            return {"serverInfo": {"name": "fake", "version": "1"}, "protocolVersion": "2025-06-18"}
        case "ping":
            return {}
        case _:
            return {method.split("/")[0]: ROWS}


def true_answer(method: str, path: str, body: bytes) -> Answer:
    if path == "/health":
        return _json({"status": "healthy"})
    if path == "/rpc":
        call = json.loads(body)
        return _json(
            {"jsonrpc": "2.0", "id": call["id"], "result": rpc_result(call["method"], call["params"])}
        )
    return _json(ROWS)


class FakeGateway:
    """The server in a thread of its own. Replace ``answer`` to misbehave; None closes the connection."""

    def __init__(self, answer: Callable[[str, str, bytes], Answer | None] = true_answer) -> None:
        self.answer = answer
        self.requests: Counter[str] = Counter()
        self.order: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.delay_s: Callable[[], float] | None = None
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self._book(method, target, body)
                if self.delay_s is not None:
                    await asyncio.sleep(self.delay_s())
                answer = self.answer(method, target, body)
                if answer is None:
                    break
                status, extra, content = answer
                extra = {**extra, "Content-Length": str(len(content))}
                fields = "".join(f"{key}: {value}\r\n" for key, value in extra.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _book(self, method: str, target: str, body: bytes) -> None:
        label = f"{method} {target}"
        if target == "/rpc":
            self.bodies.append(body)
            label = f"MCP {json.loads(body)['method']}"
        self.order.append(label)
        self.requests[label] += 1
