"""Loki's contract: a server that answers as its documentation says, and a real one where LOKI_URL is set."""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback_server import Answer, LoopbackServer, response

from pacemark.errors import InputError
from pacemark.telemetry import loki as client
from pacemark.telemetry.loki import Loki, LokiError

Logged = tuple[int, str, str]
"""Nanoseconds since 1970, service, text."""
JSON = {"Content-Type": "application/json"}
START_NS = 1_700_000_000_000_000_000


class FakeLoki(LoopbackServer):
    """``query_range`` as documented: [start, end), the oldest first, at most ``limit`` over all streams.

    More than ``most`` is refused with a text. ``interrupt`` may answer instead, by the number of the request.
    """

    def __init__(self, logged: list[Logged], most: int = 5000) -> None:
        super().__init__()
        self.logged, self.most = sorted(logged), most
        self.interrupt: Callable[[int], Answer | None] = lambda _: None
        self.delay_s = 0.0
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
            return (
                200,
                JSON,
                json.dumps([{"type": "prometheus", "uid": "p"}, {"type": "loki", "uid": "l"}]).encode(),
            )
        path = path.removeprefix("/api/datasources/proxy/uid/l")
        if path == "/loki/api/v1/labels":
            return 200, JSON, b'{"status":"success","data":["job","service_name"]}'
        if path != "/loki/api/v1/query_range":
            return 404, {}, b"404 page not found"
        limit, start, end = (int(asked[name]) for name in ("limit", "start", "end"))
        if limit > self.most:
            text = f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {self.most})"
            return 400, {"Content-Type": "text/plain"}, text.encode()
        assert asked["direction"] == "forward"
        page = [one for one in self.logged if start <= one[0] < end][:limit]
        streams: dict[str, list[list[str]]] = {}
        for at_ns, service, text in page:
            streams.setdefault(service, []).append([str(at_ns), text])
        result = [
            {"stream": {"service_name": service, "job": "gateway"}, "values": values}
            for service, values in streams.items()
        ]
        random.shuffle(result)  # streams come in no order
        data = {"resultType": "streams", "result": result, "stats": {}}
        return 200, JSON, json.dumps({"status": "success", "data": data}).encode()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_WAIT_S", 0.0)


@pytest.fixture
def server() -> Iterator[FakeLoki]:
    with FakeLoki([(START_NS + n, "gateway", f"line {n}") for n in range(7)]) as one:
        yield one


def asked(server: FakeLoki, page: int = 5000, seconds: float = 60) -> list[tuple[float, str, str]]:
    with pytest.MonkeyPatch.context() as patch, Loki(server.url, "a-token") as loki:
        patch.setattr(client, "PAGE", page)
        found = list(loki.lines('{job="gateway"}', START_NS / 1e9, START_NS / 1e9 + seconds))
    return [(line.at, line.service, line.message) for line in found]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.sampled_from(["x", "y"])), max_size=60),
    st.integers(1, 20),
)
def test_each_line_comes_once_and_in_order_whatever_the_page(lines: list[Logged], page: int) -> None:
    """Times are few, so that many are equal, and so are many lines."""
    logged = [(START_NS + at_ns, service, text) for at_ns, service, text in lines]
    with FakeLoki(logged) as server:
        found = asked(server, page)
    assert Counter((service, text) for _, service, text in found) == Counter(one[1:] for one in logged)
    assert [at for at, _, _ in found] == sorted(at for at, _, _ in found)
    assert len(found) == len(logged)


def test_what_is_asked(server: FakeLoki) -> None:
    assert [message for _, _, message in asked(server)] == [f"line {n}" for n in range(7)]
    (query,) = server.queries
    assert query == {
        "query": '{job="gateway"}',
        "start": str(START_NS),
        "end": str(START_NS + 60_000_000_000),
        "limit": "5000",
        "direction": "forward",
    }
    assert server.authorizations == {"Bearer a-token"}


def test_by_grafanas_proxy(server: FakeLoki) -> None:
    with Loki.by_grafana(server.url, "a-token") as loki:
        assert loki.labels() == ["job", "service_name"]
        assert len(list(loki.lines("{}", START_NS / 1e9, START_NS / 1e9 + 1))) == 7


def test_more_lines_of_one_instant_than_loki_gives_are_an_error_not_a_loss() -> None:
    with FakeLoki([(START_NS, "gateway", f"line {n}") for n in range(50)], most=10) as server:
        with pytest.raises(LokiError, match=r"HTTP 400: max entries limit .* \(20 > 10\)"):
            asked(server, page=10)
        server.most = 100
        assert len(asked(server, page=10)) == 50


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(server: FakeLoki, status: int) -> None:
    server.interrupt = lambda n: (status, {}, b"too many outstanding requests") if n < 3 else None
    assert len(asked(server)) == 7
    assert len(server.queries) == 3


def test_what_does_not_pass_is_an_error_with_lokis_own_words(server: FakeLoki) -> None:
    server.interrupt = lambda _: (503, {}, b"ingester not ready")
    with pytest.raises(LokiError, match="HTTP 503: ingester not ready"):
        asked(server)
    assert len(server.queries) == 4
    server.interrupt = lambda _: (400, {}, b"parse error at line 1, col 2: syntax error")
    with pytest.raises(LokiError, match="HTTP 400: parse error at line 1"):
        asked(server)
    assert len(server.queries) == 5
    server.interrupt = lambda _: (
        200,
        JSON,
        b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
    )
    with pytest.raises(LokiError, match="no log lines"):
        asked(server)


def test_a_slow_answer_is_waited_for_and_one_that_never_comes_is_not(
    server: FakeLoki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_TIMEOUT_S", 0.5)
    server.delay_s = 0.2
    assert len(asked(server)) == 7
    server.delay_s = 1.0
    began = time.monotonic()
    with pytest.raises(LokiError, match=r"no answer within 0.5 s"):
        asked(server)
    assert time.monotonic() - began < 4


def test_nobody_there_and_no_url() -> None:
    with Loki("http://127.0.0.1:9") as loki, pytest.raises(LokiError, match=r"127\.0\.0\.1:9"):
        loki.labels()
    with pytest.raises(InputError, match="LOKI_URL is no URL"):
        Loki("somewhere")


@pytest.mark.skipif("LOKI_URL" not in os.environ, reason="LOKI_URL names no Loki")
def test_a_real_loki_has_labels_and_answers_a_range() -> None:
    with Loki(os.environ["LOKI_URL"], os.environ.get("LOKI_TOKEN", "")) as loki:
        labels = loki.labels()
        assert labels
        end = time.time()
        lines = list(loki.lines(f'{{{labels[0]}=~".+"}}', end - 60, end))
    assert [line.at for line in lines] == sorted(line.at for line in lines)
