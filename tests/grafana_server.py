"""A server that answers as the documentation of Grafana's HTTP API says, and keeps what it is told."""

import asyncio
import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loopback_server import Answer, LoopbackServer, Request, response

TOKEN = "glsa_of-an-editor"
VIEWER = "glsa_of-a-viewer"
PASSWORD = "admin:s3cret"


def _json(value: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _says(status: int, message: str) -> Answer:
    return _json({"message": message}, status)


class GrafanaServer(LoopbackServer):
    """Keeps the annotations that it was given, by id. An anonymous client may look, as a viewer may."""

    def __init__(self) -> None:
        super().__init__()
        self.annotations: dict[int, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        self.delay_s = 0.0
        self.database = "ok"
        self.base = ""
        self.failing: Answer | None = None
        self.dashboards = ["Gateway Performance", "Load Test"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await self.heard(reader)
            self.asked.append((request.method, request.target))
            await asyncio.sleep(self.delay_s)
            writer.write(response(*(self.failing or self._answer(request))))
            await writer.drain()

    def _answer(self, request: Request) -> Answer:
        given = request.headers.get("authorization", "")
        basic = f"Basic {base64.b64encode(PASSWORD.encode()).decode()}"
        may_write = given in (f"Bearer {TOKEN}", basic)
        if given and not may_write and given != f"Bearer {VIEWER}":
            return _says(401, "Invalid API key")
        path = urlsplit(request.target).path
        if not path.startswith(f"{self.base}/"):
            return 404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>"
        path, _, rest = path.removeprefix(self.base).partition("/annotations")
        if (request.method, path) == ("GET", "/api/health"):
            return _json({"database": self.database, "version": "12.4.0", "commit": "abc"})
        if (request.method, path) == ("GET", "/api/search"):
            assert parse_qs(urlsplit(request.target).query)["type"] == ["dash-db"]
            return _json([{"type": "dash-db", "title": one} for one in self.dashboards])
        if path != "/api" or request.method not in ("POST", "PATCH"):
            return _says(404, "Not found")
        if not may_write:
            return _says(403, "You'll need additional permissions to perform this action")
        return self._annotated(request.method, rest, json.loads(request.body))

    def _annotated(self, method: str, rest: str, body: dict[str, Any]) -> Answer:
        if method == "POST":
            if not body.get("text"):
                return _says(400, "Failed to save annotation")
            new = len(self.annotations) + 1
            self.annotations[new] = body
            return _json({"message": "Annotation added", "id": new})
        found = self.annotations.get(int(rest.removeprefix("/")))
        if found is None:
            return _says(404, "Annotation not found")
        found |= body
        return _json({"message": "Annotation patched"})
