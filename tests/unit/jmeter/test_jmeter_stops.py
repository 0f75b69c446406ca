"""Ctrl-C and SIGTERM end a watch whenever they come, and nothing in its midst."""

import gc
import os
import signal

import pytest

from pacemark.jmeter.run import noted_stops

STOPS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", STOPS)
def test_they_are_noted_and_interrupt_nothing(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with noted_stops() as stops:
        assert stops == []
        os.kill(os.getpid(), number)
        assert stops == [number]
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", STOPS)
def test_one_that_comes_in_a_destructor_is_not_lost(number: signal.Signals) -> None:
    class Dying:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)

    with noted_stops() as stops:
        Dying()
        gc.collect()
    assert stops == [number]


def test_what_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with noted_stops() as stops:
            os.kill(os.getpid(), signal.SIGINT)
        assert (stops, signal.getsignal(signal.SIGINT)) == ([], signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGINT, before)


def test_afterwards_they_interrupt_again() -> None:
    with noted_stops():
        pass
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
