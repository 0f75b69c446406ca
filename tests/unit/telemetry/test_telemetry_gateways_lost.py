"""Gateways that are not Pacemark's own: Prometheus alone sees their processes, and that one was started anew
or is gone."""

import polars as pl

from pacemark.results.measurements.model import ProcessReading
from pacemark.telemetry.observation import Observed
from pacemark.telemetry.recorder import SCHEMA, Telemetry

START = 1_770_000_000.0
STEP_S = 5.0
ONE, OTHER = "gateway-1:4444", "gateway-2:4444"


def observed(**figures: dict[str, list[float | None]]) -> Observed:
    """By figure and instance a value every 5 s from 10 s before the load on; None where there was none."""
    rows = [
        ((n - 2) * STEP_S, name, instance, value)
        for name, lines in figures.items()
        for instance, values in lines.items()
        for n, value in enumerate(values)
        if value is not None
    ]
    return Observed(START, Telemetry(STEP_S, pl.DataFrame(rows, schema=SCHEMA, orient="row")), [])


def lost(one: Observed) -> list[str]:
    reasons = one.gateways_lost(60)
    assert all(reason.level == "invalid" for reason in reasons)
    return [reason.text for reason in reasons]


def test_one_that_was_started_anew_is_named_with_its_moment() -> None:
    early, again = START - 1000, START + 17
    seen = observed(gateway_start={ONE: [early] * 6 + [again] * 6, OTHER: [early + 0.4, early] * 6})
    assert lost(seen) == [f"the gateway at {ONE} was started anew 17 s into the run"]


def test_a_restart_before_the_load_is_not_of_it() -> None:
    assert lost(observed(gateway_start={ONE: [START - 1000] + [START - 4] * 11})) == []


def test_one_that_is_no_target_any_more_is_gone() -> None:
    """As where targets are the addresses of a name: a container that ends is not down there, but away."""
    seen = observed(gateway_up={ONE: [1.0] * 5 + [None] * 7, OTHER: [1.0] * 12})
    assert lost(seen) == [f"the gateway at {ONE} is gone since 10 s into the run"]


def test_one_that_does_not_answer_may_wait_for_its_database() -> None:
    assert lost(observed(gateway_up={ONE: [1.0] * 5 + [0.0] * 7, OTHER: [1.0] * 12})) == []


def test_that_prometheus_went_is_no_gateways_end() -> None:
    assert lost(observed(gateway_up={ONE: [1.0] * 5 + [None] * 7, OTHER: [1.0] * 5 + [None] * 7})) == []


def test_without_telemetry_nothing_is_known() -> None:
    assert Observed(START, None, []).gateways_lost(60) == []


def test_their_processes_are_those_that_prometheus_has_memory_and_processor_time_of() -> None:
    """From the load's first sample on; a scrape that lacks one of the two is no reading."""
    seen = observed(
        gateway_memory={ONE: [200.0, 201.0, 202.5, None, 203.0], OTHER: [300.0] * 5},
        gateway_cpu_time={ONE: [1.0, 2.0, 3.0, 4.0, None]},
    )
    (reading,) = seen.readings
    assert reading == ProcessReading(0.0, f"gateway {ONE}", 202_500_000, None, 3.0)
    assert reading.is_gateways
    assert Observed(START, None, []).readings == []
