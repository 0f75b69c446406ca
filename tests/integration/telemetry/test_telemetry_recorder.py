"""Telemetry from a real Prometheus: what was there, what was not, and what went past its limit."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_server import PrometheusServer
from waiting import until

from pacemark.errors import InputError
from pacemark.results.record import Window
from pacemark.telemetry import prometheus as client
from pacemark.telemetry import recorder as recording
from pacemark.telemetry.objectives import own_figures
from pacemark.telemetry.observation import Observation, Observed, Observing
from pacemark.telemetry.prometheus import Line, Prometheus, PrometheusError, QueryError
from pacemark.telemetry.recorder import Recorder
from pacemark.telemetry.snapshot import SNAPSHOT_FILE, snapshot
from pacemark.workloads.objective import Objective

pytestmark = pytest.mark.prometheus
POOL = {"database": "mcp"}
MINE = "sum(prometheus_http_requests_total) >= bool 0"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """One for all, since it begins to scrape five seconds after its start."""
    server = PrometheusServer(tmp_path_factory.mktemp("prometheus"))
    server.set("redis_up", 1)
    server.set("pgbouncer_pools_client_waiting_connections", 0, **POOL)
    for n in range(900):
        server.set("pool", n, number=str(n))
    server.set("statement", 1, query="alter role mcp password 's3cret'")
    with server:
        yield server


@pytest.fixture
def server(running: PrometheusServer, monkeypatch: pytest.MonkeyPatch) -> PrometheusServer:
    monkeypatch.setattr(recording, "_POLL_S", 1.0)
    return running


def observing(server: PrometheusServer, seconds: float, *objectives: Objective) -> Observation:
    promql = [(one.promql, one.worst) for one in objectives if one.promql]
    return Observation(Observing(run_s=seconds, prometheus_url=server.url, promql=promql))


def stopped(observation: Observation, start: float, seconds: float) -> Observed:
    return observation.stop(start, Window(from_s=0, to_s=seconds))


def test_what_waits_for_the_pool_is_named_with_its_moment(server: PrometheusServer) -> None:
    objective = Objective.parse(f"promql {MINE} >= 1")
    observation = observing(server, 12, objective)
    names = {finding.level: finding.detail for finding in observation.findings}
    assert f"{server.url} has 3 of" in names["ok"]  # redis_up, pool_waiting and our own
    assert "nothing of http_requests, http_errors" in names["warning"]
    observation.start()
    start = time.time()
    time.sleep(3)
    server.set("pgbouncer_pools_client_waiting_connections", 16, **POOL)
    time.sleep(8)
    observed = stopped(observation, start, 11)
    assert observed.telemetry is not None
    (found,) = observed.saturated(11)
    assert (found.query.name, found.worst) == ("pool_waiting", 16)
    assert found.at_s == pytest.approx(3.5, abs=1.6)
    assert "first to saturate was the pool: clients wait for a connection" in (
        observed.first_to_saturate(11)[0].text
    )
    assert observed.telemetry.step_s == 1  # whatever others in that Prometheus take
    assert set(observed.telemetry.lines("redis_up")) == {server.exporter}
    own = own_figures([objective], observed.telemetry, Window(from_s=0, to_s=11))
    assert own[objective].value == 1
    saturated, system = observed.sections(Window(from_s=0, to_s=11), 11, 231)
    assert saturated.rows[0][:4] == ["pool", "Clients that wait for PgBouncer's pool", None, 16]
    assert "Prometheus has nothing of http_requests" in observed.reasons[0].text
    assert ["HTTP requests", "no such series", "1/s", *[None] * 5] in system.rows


def test_a_run_keeps_the_values_of_the_windows_end(server: PrometheusServer, tmp_path: Path) -> None:
    observation = Observation(Observing(run_s=10, prometheus_url=server.url))
    observation.start()
    start = time.time()
    observed = observation.stop(start, Window(from_s=0, to_s=0.2))
    observed.save(tmp_path)
    kept = json.loads((tmp_path / SNAPSHOT_FILE).read_text("utf-8"))
    rows = kept["data"]["result"]
    values = {row["metric"]["number"]: row["value"] for row in rows if row["metric"]["__name__"] == "pool"}
    assert len(values) == 900
    assert values["7"] == [pytest.approx(start + 0.2, abs=0.01), "7"]
    assert {row["metric"]["job"] for row in rows} == {"exporter", "prometheus", "of_others"}
    assert Counter(row["metric"]["__name__"] for row in rows)["up"] == 3
    assert not [row for row in rows if row["metric"]["__name__"].startswith(("go_", "scrape_"))]
    (statement,) = [row["metric"]["query"] for row in rows if row["metric"]["__name__"] == "statement"]
    assert statement == "alter role mcp password '***'"
    assert not [reason for reason in observed.reasons if SNAPSHOT_FILE in reason.text]


def test_a_job_that_is_too_large_is_left_out_and_named(server: PrometheusServer) -> None:
    with Prometheus(server.url) as prometheus:
        whole, part = snapshot(prometheus, time.time()), snapshot(prometheus, time.time(), most=950)
    assert not whole.left_out
    assert list(part.left_out) == ["exporter"]
    assert part.left_out["exporter"] > 900
    assert {row["metric"]["job"] for row in part.rows} == {"prometheus", "of_others"}


def test_a_prometheus_that_is_gone_is_told(tmp_path: Path) -> None:
    with Prometheus("http://127.0.0.1:9") as prometheus:
        made = snapshot(prometheus, time.time())
    assert "127.0.0.1:9" in made.why_not
    assert not made.rows


def test_one_that_is_not_there_is_a_warning_and_a_reason() -> None:
    observation = Observation(Observing(run_s=10, prometheus_url="http://127.0.0.1:9"))
    (finding,) = observation.findings
    assert (finding.level, "127.0.0.1:9" in finding.detail) == ("warning", True)
    observation.start()
    observed = observation.stop(time.time(), Window(from_s=0, to_s=1))
    assert observed.telemetry is None
    assert [reason.text.startswith("no telemetry: ") for reason in observed.reasons] == [True]
    with pytest.raises(InputError):
        Observation(Observing(run_s=10, prometheus_url="localhost"))


def test_a_query_that_is_refused_says_so_and_stops_no_other(server: PrometheusServer) -> None:
    with Prometheus(server.url) as prometheus, pytest.raises(QueryError, match="parse error"):
        prometheus.now("sum(")
    recorder = Recorder(Prometheus(server.url), 10, [("sum(", "max")])
    recorder.check()
    assert "parse error" in recorder.missing["sum("]
    assert "redis_up" not in recorder.missing
    recorder.abandon()


def test_a_range_of_more_points_than_prometheus_gives(
    server: PrometheusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_POINTS", 7)
    with Prometheus(server.url) as prometheus:
        end = time.time()
        (line,) = prometheus.over("vector(1)", end - 30, end, 1)
    assert [round(point.at - end) for point in line.points] == list(range(-30, 1))


def test_what_scrapes_nothing_is_no_source(server: PrometheusServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prometheus, "targets", lambda _: [])
    with pytest.raises(PrometheusError, match="scrapes nothing"):
        Recorder(Prometheus(server.url), 10)


def test_a_prometheus_that_is_killed_costs_a_gap(server: PrometheusServer) -> None:
    observation = observing(server, 16)
    observation.start()
    start = time.time()
    time.sleep(4)
    server.kill()
    gone_s = time.time() - start
    time.sleep(5)
    server.start()
    back_s = time.time() - start
    time.sleep(4)
    observed = stopped(observation, start, 16)
    assert observed.telemetry is not None
    ((from_s, to_s),) = observed.telemetry.gaps
    assert from_s == pytest.approx(gone_s, abs=3.5)
    assert to_s == pytest.approx(back_s, abs=2.5)
    at = [at_s for at_s, _ in observed.telemetry.lines("redis_up")[server.exporter]]
    assert min(at) < from_s
    assert max(at) >= to_s
    assert not [at_s for at_s in at if from_s + 0.1 <= at_s < to_s - 0.1]  # both are rounded
    assert any("no telemetry from" in reason.text for reason in observed.reasons)


def test_in_a_long_run_what_waited_between_two_values_is_not_overlooked(server: PrometheusServer) -> None:
    """A run so long that it has a value every 8 s; clients wait for 3 s of them."""
    observation = observing(server, 16_000)
    observation.start()
    start = time.time()
    time.sleep(8 - time.time() % 8 + 2)
    server.set("pgbouncer_pools_client_waiting_connections", 23, **POOL)
    time.sleep(3)
    server.set("pgbouncer_pools_client_waiting_connections", 0, **POOL)
    time.sleep(4)
    observed = stopped(observation, start, 20)
    assert observed.telemetry is not None
    assert observed.telemetry.step_s == 8
    assert 23 in [value for _, value in observed.telemetry.lines("pool_waiting")[""]]


def test_in_a_long_run_an_objective_is_judged_by_the_worst_between_two_values(
    server: PrometheusServer,
) -> None:
    """A value every 8 s, in the midst of which clients are many for 2 s and few for 2 s."""
    clients = "max(redis_connected_clients)"
    server.set("redis_connected_clients", 10)
    assert until(lambda: bool(asked(server, clients)))
    limits = [
        *(f"promql {expression} < 20" for expression in (clients, "redis_clients", f"scalar({clients})")),
        *(f"promql {expression} > 5" for expression in (clients, "redis_clients")),
        *("promql redis_up < 2", "promql redis_up > 0", "promql none < 1"),
    ]
    objectives = [Objective.parse(limit) for limit in limits]
    observation = observing(server, 16_000, *objectives)
    observation.start()
    start = time.time()
    time.sleep(8 - time.time() % 8 + 2)
    for count in (23, 1, 10):
        server.set("redis_connected_clients", count)
        time.sleep(2)
    time.sleep(2)
    observed = stopped(observation, start, 20)
    assert observed.telemetry is not None
    assert observed.telemetry.step_s == 8
    own = own_figures(objectives, observed.telemetry, Window(from_s=0, to_s=20))
    assert [own[one].value for one in objectives] == [23, 23, 23, 1, 1, 1, 1, None]
    assert own[objectives[-1]].why == "Prometheus: no such series"


def asked(server: PrometheusServer, promql: str) -> list[Line]:
    with Prometheus(server.url) as prometheus:
        return prometheus.now(promql)


def test_a_target_that_is_down_is_named(server: PrometheusServer) -> None:
    server.stop_exporter()
    with Prometheus(server.url) as prometheus:
        assert until(lambda: any(target.is_missed for target in prometheus.targets()))
    (warning, *_) = [one for one in observing(server, 10).findings if one.level == "warning"]
    assert warning.detail.startswith("cannot scrape exporter 127.0.0.1:")


def test_a_prometheus_that_does_not_come_back_leaves_what_was_read(server: PrometheusServer) -> None:
    """The last test, as it says."""
    observation = observing(server, 10)
    observation.start()
    start = time.time()
    time.sleep(4)
    server.kill()
    time.sleep(2)
    observed = stopped(observation, start, 6)
    assert observed.telemetry is not None
    assert observed.telemetry.lines("redis_up")[server.exporter]
    (reason,) = [one for one in observed.reasons if "nothing of" not in one.text]
    assert reason.level == "warning"
    assert server.url in reason.text
