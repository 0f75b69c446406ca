"""MCP servers asked directly beside a load, against one that keeps its own books."""

import time

import pytest
from fake_mcp_server import FakeMcpServer

from pacemark.gateway.connection import DIRECT
from pacemark.results.record import Window
from pacemark.telemetry import direct
from pacemark.telemetry.direct import DirectCall, DirectCalls

WINDOW = Window(from_s=0, to_s=60)


def asked(server: FakeMcpServer, seconds: float) -> tuple[list[DirectCall], float]:
    calls = DirectCalls({"fast_time": server.url, "elsewhere": "http://127.0.0.1:9"}, DIRECT)
    start = time.time()
    calls.start()
    time.sleep(seconds)
    return calls.stop(), start


def test_one_call_a_second_in_one_session() -> None:
    with FakeMcpServer() as server:
        calls, start = asked(server, 2.5)
        assert server.calls == {"get_system_time": 3}
        assert (len(server.opened), server.complaints) == (1, [])
    assert [round(call.at - start) for call in calls] == [0, 1, 2]
    assert all(call.ms is not None and not call.problem for call in calls)


def test_a_stall_counts_from_when_each_call_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """At ten a second a stall of 0.6 s holds up six calls, not one."""
    monkeypatch.setattr(direct, "EVERY_S", 0.1)
    with FakeMcpServer() as server:
        server.delay_s = 0.6
        calls = DirectCalls({"fast_test": server.url}, DIRECT)
        calls.start()
        time.sleep(0.3)
        server.delay_s = 0.0
        time.sleep(0.9)
        found = calls.stop()
    late = [call for call in found if (call.ms or 0) > 50]
    assert 4 <= len(late) <= 8
    assert max(call.ms or 0 for call in found) >= 590


def test_what_fails_is_counted_and_asked_again_in_a_new_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "EVERY_S", 0.1)
    with FakeMcpServer() as server:
        calls = DirectCalls({"fast_time": server.url}, DIRECT)
        start = time.time()
        calls.start()
        time.sleep(0.35)
        server.forget()
        time.sleep(0.35)
        found = calls.stop()
        assert len(server.opened) == 2
    (failed,) = [call for call in found if call.ms is None]
    assert "HTTP 404" in failed.problem
    section = direct.section(found, start, WINDOW, 60)
    assert section is not None
    assert section.summary.startswith(f"1 of {len(found)} direct calls failed, the first of fast_time at 0 s")
    assert section.rows[0][:4] == ["fast_time", "get_system_time", len(found), 1]


def test_no_percentile_of_too_few_calls() -> None:
    calls = [DirectCall(float(n), "fast_time", float(n)) for n in range(50)]
    section = direct.section(calls, 0, WINDOW, 60)
    assert section is not None
    assert section.rows == [["fast_time", "get_system_time", 50, 0, 24.0, None, 49.0]]
    assert direct.section([], 0, WINDOW, 60) is None
