"""An MCP server over streamable HTTP that keeps its own books, and misbehaves when told to."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from loopback_server import Answer, LoopbackServer, Request, response

Message = dict[str, Any]
TOOLS = ("get_system_time", "convert_time", "echo", "get_stats", "benchmark_tool_1", "benchmark_tool_2")
REST = {
    "/health": b'{"status":"healthy"}',
    "/api/time": b'{"time":"2026-01-30T10:00:00+00:00"}',
    "/api/echo": b'{"message":"pacemark was here"}',
}


class FakeMcpServer(LoopbackServer):
    """The server, and what it is given to be odd.

    Whoever speaks out of turn (no session, an unknown one, the wrong protocol version or formats) is refused
    and noted in ``complaints``. ``answer`` may change what a tool call is answered: it is given the call and
    the true answer, and None closes the connection.
    """

    def __init__(
        self,
        *,
        path: str = "/mcp",
        versions: Sequence[str] = ("2025-11-25", "2025-06-18"),
        strict: bool = False,
        sessions: bool = True,
        streams: bool = False,
        tools: Sequence[str] = TOOLS,
        rest: dict[str, bytes] | None = None,
        token: str = "",
    ) -> None:
        super().__init__()
        self.path, self.versions, self.strict = path, versions, strict
        self.with_sessions, self.streams, self.tools, self.token = sessions, streams, tools, token
        self.rest = REST if rest is None else rest
        self.answer: Callable[[Message, Message], Message | None] = lambda call, true: true
        self.delay_s = 0.0
        self.slept_s: list[float] = []
        self.opened: list[str] = []
        self.notified: list[str] = []
        self.calls: Counter[str] = Counter()
        self.by_session: Counter[str] = Counter()
        self.gets: Counter[str] = Counter()
        self.forgotten = 0
        self.complaints: list[str] = []
        self._sessions: dict[str, str] = {}

    def forget(self) -> None:
        """Every session is gone, as after a restart."""
        self._sessions.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await self.heard(reader)
            given = self._given(request)
            if given is None:
                return
            if b"tools/call" in request.body and self.delay_s:
                began = self._loop.time()
                await asyncio.sleep(self.delay_s)
                self.slept_s.append(self._loop.time() - began)
            writer.write(response(*given))
            await writer.drain()

    def _given(self, request: Request) -> Answer | None:
        method, headers, path = request.method, request.headers, urlsplit(request.target).path
        json_type = {"Content-Type": "application/json"}
        if path in self.rest and path != self.path:
            self.gets[f"{method} {path}"] += 1
            return 200, json_type, self.rest[path]
        if path != self.path or method not in ("POST", "DELETE"):
            return 404, {}, b""
        if self.token and headers.get("authorization") != f"Bearer {self.token}":
            return self._refuse(401, "no token")
        if method == "DELETE":
            self._sessions.pop(headers.get("mcp-session-id", ""), None)
            return 200, {}, b""
        if headers.get("accept", "").count("/") < 2 or headers.get("content-type") != "application/json":
            return self._refuse(406, f"formats {headers.get('accept')}, {headers.get('content-type')}")
        message = json.loads(request.body)
        if message["method"] == "initialize":
            return self._initialized(message, headers)
        session = headers.get("mcp-session-id", "")
        if self.with_sessions and not session:
            return self._refuse(400, f"no session: {message['method']}")
        if self.with_sessions and session not in self._sessions:
            self.forgotten += 1
            return 404, {}, b""
        if headers.get("mcp-protocol-version") not in self.versions:
            return self._refuse(400, f"version {headers.get('mcp-protocol-version')}")
        if message["method"] == "notifications/initialized":
            self.notified.append(session)
            return 202, {}, b""
        true = {"jsonrpc": "2.0", "id": message["id"], "result": self._result(message)}
        if message["method"] == "tools/call":
            self.calls[message["params"]["name"]] += 1
            self.by_session[session] += 1
            answer = self.answer(message, true)
            return None if answer is None else (200, *self._formatted(answer))
        return 200, *self._formatted(true)

    def _initialized(self, message: Message, headers: dict[str, str]) -> Answer:
        if "mcp-session-id" in headers:
            self.complaints.append("initialize within a session")
        asked = message["params"]["protocolVersion"]
        if self.strict and asked not in self.versions:
            error = {"code": -32602, "message": f"Unsupported protocol version: {asked}"}
            return 200, *self._formatted({"jsonrpc": "2.0", "id": message["id"], "error": error})
        version = asked if asked in self.versions else self.versions[0]
        session = f"session-{len(self.opened)}"
        self.opened.append(session)
        self._sessions[session] = version
        info = {"name": "fake", "version": "1"}
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        kind, content = self._formatted({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return 200, {**kind, **({"Mcp-Session-Id": session} if self.with_sessions else {})}, content

    def _result(self, message: Message) -> Message:
        match message["method"]:
            case "tools/list":
                return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in self.tools]}
            case "tools/call":
                said = " ".join(map(str, message["params"]["arguments"].values()))
                return {"content": [{"type": "text", "text": said or "nothing"}], "isError": False}
            case _:
                return {}

    def _formatted(self, message: Message) -> tuple[dict[str, str], bytes]:
        text = json.dumps(message)
        if not self.streams:
            return {"Content-Type": "application/json"}, text.encode()
        notice = json.dumps(
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info"}}
        )
        events = f"event: message\r\ndata: {notice}\r\n\r\nevent: message\r\ndata: {text}\r\n\r\n"
        return {"Content-Type": "text/event-stream"}, events.encode()

    def _refuse(self, status: int, why: str) -> Answer:
        self.complaints.append(why)
        return status, {}, b""
