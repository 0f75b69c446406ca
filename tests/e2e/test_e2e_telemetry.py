"""A run beside a real Prometheus: what saturated is named, and an objective on it decides."""

import time
from pathlib import Path

import polars as pl
import pytest
from e2e_command import Pacemark
from fake_gateway import FakeGateway
from fake_mcp_server import FakeMcpServer
from prometheus_server import PrometheusServer

pytestmark = [pytest.mark.jmeter, pytest.mark.prometheus]
POOL = {"database": "mcp"}
LIMIT = "promql pool_waiting < 10"


def test_what_waits_decides_and_is_named(tmp_path: Path, fake_gateway: FakeGateway) -> None:
    with PrometheusServer(tmp_path) as server, FakeMcpServer() as tool_server:
        server.set("pgbouncer_pools_client_waiting_connections", 0, **POOL)
        pacemark = Pacemark(
            tmp_path,
            MCPGATEWAY_BEARER_TOKEN="a-token-of-no-meaning",
            PROMETHEUS_URL=server.url,
            FAST_TIME_SERVER_URL=tool_server.url,
        )
        load = ("--duration", "14s", "--ramp-up", "1s", "--rate", "40", "--threads", "4", "--no-dashboard")
        run = ("run", "rest_api_baseline", "--gateway", fake_gateway.url, *load, "--objective", LIMIT)
        with pacemark.started(*run) as running:
            running.wait_for_load()
            time.sleep(2)
            server.set("pgbouncer_pools_client_waiting_connections", 16, **POOL)
            ended = running.ended()
    assert ended.status == 1
    assert any(line.startswith("pacemark: promql 16, limit < 10 (pool_waiting)") for line in ended.errors)
    (first,) = [one["text"] for one in ended.record["reasons"] if "first to saturate" in one["text"]]
    assert "was the pool: clients wait for a connection of PgBouncer's pool" in first
    kept = pl.read_parquet(ended.directory / "telemetry.parquet")
    waiting = kept.filter(pl.col("name") == "pool_waiting").sort("at_s")["value"].to_list()
    assert waiting == sorted(waiting)
    assert {0, 16} == set(waiting)
    direct = kept.filter(pl.col("name") == "direct_call", pl.col("at_s") >= 0)
    assert 13 <= direct.height <= 16
    assert direct["series"].unique().to_list() == ["fast_time"]
    page = (ended.directory / "index.html").read_text(encoding="utf-8")
    for title in ("First to saturate", "System", "MCP servers, asked directly"):
        assert f">{title}</h2>" in page
    assert page.index(">System</h2>") > page.index('id="latency"')
