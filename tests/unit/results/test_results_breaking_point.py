"""The stress test's own measurements and its probes, on gateways whose limit is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from simulated_gateway import recorded

from pacemark.errors import InterruptedRunError, RunError
from pacemark.jmeter.health import CpuReading
from pacemark.jmeter.run import INTERRUPTED, Execution
from pacemark.probing import MOST_PROBES, most_seconds, probe_load, probed
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE, Digest
from pacemark.results.holds import Hold, holds
from pacemark.results.measurements import measure
from pacemark.results.measurements.breaking_point import to_probe
from pacemark.results.measurements.model import ProcessReading, Subject
from pacemark.results.record import Section, Window
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload

STRESS = workload("stress_test")
# Levels of 10, 20, 40, 60, 80 and 100 a second; holds of 12 s.
LOAD = Load(threads=60, ramp_up_s=2, duration_s=90, rate_per_s=100, shape=STRESS.scales["full"].shape)
# Of which the first hold has enough samples to be a baseline.
FAST = LOAD.model_copy(update={"rate_per_s": 300.0})


def subject(path: Path, load: Load = LOAD, **how: Any) -> Subject:
    return Subject(
        workload=STRESS,
        load=load,
        window=Window(from_s=2, to_s=90),
        digest=recorded(path / SAMPLES_FILE, load, **how),
    )


class Gateway:
    """Carries out probes, and remembers them."""

    def __init__(self, cpu_share: float = 0.2, stopped: str = "", **how: Any) -> None:
        self.how, self.cpu_share, self.stopped = how, cpu_share, stopped
        self.loads: list[Load] = []
        self.rests: list[float] = []

    def carry(self, one: Workload, load: Load, folder: Path) -> tuple[Execution, Digest]:
        assert {each.shape for each in one.scales.values()} == {()}
        self.loads.append(load)
        digest = recorded(folder / SAMPLES_FILE, load, **self.how)
        start = digest.start_ms / 1000
        cpu = [CpuReading(start, 0), CpuReading(start + load.duration_s, self.cpu_share * load.duration_s)]
        execution = Execution(
            started=start,
            ended=start + load.duration_s,
            exit_code=0,
            stopped=self.stopped,
            clock_step_s=0,
            cores=1,
            cpu=cpu,
            gc_log="",
        )
        return execution, digest

    def probe(self, path: Path, found: Subject) -> Subject:
        return probed(found, path, self.carry, rest=self.rests.append)


def holds_of(found: Subject) -> list[Hold]:
    """Those of the stages and of the probes."""
    loads = [(LOAD, found.digest), *((probe.load, probe.digest) for probe in found.probes)]
    return [hold for load, digest in loads for hold in holds(load, digest, lambda _: None)]


def section(found: Subject, title: str) -> Section:
    return next(one for one in measure(found).sections if one.title == title)


@pytest.mark.parametrize("limit_per_s", [24.0, 33.0, 47.0, 71.0])
def test_the_breaking_point_is_within_a_tenth_of_where_it_was_put(tmp_path: Path, limit_per_s: float) -> None:
    gateway = Gateway(limit_per_s=limit_per_s)
    found = gateway.probe(tmp_path, subject(tmp_path, limit_per_s=limit_per_s))
    value = measure(found).own["breaking_point", "/s"].value
    assert value is not None
    assert abs(value - limit_per_s) <= 0.1 * limit_per_s
    assert to_probe(found) is None
    assert measure(found).judges_generator
    tried = [hold.asked_per_s for hold in holds_of(found) if hold.outcome == "broke"]
    assert min(tried) <= 1.1 * value * (1 + 1e-9)
    assert 1 <= len(gateway.loads) <= MOST_PROBES
    assert len(gateway.rests) == len(gateway.loads)
    # What they recorded is kept.
    for number in range(1, len(gateway.loads) + 1):
        assert Digest.of(tmp_path / "probes" / str(number) / DIGEST_FILE).count > 100


def test_the_report_says_between_what_it_broke_and_what_broke_first(tmp_path: Path) -> None:
    found = Gateway(limit_per_s=47).probe(tmp_path, subject(tmp_path, limit_per_s=47))
    said = section(found, "Breaking point")
    assert "In the stages it broke between ramp 2 and ramp 3." in said.summary
    assert "First to break was" in said.summary
    assert "of the probe" in said.summary
    asked = [row[1] for row in said.rows]
    assert asked == sorted(asked, key=lambda rate: float(str(rate)))
    assert {"probe 1", "ramp 3", "peak"} <= {row[0] for row in said.rows}
    by_rate, lost = said.charts
    value = measure(found).own["breaking_point", "/s"].value
    assert by_rate.axis == lost.axis == "rate"
    assert by_rate.at == asked
    (mark,) = by_rate.marks
    assert mark.from_at == value
    assert mark.to_at == min(rate for rate in by_rate.at if rate > mark.from_at)
    assert mark.text == f"breaking point {value:.4g} /s"
    assert [series.values for series in by_rate.series[:3]][1] == [row[3] for row in said.rows]


def test_errors_that_broke_it_are_named_by_their_kind(tmp_path: Path) -> None:
    def full(at_s: float, in_flight: int) -> bool:
        return in_flight > 10

    how = {"limit_per_s": 47, "fails": full}
    found = Gateway(**how).probe(tmp_path, subject(tmp_path, **how))
    summary = section(found, "Breaking point").summary
    assert "% errors: HTTP 503" in summary


def test_where_all_was_held_the_value_is_the_highest_rate_and_nothing_is_probed(tmp_path: Path) -> None:
    gateway = Gateway()
    found = gateway.probe(tmp_path, subject(tmp_path, FAST))
    assert gateway.loads == []
    own = measure(found).own
    assert own["breaking_point", "/s"].value == 300
    assert own["breaking_point", "%"].value == 100
    assert (own["recovery", "s"].value, own["clearance", "s"].value) == (0, 0)
    assert "the highest rate asked" in section(found, "Breaking point").summary


def test_where_nothing_was_held_the_value_is_none_of_the_rates(tmp_path: Path) -> None:
    gateway = Gateway(limit_per_s=9)
    found = gateway.probe(tmp_path, subject(tmp_path, FAST, limit_per_s=9))
    assert gateway.loads == []
    own = measure(found).own
    assert own["breaking_point", "%"].value == 0
    assert own["recovery", "s"].value is None
    assert "no baseline" in own["recovery", "s"].why
    assert "its breaking point lies below" in section(found, "Breaking point").summary


def test_a_generator_at_its_limit_in_a_probe_makes_it_invalid(tmp_path: Path) -> None:
    gateway = Gateway(cpu_share=0.98, limit_per_s=24)
    found = gateway.probe(tmp_path, subject(tmp_path, limit_per_s=24))
    assert len(gateway.loads) == 2
    measured = measure(found)
    own = measured.own["breaking_point", "/s"]
    assert own.value is None
    assert "JMeter used 98% of the processor time" in own.why
    assert [reason.level for reason in measured.reasons] == ["invalid"]
    assert not measured.judges_generator


def test_a_load_cut_short_is_not_probed_and_nothing_is_said_of_it(tmp_path: Path) -> None:
    one = subject(tmp_path, limit_per_s=24)
    cut = Subject(one.workload, one.load, one.window, one.digest, cut_short=True)
    gateway = Gateway()
    found = gateway.probe(tmp_path, cut)
    assert gateway.loads == []
    assert {own.value for own in measure(found).own.values()} == {None}
    early = Subject(one.workload, one.load, one.window, one.digest.between(0, 25), cut_short=True)
    assert [row[0] for row in section(early, "Stages").rows] == ["warm-up", "ramp 1"]
    none = Subject(one.workload, one.load, one.window, one.digest.between(0, 2), cut_short=True)
    assert section(none, "Breaking point").rows == []


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (KeyboardInterrupt(), INTERRUPTED),
        (InterruptedRunError("before the first sample"), INTERRUPTED),
        (RunError("JMeter ended without a sample"), "probe 1: JMeter ended without a sample"),
    ],
)
def test_a_probe_that_could_not_be_made_is_told(tmp_path: Path, trouble: BaseException, why: str) -> None:
    def carry(one: Workload, load: Load, folder: Path) -> tuple[Execution, Digest]:
        raise trouble

    found = probed(subject(tmp_path, limit_per_s=24), tmp_path, carry, rest=lambda _: None)
    assert found.probing_failed == why
    measured = measure(found)
    assert measured.own["breaking_point", "/s"].value is None
    assert [reason.level for reason in measured.reasons] == ["invalid"]


@pytest.mark.parametrize(
    ("stopped", "why"), [(INTERRUPTED, INTERRUPTED), ("the watchdog", "probe 1: the watchdog")]
)
def test_a_probe_that_was_stopped_judges_nothing(tmp_path: Path, stopped: str, why: str) -> None:
    gateway = Gateway(stopped=stopped, limit_per_s=24)
    found = gateway.probe(tmp_path, subject(tmp_path, limit_per_s=24))
    assert found.probing_failed == why
    assert found.probes == ()


def test_a_gateway_that_does_not_recover_fails_and_is_not_probed(tmp_path: Path) -> None:
    gateway = Gateway()
    found = gateway.probe(tmp_path, subject(tmp_path, fails=lambda at_s, _: at_s > 60))
    assert gateway.loads == []
    assert measure(found).own["breaking_point", "/s"].value == 60
    reasons = measure(found).reasons
    assert [reason.level for reason in reasons] == ["fail"]
    assert "did not recover: errors were not below 0.1%" in reasons[0].text


def test_a_load_without_a_step_down_says_nothing_of_recovery(tmp_path: Path) -> None:
    shape = LOAD.shape[:-1]
    load = Load(threads=60, ramp_up_s=2, duration_s=81, rate_per_s=100, shape=shape)
    gateway = Gateway(limit_per_s=47)
    found = gateway.probe(tmp_path, subject(tmp_path, load, limit_per_s=47))
    assert gateway.loads
    measured = measure(found)
    assert measured.own["recovery", "s"].why == "the load has no step down"
    assert measured.reasons == []


def test_a_probe_has_threads_in_proportion_and_is_bounded_in_time() -> None:
    full = STRESS.scales["full"]
    assert most_seconds(STRESS, full) <= 15 * 60
    assert most_seconds(workload("load_test"), full) == 0


def test_a_probes_load_is_a_climb_and_a_hold_between_both(tmp_path: Path) -> None:
    found = to_probe(subject(tmp_path, limit_per_s=24))
    assert found is not None
    load = probe_load(found, LOAD)
    assert load.rate_per_s == pytest.approx(28.28)
    assert 12 < load.threads < 24
    assert (load.ramp_up_s, load.duration_s) == (3, 15)


def readings(services: Sequence[tuple[str, int]]) -> list[ProcessReading]:
    return [
        ProcessReading(
            at_s=float(at), service=service, memory_bytes=(mb + at) * 1_000_000, connections=1, cpu_s=at / 2
        )
        for at in range(90)
        for service, mb in services
    ]


def test_the_table_of_stages_has_the_requests_columns(tmp_path: Path) -> None:
    one = subject(tmp_path)
    found = Subject(
        one.workload, one.load, one.window, one.digest, processes=readings([("gateway", 100), ("other", 900)])
    )
    table = section(found, "Stages")
    assert [column.name for column in table.columns] == [
        "Hold", "Asked", "Achieved", "P50", "P95", "P99", "Errors", "CPU", "Memory", "Samples",
    ]  # fmt: skip
    assert [row[:2] for row in table.rows] == [
        ["warm-up", 10], ["ramp 1", 20], ["ramp 2", 40], ["ramp 3", 60], ["ramp 4", 80], ["peak", 100],
        ["recovery", 10],
    ]  # fmt: skip
    assert table.rows[1][8] == 100 + 20  # ramp 1 holds from 9 to 21 s
    without = section(one, "Stages")
    assert {row[8] for row in without.rows} == {None}
    assert "not measured" in without.summary
    assert "not measured" not in table.summary


def test_of_several_gateways_the_table_has_all_also_when_one_ends(tmp_path: Path) -> None:
    """Each uses half a core; the second is gone from 15 s on, in the midst of ramp 1."""
    one = subject(tmp_path)
    seen = readings([("gateway-1", 100), ("gateway-2", 100)])
    seen = [look for look in seen if look.service == "gateway-1" or look.at_s < 15]
    found = Subject(one.workload, one.load, one.window, one.digest, processes=seen)
    row = section(found, "Stages").rows[1]  # looks at 9 to 20 s, of the second at 9 to 14 s
    assert row[7:9] == [pytest.approx(100 * (11 / 2 + 5 / 2) / 11), 2 * 100 + 2 * 14]
