"""MCP servers asked directly beside a load, against one that keeps its own books."""

import time
from itertools import pairwise

import pytest
from fake_mcp_server import FakeMcpServer, Message
from waiting import until

from pacemark.gateway.connection import DIRECT
from pacemark.results.record import Window
from pacemark.telemetry import direct
from pacemark.telemetry.direct import DirectCall, DirectCalls

WINDOW = Window(from_s=0, to_s=60)


def test_one_call_a_second_in_one_session() -> None:
    with FakeMcpServer() as server:
        asked = DirectCalls({"fast_time": server.url, "elsewhere": "http://127.0.0.1:9"}, DIRECT)
        asked.start()
        assert until(lambda: server.calls.total() == 3)
        calls = asked.stop()
        assert set(server.calls) == {"get_system_time"}
        assert (len(server.opened), server.complaints) == (1, [])
    assert len(calls) == server.calls.total()
    assert {round(b.at - a.at, 6) for a, b in pairwise(calls)} == {1}
    assert all(call.ms is not None and not call.problem for call in calls)


def test_a_stall_counts_from_when_each_call_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """At ten a second a stall of 0.6 s holds up six calls, not one."""
    monkeypatch.setattr(direct, "EVERY_S", 0.1)
    with FakeMcpServer() as server:

        def first_stalls(_call: object, true: Message) -> Message:
            server.delay_s = 0 if server.calls.total() > 1 else 0.6
            return true

        server.answer = first_stalls
        calls = DirectCalls({"fast_test": server.url}, DIRECT)
        calls.start()
        assert until(lambda: server.calls.total() >= 8)
        found = calls.stop()
    until_s = found[0].at + (found[0].ms or 0) / 1000
    held_up = [call for call in found if call.at < until_s]
    assert len(held_up) >= 6
    assert until_s - found[0].at >= 0.59
    assert all((call.ms or 0) > 1000 * (until_s - call.at) - 1 for call in held_up)


def test_what_fails_is_counted_and_asked_again_in_a_new_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "EVERY_S", 0.1)
    with FakeMcpServer() as server:
        calls = DirectCalls({"fast_time": server.url}, DIRECT)
        start = time.time()
        calls.start()
        assert until(lambda: server.calls.total() >= 2)
        server.forget()
        assert until(lambda: len(server.opened) == 2 and server.by_session["session-1"] >= 2)
        found = calls.stop()
        assert len(server.opened) == 2
    (failed,) = [call for call in found if call.ms is None]
    assert "HTTP 404" in failed.problem
    section = direct.section(found, start, WINDOW, 60)
    assert section is not None
    assert section.summary.startswith(f"1 of {len(found)} direct calls failed, the first of fast_time at ")
    assert section.rows[0][:4] == ["fast_time", "get_system_time", len(found), 1]


def test_no_percentile_of_too_few_calls() -> None:
    calls = [DirectCall(float(n), "fast_time", float(n)) for n in range(50)]
    section = direct.section(calls, 0, WINDOW, 60)
    assert section is not None
    assert section.rows == [["fast_time", "get_system_time", 50, 0, 24.0, None, 49.0]]
    assert direct.section([], 0, WINDOW, 60) is None
