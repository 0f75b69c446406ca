"""What the doctor asks of the monitoring, and a Grafana that refuses."""

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from loopback_server import Answer, LoopbackServer, Request, response
from prometheus_server import PrometheusServer

from pacemark.gateway.connection import DIRECT
from pacemark.results.record import Finding
from pacemark.telemetry import grafana as client
from pacemark.telemetry import loki
from pacemark.telemetry.checks import monitoring_findings
from pacemark.telemetry.dashboards import DASHBOARDS
from pacemark.telemetry.grafana import Grafana, GrafanaError
from pacemark.telemetry.prometheus import duration_s

TOKEN = "a-service-accounts"
START = 1_700_000_000.25


class FakeGrafana(LoopbackServer):
    """As documented: 401 without a token, 403 with one that may not write, 200 with what was made."""

    def __init__(self) -> None:
        super().__init__()
        self.annotations: list[dict[str, Any]] = []
        self.may_write = True
        self.titles = [one.title for one in DASHBOARDS]
        self.database = "ok"
        self.delay_s = 0.0
        self.labels, self.has_lines = ["job"], True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await self.heard(reader)
            await asyncio.sleep(self.delay_s)
            authorized = request.headers.get("authorization") == f"Bearer {TOKEN}"
            path = urlsplit(request.target).path
            writer.write(response(*self._answer(request.method, path, request.body, authorized)))
            await writer.drain()

    def _answer(self, method: str, path: str, body: bytes, authorized: bool) -> Answer:
        if path == "/api/health":
            return self._json(200, {"database": self.database, "version": "12.3.0"})
        if not authorized:
            return self._json(401, {"message": "Unauthorized"})
        if (method, path) == ("POST", "/api/annotations"):
            if not self.may_write:
                return self._json(403, {"message": "Access denied: annotations:create"})
            self.annotations.append(json.loads(body))
            return self._json(200, {"message": "Annotation added", "id": len(self.annotations)})
        if path == "/api/search":
            return self._json(200, [{"title": title, "type": "dash-db"} for title in self.titles])
        if path == "/api/datasources":
            return self._json(200, [{"type": "loki", "uid": "l"}])
        if path == "/api/datasources/proxy/uid/l/loki/api/v1/labels":
            return self._json(200, {"status": "success", "data": self.labels})
        if path == "/api/datasources/proxy/uid/l/loki/api/v1/query_range":
            lines = [[str(time.time_ns() - 10**9), "it works"]] if self.has_lines else []
            data = {"resultType": "streams", "result": [{"stream": {"job": "gateway"}, "values": lines}]}
            return self._json(200, {"status": "success", "data": data})
        return self._json(404, {"message": "Not found"})

    @staticmethod
    def _json(status: int, value: Any) -> Answer:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


class SlowPrometheus(LoopbackServer):
    """Scrapes all of it every 60 s, as a Prometheus does by default: rates over less than two are empty."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await self.heard(reader)
            writer.write(response(200, {"Content-Type": "application/json"}, self._answer(request)))
            await writer.drain()

    def _answer(self, request: Request) -> bytes:
        if request.target.startswith("/api/v1/targets"):
            labels = {"job": "mcpgateway", "instance": "gateway:4444"}
            target = {"labels": labels, "health": "up", "scrapeInterval": "1m0s", "lastError": ""}
            return self._success({"activeTargets": [target]})
        (promql,) = parse_qs(request.body.decode())["query"]
        ranges = map(duration_s, re.findall(r"rate\([^[]*\[(\w+)\]", promql))
        is_there = "$" not in promql and all(seconds >= 120 for seconds in ranges)
        lines = [{"metric": {"job": "mcpgateway"}, "value": [time.time(), "1"]}] if is_there else []
        return self._success({"resultType": "vector", "result": lines})

    @staticmethod
    def _success(data: Any) -> bytes:
        return json.dumps({"status": "success", "data": data}).encode()


@pytest.fixture
def server() -> Iterator[FakeGrafana]:
    with FakeGrafana() as running:
        yield running


@pytest.mark.parametrize(
    ("token", "may_write", "said"),
    [("", True, "HTTP 401: Unauthorized"), (TOKEN, False, "HTTP 403: Access denied")],
)
def test_a_grafana_that_refuses_says_why(server: FakeGrafana, token: str, may_write: bool, said: str) -> None:
    server.may_write = may_write
    with Grafana(server.url, token) as grafana, pytest.raises(GrafanaError, match=said) as refused:
        grafana.annotate("x", [], START)
    assert "GRAFANA_TOKEN" in refused.value.hint


def test_one_that_is_slow_is_not_waited_for(server: FakeGrafana, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_TIMEOUT_S", 0.3)
    server.delay_s = 1.0
    began = time.monotonic()
    with Grafana(server.url, TOKEN) as grafana, pytest.raises(GrafanaError, match=r"no answer within 0\.3 s"):
        grafana.annotate("x", [], START)
    assert time.monotonic() - began < 1


def findings(**environ: str) -> list[tuple[str, str, str]]:
    found: list[Finding] = list(monitoring_findings(environ, DIRECT, '{job="gateway"}'))
    return [(one.name, one.level, one.detail) for one in found]


def test_what_is_not_set_is_not_asked() -> None:
    assert findings() == []


def test_grafana_with_its_dashboards_and_its_loki(server: FakeGrafana) -> None:
    assert findings(GRAFANA_URL=server.url, GRAFANA_TOKEN=TOKEN) == [
        ("grafana", "ok", f"{server.url} is well, version 12.3.0"),
        ("dashboards", "ok", "all 7 are there"),
        ("loki", "ok", "it receives logs, with the labels job"),
    ]
    server.titles.remove("Redis Metrics")
    assert ("dashboards", "warning", "Grafana lacks Redis Metrics") in findings(
        GRAFANA_URL=server.url, GRAFANA_TOKEN=TOKEN
    )
    server.database = "failing"
    (grafana, _) = findings(GRAFANA_URL=server.url, GRAFANA_TOKEN=TOKEN)
    assert grafana[1:] == ("warning", f"{server.url} says that its database is 'failing'")


def test_a_loki_without_the_gateway_s_lines(server: FakeGrafana) -> None:
    server.has_lines = False
    *_, loki_said = findings(GRAFANA_URL=server.url, GRAFANA_TOKEN=TOKEN)
    text = 'of {job="gateway"} it has nothing of the last 5 min; its labels are job'
    assert loki_said == ("loki", "warning", text)
    server.labels = []
    *_, loki_said = findings(GRAFANA_URL=server.url, GRAFANA_TOKEN=TOKEN)
    assert loki_said == ("loki", "warning", "it has received no logs in the last 5 min")


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki, "_WAIT_S", 0.0)
    found = findings(
        PROMETHEUS_URL="http://127.0.0.1:9", GRAFANA_URL="http://127.0.0.1:9", LOKI_URL="http://127.0.0.1:9"
    )
    assert [(name, level) for name, level, _ in found] == [
        ("prometheus", "warning"),
        ("grafana", "warning"),
        ("loki", "warning"),
    ]


def test_rates_are_asked_over_four_of_that_prometheus_s_own_scrapes() -> None:
    with SlowPrometheus() as prometheus:
        found = findings(PROMETHEUS_URL=prometheus.url)
    assert found == [("prometheus", "ok", f"{prometheus.url} scrapes 1 targets: mcpgateway (1)")]


@pytest.mark.prometheus
def test_prometheus_with_its_targets_and_what_is_missing(tmp_path: Path) -> None:
    with PrometheusServer(tmp_path) as prometheus:
        prometheus.set("redis_up", 1)
        deadline = time.monotonic() + 10
        while not (found := findings(PROMETHEUS_URL=prometheus.url)) or "redis_up" in str(found):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        prometheus.set("redis_up", 0)
        while "Redis does not answer" not in str(findings(PROMETHEUS_URL=prometheus.url)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        prometheus.stop_exporter()
        while "is down" not in str(down := findings(PROMETHEUS_URL=prometheus.url)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        prometheus.start_exporter()
    assert found[0] == (
        "prometheus",
        "ok",
        f"{prometheus.url} scrapes 3 targets: exporter (1), of_others (1), prometheus (1)",
    )
    assert any("nothing of the pool: pool_up, pool_clients" in detail for _, _, detail in found)
    assert any(name == "target" and "exporter 127.0.0.1:" in detail for name, _, detail in down)
