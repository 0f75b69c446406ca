"""Annotations, told to a server that answers as Grafana's documentation says."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_server import PASSWORD, TOKEN, VIEWER, GrafanaServer

from pacemark.errors import InputError
from pacemark.telemetry import annotations, grafana
from pacemark.telemetry.annotations import Annotations
from pacemark.telemetry.grafana import Grafana
from pacemark.workloads.load import Load

LOAD = Load(threads=10, ramp_up_s=2, duration_s=10, rate_per_s=50)


@pytest.fixture
def server() -> Iterator[GrafanaServer]:
    with GrafanaServer() as one:
        yield one


def told(server: GrafanaServer, token: str = TOKEN) -> Annotations:
    return Annotations(Grafana(server.url, token), "load_test", "20261126T160000Z", LOAD)


def kinds(server: GrafanaServer) -> dict[str, dict[str, Any]]:
    return {f"{one['tags'][3]} {one['text'].split(':')[0]}": one for one in server.annotations.values()}


def whole_run(server: GrafanaServer, run: Annotations, start: float, end_s: float = 10.0) -> None:
    run.look(0.0, 0)
    run.look(0.5, 25)
    run.look(3.0, 100)
    run.end(start, end_s)
    run.verdict("fail", "p95 231 ms, limit < 200 ms", 2, 10)


@pytest.mark.parametrize("token", [TOKEN, PASSWORD])
def test_a_run_is_told_from_its_start_to_its_verdict(server: GrafanaServer, token: str) -> None:
    run = told(server, token)
    start = time.time() - 60  # known in the end alone: what was told before is put right
    whole_run(server, run, start)
    assert run.close() == []
    at = round(start * 1000)
    spans = [(one["time"] - at, one.get("timeEnd", at) - at) for one in server.annotations.values()]
    assert spans == [(0, 0), (0, 2000), (2000, 10_000), (10_000, 0), (2000, 10_000)]
    assert [one["text"] for one in server.annotations.values()] == [
        "load_test starts (20261126T160000Z)",
        "ramp-up: 0 to 50 requests a second",
        "steady: 50 requests a second",
        "load_test ends (20261126T160000Z)",
        "load_test: fail. p95 231 ms, limit &lt; 200 ms",
    ]
    tags = [one["tags"] for one in server.annotations.values()]
    assert all(one[:3] == ["pacemark", "load_test", "20261126T160000Z"] for one in tags)
    assert [one[3:] for one in tags] == [
        ["start"], ["stage"], ["stage"], ["end"], ["verdict", "verdict:fail"],
    ]  # fmt: skip


def test_they_are_there_while_the_load_still_runs(server: GrafanaServer) -> None:
    run = told(server)
    run.look(0.5, 25)
    deadline = time.monotonic() + 5
    while len(server.annotations) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(kinds(server)) == ["start load_test starts (20261126T160000Z)", "stage ramp-up"]
    assert run.close() == []


def test_stages_of_a_load_that_was_cut_short_end_with_it(server: GrafanaServer) -> None:
    run = told(server)
    start = time.time()
    whole_run(server, run, start, end_s=4.0)
    assert run.close() == []
    assert kinds(server)["stage steady"]["timeEnd"] == round(1000 * (start + 4.0))


def test_a_run_without_a_sample_has_a_verdict_alone(server: GrafanaServer) -> None:
    run = told(server)
    run.verdict("invalid", "not started: JMeter ended with status 1", 0, 10)
    assert run.close() == []
    (one,) = server.annotations.values()
    assert "timeEnd" not in one
    assert one["time"] == pytest.approx(1000 * time.time(), abs=5000)


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (VIEWER, "HTTP 403: You'll need additional permissions"),
        ("glsa_expired", "HTTP 401: Invalid API key"),
    ],
)
def test_without_the_right_to_it_nothing_more_is_tried(server: GrafanaServer, token: str, says: str) -> None:
    run = told(server, token)
    whole_run(server, run, time.time())
    (reason,) = run.close()
    assert (reason.level, says in reason.text) == ("warning", True)
    assert "Grafana did not take 5 of 5 annotations" in reason.text
    assert token not in reason.text + reason.remedy
    assert len(server.asked) == 1


def test_another_server_at_that_url_is_told(server: GrafanaServer) -> None:
    server.base = "/grafana"
    run = told(server)
    whole_run(server, run, time.time())
    (reason,) = run.close()
    assert "HTTP 404" in reason.text
    assert "GRAFANA_URL" in reason.remedy
    server.failing = (302, {"Location": "/login"}, b"")
    run = told(server)
    whole_run(server, run, time.time())
    (reason,) = run.close()
    assert "HTTP 302" in reason.text


def test_one_that_fails_is_not_all_of_them(server: GrafanaServer) -> None:
    run = told(server)
    server.failing = (500, {"Content-Type": "application/json"}, b'{"message":"database is locked"}')
    run.look(0.5, 25)
    deadline = time.monotonic() + 5
    while len(server.asked) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    server.failing = None
    run.end(time.time(), 10)
    run.verdict("pass", "all objectives met", 2, 10)
    (reason,) = run.close()
    assert "HTTP 500: database is locked" in reason.text
    assert list(kinds(server)) == [
        "stage steady", "end load_test ends (20261126T160000Z)", "verdict load_test",
    ]  # fmt: skip


def test_a_slow_grafana_keeps_no_run(server: GrafanaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grafana, "_TIMEOUT_S", 0.2)
    server.delay_s = 1.0
    run = told(server)
    began = time.monotonic()
    whole_run(server, run, time.time())
    assert time.monotonic() - began < 0.1
    (reason,) = run.close()
    assert "no answer within 0.2 s" in reason.text
    assert len(server.asked) <= 3  # in a row, then no more
    assert time.monotonic() - began < 2


def test_patience_ends(server: GrafanaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotations, "PATIENCE_S", 0.2)
    server.delay_s = 0.15
    run = told(server)
    whole_run(server, run, time.time())
    (reason,) = run.close()
    assert "had not taken all annotations" in reason.text
    server.delay_s = 0.0


def test_without_a_grafana_nobody_is_told() -> None:
    run = Annotations(None, "load_test", "r", LOAD)
    run.look(0.5, 25)
    run.end(time.time(), 10)
    run.verdict("pass", "", 0, 10)
    assert run.close() == []


def test_nobody_there_and_no_url() -> None:
    run = Annotations(Grafana("http://127.0.0.1:9", TOKEN), "load_test", "r", LOAD)
    run.look(0.5, 25)
    (reason,) = run.close()
    assert "is it up" in reason.remedy
    with pytest.raises(InputError, match="GRAFANA_URL is no URL"):
        Grafana("somewhere")
