"""An MCP server over streamable HTTP that keeps its own books, and misbehaves when told to."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Self
from urllib.parse import urlsplit

Message = dict[str, Any]
TOOLS = ("get_system_time", "convert_time", "echo", "get_stats", "benchmark_tool_1", "benchmark_tool_2")
REST = {
    "/health": b'{"status":"healthy"}',
    "/api/time": b'{"time":"2026-01-30T10:00:00+00:00"}',
    "/api/echo": b'{"message":"pacemark was here"}',
}


class FakeMcpServer:
    """The server in a thread of its own.

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
        self.port = 0
        self._sessions: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def forget(self) -> None:
        """Every session is gone, as after a restart."""
        self._sessions.clear()

    def stop(self) -> None:
        """Go off: nobody listens any more, and connections are closed."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self.stop()
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
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ")
                headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                given = self._given(method, urlsplit(target).path, headers, body)
                if given is None:
                    break
                status, extra, content = given
                if b"tools/call" in body and self.delay_s:
                    began = self._loop.time()
                    await asyncio.sleep(self.delay_s)
                    self.slept_s.append(self._loop.time() - began)
                fields = {**extra, "Content-Length": str(len(content))}
                text = "".join(f"{key}: {value}\r\n" for key, value in fields.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{text}\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _given(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
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
        message = json.loads(body)
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

    def _initialized(self, message: Message, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
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

    def _refuse(self, status: int, why: str) -> tuple[int, dict[str, str], bytes]:
        self.complaints.append(why)
        return status, {}, b""
