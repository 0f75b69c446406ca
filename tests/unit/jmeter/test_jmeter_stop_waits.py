"""Ctrl-C and SIGTERM take effect whenever they come, but never in the middle of a look."""

import os
import signal

import pytest

from pacemark.jmeter.run import stop_waits


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_look_is_finished_first(number: signal.Signals) -> None:
    before, done = signal.getsignal(number), []

    def look() -> None:
        with stop_waits():
            os.kill(os.getpid(), number)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        look()
    assert done == ["all of it"]
    assert signal.getsignal(number) == before


def test_without_one_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_waits():
        pass
    assert signal.getsignal(signal.SIGINT) == before
