"""A run with all there is beside it: a real Prometheus, Grafana, Loki, live figures, an APM.

What saturated is named, and an objective on it decides.
"""

import re
import time
import urllib.request
from pathlib import Path

import polars as pl
import pytest
from e2e_command import Pacemark, rows
from fake_gateway import FakeGateway
from fake_mcp_server import FakeMcpServer
from grafana_server import TOKEN, GrafanaServer
from loki_server import FakeLoki
from prometheus_server import PrometheusServer

from pacemark.gateway.spec import free_ports

pytestmark = [pytest.mark.jmeter, pytest.mark.prometheus]
POOL = {"database": "mcp"}
LIMIT = "promql pool_waiting < 10"


def test_what_waits_decides_and_all_that_watches_is_told(tmp_path: Path, fake_gateway: FakeGateway) -> None:
    (tmp_path / "pacemark.toml").write_text('trace_url = "http://traces/{trace_id}"\n', encoding="utf-8")
    with (
        PrometheusServer(tmp_path) as server,
        FakeMcpServer() as tool_server,
        GrafanaServer() as grafana,
        FakeLoki([]) as loki,
    ):
        server.set("pgbouncer_pools_client_waiting_connections", 0, **POOL)
        pacemark = Pacemark(
            tmp_path,
            MCPGATEWAY_BEARER_TOKEN="a-token-of-no-meaning",
            PROMETHEUS_URL=server.url,
            FAST_TIME_SERVER_URL=tool_server.url,
            GRAFANA_URL=grafana.url,
            GRAFANA_TOKEN=TOKEN,
            LOKI_URL=loki.url,
        )
        (port,) = free_ports(1)
        load = ("--duration", "14s", "--ramp-up", "1s", "--rate", "40", "--threads", "4", "--no-dashboard")
        beside = ("--live-port", str(port), "--apm", "newrelic", "--objective", LIMIT)
        run = ("run", "rest_api_baseline", "--gateway", fake_gateway.url, *load, *beside)
        with pacemark.started(*run) as running:
            running.wait_for_load()
            loki.logged = [(time.time_ns() + n, "gateway", f"line {n}") for n in range(7)]
            time.sleep(2)
            server.set("pgbouncer_pools_client_waiting_connections", 16, **POOL)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                live = answer.read().decode()
            ended = running.ended()
    assert ended.has_failed
    assert any(line.startswith("pacemark: promql 16, limit < 10 (pool_waiting)") for line in ended.errors)
    (first,) = [one["text"] for one in ended.record["reasons"] if "first to saturate" in one["text"]]
    assert "was the pool: clients wait for a connection of PgBouncer's pool" in first
    kept = pl.read_parquet(ended.directory / "telemetry.parquet")
    waiting = kept.filter(pl.col("name") == "pool_waiting").sort("at_s")["value"].to_list()
    assert waiting == sorted(waiting)
    assert {0, 16} == set(waiting)
    # One a second, to the end of JMeter, which a busy machine delays.
    direct = kept.filter(pl.col("name") == "direct_call", pl.col("at_s").is_between(0, 14))
    assert 13 <= direct.height <= 15
    assert direct["series"].unique().to_list() == ["fast_time"]
    page = (ended.directory / "index.html").read_text(encoding="utf-8")
    for title in ("First to saturate", "System", "MCP servers, asked directly"):
        assert f">{title}</h2>" in page
    assert page.index(">System</h2>") > page.index('id="latency"')
    # JMeter's figures while it ran, the tags on the wire, the annotations, Loki's lines, the links to traces.
    assert re.search(r'^jmeter_\S+\{[^}]*label="GET /tools"', live, re.MULTILINE)
    tags = {tag.partition("test.case.name=")[2].partition(",")[0] for tag in fake_gateway.baggage if tag}
    assert "GET%20/tools" in tags
    texts = [one["text"].partition(" (")[0] for one in grafana.annotations.values()]
    assert texts[:4] == [
        "rest_api_baseline starts",
        "ramp-up: 0 to 40 requests a second",
        "steady: 40 requests a second",
        "rest_api_baseline ends",
    ]
    record = ended.record
    assert texts[4].startswith(f"rest_api_baseline: {record['verdict']}. {record['reasons'][0]['text'][:9]}")
    assert len((ended.directory / "logs.jsonl").read_text(encoding="utf-8").splitlines()) == 7
    slow = {row["trace_id"] for row in rows(ended.directory / "samples.jtl")}
    linked = re.findall(r'href="http://traces/([0-9a-f]{32})"', page)
    assert len(linked) == 20
    assert set(linked) <= slow
    assert TOKEN not in (ended.directory / "run.json").read_text(encoding="utf-8")
