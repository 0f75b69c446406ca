"""A server that answers as the documentation of Loki's HTTP API says."""

import asyncio
import json
import random
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from loopback_server import Answer, LoopbackServer, response

Logged = tuple[int, str, str]
"""Nanoseconds since 1970, service, text."""
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain"}
START_NS = 1_700_000_000_000_000_000


_QUOTED = r'"(?:[^"\\]|\\.)*"'
_LINE_FILTER = re.compile(rf" (\|=|!=|\|~|!~) ({_QUOTED})")
_LABEL = rf"\w+[=!]~{_QUOTED}"
_LABEL_FILTER = re.compile(rf" \| ({_LABEL}(?: (?:or|and) {_LABEL})*)")


def _passes(query: str, text: str, labels: dict[str, str]) -> bool:
    """Filters of lines by a text or a regular expression, of labels by regular expressions, which are of the
    whole label; joined by ``or`` or by ``and``, not by both."""
    for sign, quoted in _LINE_FILTER.findall(query):
        part = json.loads(quoted)
        is_in = part in text if sign.endswith("=") else re.search(part, text) is not None
        if is_in != sign.startswith("|"):
            return False
    for given in _LABEL_FILTER.findall(query):
        some = re.findall(rf"(\w+)([=!])~({_QUOTED})", given)
        met = [
            (re.fullmatch(json.loads(quoted), labels.get(name, "")) is not None) == (sign == "=")
            for name, sign, quoted in some
        ]
        if not (any(met) if " or " in given else all(met)):
            return False
    return True


class FakeLoki(LoopbackServer):
    """``query_range`` as documented: [start, end), the oldest first, at most ``limit`` over all streams.

    Lines may be filtered by what they contain, and by labels; those of one instant come in another order each
    time. ``labels`` are of all streams, ``labels_of`` of a service's. More
    lines than ``most`` and ranges of more than ``longest_s`` are refused with a text, and from ``tired_s`` on
    it gives up. ``interrupt`` may answer instead, by the number of the request.
    """

    def __init__(self, logged: list[Logged], most: int = 5000) -> None:
        super().__init__()
        self.logged, self.most = sorted(logged), most
        self.interrupt: Callable[[int], Answer | None] = lambda _: None
        self.delay_s = 0.0
        self.longest_s = self.tired_s = 1e9
        self.may_list = True
        self.labels: dict[str, str] = {}
        self.labels_of: dict[str, dict[str, str]] = {}
        self.stray: list[Logged] = []
        self.queries: list[dict[str, str]] = []
        self.authorizations: set[str] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await self.heard(reader)
            self.authorizations.add(request.headers.get("authorization", ""))
            parts = urlsplit(request.target)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.queries.append(asked)
            await asyncio.sleep(self.delay_s)
            answer = self.interrupt(len(self.queries)) or self._answer(parts.path, asked)
            writer.write(response(*answer))
            await writer.drain()

    def _answer(self, path: str, asked: dict[str, str]) -> Answer:
        if path == "/api/datasources":
            if not self.may_list:
                return 403, JSON, b'{"message":"You need additional permissions: datasources:read"}'
            return (
                200,
                JSON,
                json.dumps([{"type": "prometheus", "uid": "p"}, {"type": "loki", "uid": "l"}]).encode(),
            )
        path = re.sub("^/api/datasources/proxy/uid/l(oki)?/", "/", path)
        if path == "/loki/api/v1/labels":
            return 200, JSON, b'{"status":"success","data":["job","service_name"]}'
        if path == "/loki/api/v1/query":
            counted = re.fullmatch(r"sum\(count_over_time\((.*)\[(\d+)ms\]\)\)", asked["query"])
            assert counted
            end = int(asked["time"])
            count = len(self._matching(counted[1], end - int(counted[2]) * 10**6 + 1, end + 1))
            data = {"resultType": "vector", "result": [{"metric": {}, "value": [end / 1e9, str(count)]}]}
            return 200, JSON, json.dumps({"status": "success", "data": data}).encode()
        if path != "/loki/api/v1/query_range":
            return 404, {}, b"404 page not found"
        limit, start, end = (int(asked[name]) for name in ("limit", "start", "end"))
        if limit > self.most:
            wrong = f"limit > max_entries_limit_per_query ({limit} > {self.most})"
            return 400, TEXT, f"max entries limit per query exceeded, {wrong}".encode()
        if end - start > self.longest_s * 1e9:
            length = f"{(end - start) / 1e9:g}s, limit: {self.longest_s:g}s"
            return 400, TEXT, f"the query time range exceeds the limit (query length: {length})".encode()
        if end - start > self.tired_s * 1e9:
            return 504, TEXT, b"context deadline exceeded"
        assert asked["direction"] == "forward"
        inside = self._matching(asked["query"], start, end)
        random.shuffle(inside)
        page = [*self.stray, *sorted(inside, key=lambda one: one[0])][:limit]
        streams: dict[str, list[list[str]]] = {}
        for at_ns, service, text in page:
            streams.setdefault(service, []).append([str(at_ns), text])
        result = [{"stream": self._labels(service), "values": values} for service, values in streams.items()]
        random.shuffle(result)  # streams come in no order
        data = {"resultType": "streams", "result": result, "stats": {}}
        return 200, JSON, json.dumps({"status": "success", "data": data}).encode()

    def _matching(self, query: str, start_ns: int, end_ns: int) -> list[Logged]:
        return [
            one
            for one in self.logged
            if start_ns <= one[0] < end_ns and _passes(query, one[2], self._labels(one[1]))
        ]

    def _labels(self, service: str) -> dict[str, str]:
        return {"service_name": service, "job": "gateway", **self.labels, **self.labels_of.get(service, {})}
