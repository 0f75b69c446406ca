"""Growth of memory, over simulated runs: noise that lasts, garbage collection, a process that settles."""

import math
import random
from collections.abc import Sequence

import pytest
from test_results_recovery import made_up

from pacemark.results.digest import Digest
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Measurement, ProcessReading, Subject
from pacemark.results.record import JudgedObjective, Window
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

SOAK = workload("soak_test")
HOUR = Load(threads=10, ramp_up_s=30, duration_s=3600, rate_per_s=1)
OBJECTIVE = Objective.parse("growth < 10%")


def quiet(load: Load = HOUR) -> Digest:
    slice_s = 60 if load.duration_s > 3600 else 1
    step = max(slice_s, load.duration_s // 100)
    return made_up(lambda t: [(1, 20 + t % 3, "ok")] if t % step == 0 else [], load, slice_s)


QUIET = quiet()


def readings(
    seed: int,
    *,
    leak: float = 0.0,
    saw: float = 0.0,
    settles: float = 0.0,
    step: float = 0.0,
    service: str = "gateway",
    load: Load = HOUR,
) -> list[ProcessReading]:
    """Some 960 looks at 250 MB with 1 % of noise that lasts (AR(1), 0.9); shares are of these 250 MB.

    ``saw`` is the height of a garbage collection's teeth, a minute wide in an hour; ``settles`` is gained
    while the process warms up, with a time constant of a twentieth of the run; ``step`` at half time.
    """
    chance = random.Random(seed)
    found, noise, phase = [], 0.0, chance.random()
    for n in range(960):
        share = n / 960
        noise = 0.9 * noise + chance.gauss(0, 0.01 * math.sqrt(1 - 0.81))
        level = 1 + noise + leak * share + saw * ((60 * share + phase) % 1)
        level += settles * (1 - math.exp(-20 * share)) + (step if share >= 0.5 else 0)
        found.append(ProcessReading(share * load.duration_s, service, int(250e6 * level), 12, n * 0.1))
    return found


def measured(
    processes: Sequence[ProcessReading], load: Load = HOUR, digest: Digest = QUIET, cut_short: bool = False
) -> Measurement:
    window = Window(from_s=load.ramp_up_s, to_s=load.duration_s)
    return measure(Subject(SOAK, load, window, digest, processes, cut_short))


def judged(measurement: Measurement, text: str = "growth < 10%") -> JudgedObjective:
    window = Window(from_s=0, to_s=3600)
    return judge([Objective.parse(text)], QUIET, window=window, due=None, own=measurement.own)[0]


SEEDS = range(20)
SHAPES = [{}, {"saw": 0.1}, {"settles": 0.2}, {"saw": 0.1, "settles": 0.2}]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_gateway_that_leaks_fifteen_percent_fails_twenty_times_of_twenty(shape: dict[str, float]) -> None:
    for seed in SEEDS:
        miss = judged(measured(readings(seed, leak=0.15, **shape)))
        assert miss.outcome == "missed", (seed, miss)
        assert miss.why.startswith("gateway +"), miss.why
        assert "MB (" in miss.why
        assert "an hour" in miss.why


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_gateway_that_does_not_leak_passes_twenty_times_of_twenty(shape: dict[str, float]) -> None:
    assert [judged(measured(readings(seed, **shape))).outcome for seed in SEEDS] == ["met"] * 20


def test_a_drift_below_the_limit_passes() -> None:
    assert [judged(measured(readings(seed, leak=0.05))).outcome for seed in SEEDS] == ["met"] * 20


def test_a_step_never_passes_when_it_is_beyond_the_limit() -> None:
    """A step is no slope: it is said not to be sure rather than to be a leak, and never that all is well."""
    for seed in SEEDS:
        assert judged(measured(readings(seed, step=0.15))).outcome in ("not judged", "missed")


def test_growth_that_shrinks_passes() -> None:
    assert judged(measured(readings(1, leak=-0.15))).outcome == "met"


def test_growth_is_over_the_whole_run_and_the_slope_an_hours() -> None:
    """12 MB an hour on 100 MB, without noise, for a day."""
    day = Load(threads=10, ramp_up_s=60, duration_s=86_400, rate_per_s=1)
    processes = [
        ProcessReading(at, "gateway", int(100e6 + at / 3600 * 12e6), 5, 0) for at in range(0, 86_400, 30)
    ]
    miss = judged(measured(processes, day, quiet(day)))
    assert miss.value == pytest.approx(288, abs=0.1)
    assert miss.why == "gateway +12 MB (+12 to +12 at 99 % confidence) an hour"


def test_the_limit_is_the_objectives() -> None:
    small = measured(readings(3, leak=0.05))
    assert judged(small, "growth < 3%").outcome == "missed"
    assert judged(small, "growth < 5%").outcome in ("not judged", "missed")
    assert judged(small, "growth < 20%").outcome == "met"


def test_the_gateway_that_grows_most_is_judged_and_no_other_service_is() -> None:
    fleet = [*readings(1, service="gateway-1"), *readings(2, service="gateway-2", leak=0.15)]
    assert judged(measured(fleet)).why.startswith("gateway-2")
    leaky_server = [*readings(1), *readings(2, service="fast_test", leak=0.5)]
    assert judged(measured(leaky_server)).outcome == "met"


def test_without_processes_memory_is_not_measured_and_the_leak_not_judged() -> None:
    external = measured([])
    assert judged(external).outcome == "not judged"
    assert "not started by Pacemark" in judged(external).why
    [section] = external.sections
    assert {row[1] for row in section.rows} == {None}
    assert "memory is not measured" in section.summary
    assert [chart.title for chart in section.charts] == ["P95 by slice"]


def test_too_few_readings_and_a_run_cut_short_are_not_judged() -> None:
    assert "too few readings" in judged(measured(readings(1)[::30])).why
    gap = [one for one in readings(1) if not 1800 < one.at_s < 2100]
    assert "too few readings" in judged(measured(gap)).why
    assert judged(measured(readings(1), cut_short=True)).why == "the load ended before its time"


def test_the_section_is_the_requests_table() -> None:
    [section] = measured(readings(5, leak=0.15)).sections
    names = ["From", "Memory", "Connections", "P95", "Errors", "Samples"]
    assert [column.name for column in section.columns] == names
    assert len(section.rows) == 24
    assert [row[0] for row in section.rows[:2]] == ["0", "2.5"]
    memory = [row[1] for row in section.rows]
    assert memory[-1] > memory[0] * 1.1  # type: ignore[operator]
    assert {row[2] for row in section.rows} == {12}
    assert "P95:" in section.summary
    assert "Connections: +0 % (+0 to +0 %)" in section.summary
    memory_chart, connections_chart, p95_chart = section.charts
    assert [series.name for series in connections_chart.series] == ["gateway"]
    assert set(connections_chart.series[0].values) - {None} == {12}
    assert [series.name for series in memory_chart.series] == ["gateway", "slices", "trend"]
    assert [series.name for series in p95_chart.series] == ["P95", "trend"]
    for chart in section.charts:
        assert all(len(series.values) == len(chart.at) for series in chart.series)
        assert [(mark.from_at, mark.text) for mark in chart.marks] == [(0, "settling, not judged")]
    assert " MB (" in memory_chart.note


def test_connections_that_the_system_does_not_tell_are_absent() -> None:
    blind = [ProcessReading(one.at_s, one.service, one.memory_bytes, None, one.cpu_s) for one in readings(1)]
    [section] = measured(blind).sections
    assert {row[2] for row in section.rows} == {None}
    assert "Connections: not measured" in section.summary
    assert [chart.title for chart in section.charts] == ["Memory over time", "P95 by slice"]


def test_a_day_has_the_requests_hours() -> None:
    day = Load(threads=10, ramp_up_s=60, duration_s=86_400, rate_per_s=1)
    [section] = measured(readings(1, load=day), day, quiet(day)).sections
    assert section.columns[0].unit == "h"
    assert [row[0] for row in section.rows] == [str(hour) for hour in range(24)]


@pytest.mark.parametrize(("duration_s", "said"), [(15, "1 s"), (36, "1 to 2 s"), (86_400, "1 h")])
def test_the_slices_are_told_as_wide_as_they_are(duration_s: int, said: str) -> None:
    load = Load(threads=10, ramp_up_s=3, duration_s=duration_s, rate_per_s=1)
    (section,) = measured([], load, quiet(load)).sections
    assert section.note.startswith(f"Slices of {said}. ")
