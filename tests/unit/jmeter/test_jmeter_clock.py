import time

import pytest

from pacemark.jmeter.run import ClockWatch


def test_a_clock_that_is_set_back_again_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    now, ahead_s = 1000.0, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "time", lambda: 1_780_000_000 + now + ahead_s)
    clock = ClockWatch()
    for ahead_s in (0.0, -30.0, 0.25):  # noqa: B007 - the clock reads it
        now += 1
        clock.look()
    assert clock.step_s == -30
