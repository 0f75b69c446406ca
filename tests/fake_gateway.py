"""A fast server that answers as the gateway does, keeps its own books, and breaks on purpose when told to."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from loopback_server import Answer, LoopbackServer, Request, response

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


class FakeGateway(LoopbackServer):
    """Replace ``answer`` to misbehave; None closes the connection."""

    def __init__(self, answer: Callable[[str, str, bytes], Answer | None] = true_answer) -> None:
        super().__init__()
        self.answer = answer
        self.requests: Counter[str] = Counter()
        self.order: list[str] = []
        self.bodies: list[bytes] = []
        self.baggage: Counter[str] = Counter()
        self.connections = 0
        self.delay_s: Callable[[], float] | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            request = await self.heard(reader)
            self._book(request)
            if self.delay_s is not None:
                await asyncio.sleep(self.delay_s())
            answer = self.answer(request.method, request.target, request.body)
            if answer is None:
                return
            writer.write(response(*answer))
            await writer.drain()

    def _book(self, request: Request) -> None:
        label = f"{request.method} {request.target}"
        if request.target == "/rpc":
            self.bodies.append(request.body)
            label = f"MCP {json.loads(request.body)['method']}"
        self.order.append(label)
        self.baggage[request.headers.get("baggage", "")] += 1
        self.requests[label] += 1
