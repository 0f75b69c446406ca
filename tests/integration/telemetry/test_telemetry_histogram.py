"""The gateway's own histogram in a real Prometheus: without a request, and beside the client's P95."""

import time
from collections.abc import Iterator

import pytest
from prometheus_server import PrometheusServer
from waiting import until

from pacemark.results.record import Window
from pacemark.telemetry import recorder as recording
from pacemark.telemetry.objectives import own_figures
from pacemark.telemetry.observation import Observation, Observing
from pacemark.telemetry.prometheus import Prometheus
from pacemark.telemetry.recorder import NO_VALUES
from pacemark.telemetry.sections import not_known
from pacemark.workloads.objective import Objective

pytestmark = pytest.mark.prometheus
HISTOGRAM = "http_request_duration_highr_seconds"


@pytest.fixture
def server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrometheusServer]:
    """It has scraped an empty histogram often enough for rates."""
    monkeypatch.setattr(recording, "_POLL_S", 1.0)
    server = PrometheusServer(tmp_path_factory.mktemp("histogram"))
    server.observe(HISTOGRAM, 0, times=0)
    for name in ("pg_stat_database_blks_hit", "pg_stat_database_blks_read"):
        server.set(name, 0, datname="mcp")
    server.set("redis_up", 1)
    with server, Prometheus(server.url) as prometheus:
        assert until(lambda: bool(prometheus.now(f"rate({HISTOGRAM}_bucket[4s])")))
        yield server


def wait_until_scraped(server: PrometheusServer, count: int) -> None:
    with Prometheus(server.url) as prometheus:
        assert until(lambda: bool(prometheus.now(f"{HISTOGRAM}_count >= {count}")))


def test_a_ratio_of_nothing_is_missing_after_the_run_and_not_before_it(server: PrometheusServer) -> None:
    objective = Objective.parse("promql 0 * redis_up / (0 * redis_up) < 1")
    asked = [(str(objective.promql), objective.worst)]
    observation = Observation(Observing(run_s=3, prometheus_url=server.url, promql=asked))
    before = next(one.detail for one in observation.findings if "nothing of" in one.detail)
    observation.start()
    start = time.time()
    time.sleep(3)
    observed = observation.stop(start, Window(from_s=0, to_s=3))
    telemetry = observed.telemetry
    assert telemetry is not None
    for name in ("http_p95", "db_cache_hits"):
        assert name not in before
        assert telemetry.missing[name] == NO_VALUES
        assert name in not_known(telemetry)
    own = own_figures([objective], telemetry, Window(from_s=0, to_s=3))
    assert own[objective].why == f"Prometheus: {NO_VALUES}"
    _, system = observed.sections(Window(from_s=0, to_s=3), 3, 231)
    row = ["Blocks found in PostgreSQL's cache", NO_VALUES, "%", None, None, None, None, "< 90"]
    assert row in system.rows
    (said,) = [one.text for one in observed.reasons if "no values of" in one.text]
    assert said.startswith("Prometheus has no values of http_p50, http_p95, http_p99, db_cache_hits, 0 * ")
    assert not any("nothing of" in one.text and "http_p95" in one.text for one in observed.reasons)
    assert system.summary == "The gateway's own latency over the window is not known."


def test_the_client_s_p95_stands_beside_the_bucket_of_the_gateway_s_own(server: PrometheusServer) -> None:
    """Of a hundred requests in the window ten took 300 ms; the thousand of 3 s were before it."""
    server.observe(HISTOGRAM, 3, times=1000)
    wait_until_scraped(server, 1000)
    observation = Observation(Observing(run_s=6, prometheus_url=server.url))
    observation.start()
    start = time.time()
    time.sleep(2)
    server.observe(HISTOGRAM, 0.08, times=90)
    server.observe(HISTOGRAM, 0.3, times=10)
    wait_until_scraped(server, 1100)
    window = Window(from_s=0, to_s=time.time() - start)
    observed = observation.stop(start, window)
    assert observed.telemetry is not None
    bounds = [bound_ms for bound_ms, _ in observed.telemetry.buckets]
    assert bounds == sorted(bounds)
    assert {75, 100, 250, 500, float("inf")} <= set(bounds)
    assert [count for _, count in observed.telemetry.buckets][-1] == 100
    _, system = observed.sections(window, window.to_s, 310)
    assert system.summary.startswith(
        "P95 over the window: 310 ms for the client, between 250 and 500 ms for the gateway's own histogram."
    )
