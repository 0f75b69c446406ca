"""What the pool's gauges told of a load."""

import polars as pl

from pacemark.results.measurements.model import PoolSeen
from pacemark.telemetry.observation import Observed
from pacemark.telemetry.recorder import SCHEMA, Telemetry

STEP_S = 5.0


def seen(until_s: float = 40, **figures: list[float | None]) -> PoolSeen | None:
    """By figure a value every 5 s from 10 s before the load on; None where there was none."""
    rows = [
        ((n - 2) * STEP_S, name, "", value)
        for name, values in figures.items()
        for n, value in enumerate(values)
        if value is not None
    ]
    telemetry = Telemetry(STEP_S, pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    return Observed(0, telemetry, []).pool(until_s)


def test_nobody_waited_and_how_much_was_at_work() -> None:
    found = seen(pool_waiting=[9.0, 0.0] + [0.0] * 9, pool_use=[90.0, 90.0] + [20.0, 35.0] * 4)
    assert found == PoolSeen(waiting=0, use=35, waits_s=None, is_whole=True)


def test_one_scrape_of_waiting_is_no_exhaustion() -> None:
    assert seen(pool_waiting=[0.0] * 5 + [3.0] + [0.0] * 5) == PoolSeen(3, None, None, is_whole=True)


def test_from_when_to_when_clients_waited() -> None:
    found = seen(pool_waiting=[0.0] * 4 + [4.0, 16.0, 2.0] + [0.0] * 4)
    assert found == PoolSeen(16, None, (10, 20), is_whole=True)
    to_the_end = seen(pool_waiting=[0.0] * 4 + [4.0] * 7)
    assert to_the_end == PoolSeen(4, None, (10, 40), is_whole=True)


def test_what_was_not_recorded_is_no_calm() -> None:
    gone = seen(pool_waiting=[0.0] * 5 + [None] * 6)
    assert gone == PoolSeen(0, None, None, is_whole=False)
    assert seen(pool_waiting=[0.0, 0.0]) is None  # before the load only
    assert Observed(0, None, []).pool(40) is None
