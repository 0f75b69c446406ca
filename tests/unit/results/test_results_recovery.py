"""The rule of recovery, on digests made up second by second."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from pacemark.results.cells import CELL_SCHEMA
from pacemark.results.digest import Digest
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Measurement, PoolSeen, Subject
from pacemark.results.record import JudgedObjective, Window
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

SPIKE = workload("spike_test")
# Baseline 24 s, Spike 6 s, Sustain 24 s, Recovery 24 s, Verify 24 s: the step down is at 54 s of 102.
LOAD = SPIKE.load_at("full").model_copy(update={"duration_s": 102, "ramp_up_s": 4, "rate_per_s": 1000.0})
STEP_S, BASE_PER_S = 54, 100

Second = list[tuple[int, int, str]]
"""What was sampled in a second: so many, of so many milliseconds, with that outcome."""


def steady(t: int) -> Second:
    return [(BASE_PER_S, 20, "ok")]


def made_up(second: Callable[[int], Second], load: Load = LOAD, slice_s: int = 1) -> Digest:
    rows = [
        (t // slice_s, ms, ms, 1, "GET /tools", outcome, count)
        for t in range(load.duration_s)
        for count, ms, outcome in second(t)
        if count
    ]
    window = Window(from_s=0, to_s=load.duration_s)
    cells = pl.DataFrame(rows, schema=CELL_SCHEMA, orient="row")
    return Digest(cells, 0, load.duration_s * 1000, slice_s, window, seconds=load.duration_s)


def measured(second: Callable[[int], Second], load: Load = LOAD, **more: bool | PoolSeen) -> Measurement:
    digest = made_up(second, load)
    return measure(
        Subject(SPIKE, load, Window(from_s=load.ramp_up_s, to_s=load.duration_s), digest, **more)  # type: ignore[arg-type]
    )


def found(second: Callable[[int], Second], load: Load = LOAD) -> tuple[float | None, float | None]:
    own = measured(second, load).own
    return own["recovery", "s"].value, own["clearance", "s"].value


def after_step(seconds: float, then: Second) -> Callable[[int], Second]:
    """A second like any other, but for those less than so many after the step down."""
    return lambda t: then if STEP_S <= t < STEP_S + seconds else steady(t)


def judged(measurement: Measurement, text: str, load: Load = LOAD) -> JudgedObjective:
    window = Window(from_s=0, to_s=load.duration_s)
    return judge([Objective.parse(text)], made_up(steady), window=window, due=None, own=measurement.own)[0]


def test_a_gateway_that_is_back_at_once_took_no_time() -> None:
    assert found(steady) == (0, 0)
    spiked = found(lambda t: [(1000, 900, "HTTP 500")] if 30 <= t < STEP_S else steady(t))
    assert spiked == (0, 0)


@pytest.mark.parametrize("slow_s", [1, 3, 12, 30, 43])
def test_recovery_is_the_first_second_from_which_on_all_windows_are_back(slow_s: int) -> None:
    assert found(after_step(slow_s, [(BASE_PER_S, 400, "ok")])) == (slow_s, 0)


@pytest.mark.parametrize(("ms", "recovery"), [(29, 0), (30, 12)])
def test_p95_is_back_at_a_fifth_more_and_five_milliseconds(ms: int, recovery: int) -> None:
    """1.2 x 20 ms + 5 ms are 29 ms."""
    assert found(after_step(12, [(BASE_PER_S, ms, "ok")])) == (recovery, 0)


def test_the_limit_itself_is_back_whatever_the_floats_say() -> None:
    def second(t: int) -> Second:
        return [(BASE_PER_S, 15 if t < STEP_S else 23, "ok")]  # 1.2 x 15 + 5 = 23

    assert found(second)[0] == 0


@pytest.mark.parametrize(("slow", "recovery"), [(5, 0), (6, 8)])
def test_five_of_a_hundred_may_be_slow(slow: int, recovery: int) -> None:
    """Of each window's: from 8 s on a window has four seconds with six slow ones, 24 of 500."""
    assert found(after_step(12, [(BASE_PER_S - slow, 20, "ok"), (slow, 900, "ok")]))[0] == recovery


def test_errors_have_a_time_of_their_own() -> None:
    assert found(after_step(20, [(BASE_PER_S - 1, 20, "ok"), (1, 20, "HTTP 500")])) == (0, 20)


@pytest.mark.parametrize(("failed", "clearance"), [(9, 0), (10, 8)])
def test_errors_are_back_below_one_in_a_thousand(failed: int, clearance: int) -> None:
    """In windows of 5 s with 10,000 samples, of which those of a single second fail."""
    load = LOAD

    def second(t: int) -> Second:
        bad = failed if t == STEP_S + 7 else 0
        return [(2000 - bad, 20, "ok"), (bad, 20, "HTTP 500")]

    assert found(second, load)[1] == clearance


def test_a_relapse_counts_from_its_own_end() -> None:
    def second(t: int) -> Second:
        after = t - STEP_S
        return [(BASE_PER_S, 400, "ok")] if 0 <= after < 4 or 20 <= after < 23 else steady(t)

    assert found(second)[0] == 23


def test_what_never_comes_back_is_a_miss_and_bounded_by_what_was_seen() -> None:
    measurement = measured(after_step(100, [(BASE_PER_S, 400, "ok")]))
    miss = judged(measurement, "recovery < 30s")
    assert (miss.outcome, miss.value, miss.why) == ("missed", 48, "not back within 48 s")
    assert "P95 was not back within 48 s after the step down" in measurement.sections[0].summary


def test_what_was_not_seen_for_as_long_as_the_limit_is_not_judged() -> None:
    measurement = measured(after_step(100, [(BASE_PER_S, 20, "HTTP 500")]))
    open_end = judged(measurement, "clearance < 60s")
    assert open_end.outcome == "not judged"
    assert open_end.why == "it may be at least 48 s; not back within 48 s"


def test_a_relapse_in_the_last_second_is_none_too_few_to_see() -> None:
    assert found(lambda t: [(BASE_PER_S, 400, "ok")] if t == 101 else steady(t))[0] == 48


def test_windows_of_few_samples_are_widened() -> None:
    """Five a second: a window takes 20 s to have a hundred, of which five may be slow."""

    def second(t: int) -> Second:
        slow = STEP_S <= t < STEP_S + 12
        return [(50 if t < STEP_S else 5, 400 if slow else 20, "ok")]

    assert found(second) == (11, 0)  # from 11 s on five of a hundred are slow


def test_errors_of_few_samples_are_seen_to_the_last() -> None:
    def second(t: int) -> Second:
        return [(50 if t < STEP_S else 5, 20, "HTTP 500" if t == 101 else "ok")]

    assert found(second)[1] == 48


def test_a_server_that_falls_silent_at_the_end_is_not_back() -> None:
    """Its four threads wait for answers that never come: four samples, at the end of a good stretch."""

    def second(t: int) -> Second:
        return steady(t) if t < 95 else [(4 if t == 95 else 0, 30_000, "timeout")]

    assert found(second)[1] == 48


def test_too_few_samples_are_not_judged() -> None:
    def few(t: int) -> Second:
        return [(1 if t >= STEP_S else BASE_PER_S, 20, "ok")]

    measurement = measured(few)
    assert measurement.own["recovery", "s"].value is None
    assert "fewer than 100 samples" in judged(measurement, "clearance < 60s").why
    no_baseline = measured(lambda t: [(1 if t < 24 else BASE_PER_S, 20, "ok")])
    assert no_baseline.own["clearance", "s"].value == 0
    assert "before the spike" in judged(no_baseline, "recovery < 30s").why


def test_a_run_that_was_cut_short_is_not_judged() -> None:
    measurement = measured(steady, cut_short=True)
    assert {own.why for own in measurement.own.values()} == {"the load ended before its time"}


def test_the_warm_up_is_no_part_of_the_baseline() -> None:
    slow_start = measured(lambda t: [(BASE_PER_S, 500, "ok")] if t < 4 else steady(t))
    assert slow_start.sections[0].rows[0][:5] == ["Baseline", 100, 100, 20, 20]


def test_a_phase_that_ends_within_a_second_does_not_count_its_neighbours() -> None:
    """In 15 s the phases are of 3.53 s: the seconds in which they change are left out."""
    load = SPIKE.load_at("smoke")

    def second(t: int) -> Second:
        return [(1000, 50, "ok")] if 3 <= t < 8 else [(100, 20, "ok")]

    measurement = measured(second, load)
    rows = measurement.sections[0].rows
    assert [row[3] for row in rows] == [20, None, 50, 20, 20]
    assert measurement.own["recovery", "s"].value == 0


def test_slices_of_ten_seconds_are_windows_of_ten() -> None:
    load = LOAD.model_copy(update={"duration_s": 5100})  # the step down is at 2700 s
    digest = made_up(lambda t: [(100, 400 if 2700 <= t < 2712 else 20, "ok")], load, slice_s=10)
    subject = Subject(SPIKE, load, Window(from_s=4, to_s=5100), digest)
    assert measure(subject).own["recovery", "s"].value == 20


def test_a_pool_that_ran_out_fails_and_one_that_nobody_looked_at_never_passes() -> None:
    [silent] = measured(steady).reasons
    assert silent.level == "warning"
    assert "not measured" in silent.text
    [starved] = measured(after_step(2, [(7, 30_000, "timeout")])).reasons
    assert starved.level == "warning"
    assert "14 timeout" in starved.text
    [refused] = measured(lambda t: [(100, 5, "HTTP 503")] if t == 40 else steady(t)).reasons
    assert refused.level == "fail"
    assert "100 of 10200 requests" in refused.text.replace(",", "")


CALM = PoolSeen(waiting=2, use=40, waits_s=None, is_whole=True)


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        (CALM, "none, at most 2 clients waited"),
        (replace(CALM, waiting=None), "none, at most 40 % of the pool's connections were at work"),
    ],
)
def test_that_no_pool_ran_out_is_said_where_its_gauges_told_it(pool: PoolSeen, told: str) -> None:
    measurement = measured(steady, pool=pool)
    assert f"Connection pool exhaustion: {told}." in measurement.sections[0].summary
    assert measurement.reasons == []


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        (
            replace(CALM, waiting=16, waits_s=(31.2, 54.0)),
            "clients waited for a connection from 31 to 54 s (at most 16)",
        ),
        (replace(CALM, is_whole=False), "none as far as was recorded, at most 2 clients waited"),
        (replace(CALM, waiting=None, use=100), "whether clients waited is not measured"),
    ],
)
def test_a_pool_that_ran_out_or_is_not_known_whole_is_a_warning(pool: PoolSeen, told: str) -> None:
    [reason] = measured(steady, pool=pool).reasons
    assert reason.level == "warning"
    assert told in reason.text


def test_a_calm_pool_explains_no_time_outs() -> None:
    [starved] = measured(after_step(2, [(7, 30_000, "timeout")]), pool=CALM).reasons
    assert "at most 2 clients waited; but clients saw 14 timeout" in starved.text
    [refused] = measured(lambda t: [(100, 5, "HTTP 503")] if t == 40 else steady(t), pool=CALM).reasons
    assert refused.level == "fail"
    assert "PgBouncer's: none, at most 2 clients waited" in refused.text


def test_the_section_has_the_phases_and_the_windows() -> None:
    [section] = measured(after_step(12, [(BASE_PER_S, 400, "ok")])).sections
    assert "P95 was back 12 s after the step down" in section.summary
    assert [row[0] for row in section.rows] == ["Baseline", "Spike", "Sustain", "Recovery", "Verify"]
    [chart] = section.charts
    p95, limit = chart.series
    assert chart.at[:3] == [0, 5, 10]
    assert len(p95.values) == len(limit.values) == len(chart.at) == 21
    assert set(limit.values) == {29}
    spike, recovery = chart.marks
    assert (spike.text, recovery.text) == ("spike", "recovery, 12 s")
    assert (recovery.from_at, recovery.to_at) == (spike.to_at, spike.to_at + 12)
    assert max(value for value in p95.values if value is not None) == 400
