"""Seconds from a step down until all is as it was."""

from pathlib import Path

import pytest
from simulated_gateway import recorded

from pacemark.results.record import Window
from pacemark.results.recovery import error_recovery, latency_recovery
from pacemark.workloads.load import Load, Stage

SHAPE = (
    Stage(name="before", seconds=10, from_per_s=40, to_per_s=40, threads=50),
    Stage(name="spike", seconds=10, from_per_s=80, to_per_s=80, threads=50),
    Stage(name="after", seconds=30, from_per_s=40, to_per_s=40, threads=50),
)
LOAD = Load(threads=50, ramp_up_s=1, duration_s=50, rate_per_s=80, shape=SHAPE)
AFTER = Window(from_s=20, to_s=50)


@pytest.mark.parametrize(("broken_until_s", "seconds"), [(19.9, 0), (20.2, 1), (24, 4), (31, 11)])
def test_errors_are_back_from_the_first_window_without_them(
    tmp_path: Path, broken_until_s: float, seconds: float
) -> None:
    digest = recorded(tmp_path / "a.jtl", LOAD, fails=lambda at_s, _: 12 <= at_s < broken_until_s)
    found = error_recovery(digest, AFTER)
    assert found.seconds == seconds
    assert not found.failed


def test_latency_is_back_when_the_queue_is_gone(tmp_path: Path) -> None:
    """50 in the queue at the step down; of 60 a second 40 are new: gone after 50 / 20 = 2.5 s."""
    digest = recorded(tmp_path / "a.jtl", LOAD, limit_per_s=60)
    found = latency_recovery(digest, digest.between(0, 10), AFTER)
    assert found.seconds == 3
    assert error_recovery(digest, AFTER).seconds == 0


def test_a_relapse_starts_the_count_anew(tmp_path: Path) -> None:
    digest = recorded(tmp_path / "a.jtl", LOAD, fails=lambda at_s, _: 36 <= at_s < 36.5)
    assert error_recovery(digest, AFTER).seconds == 17


def test_what_does_not_come_back_has_no_seconds_and_fails(tmp_path: Path) -> None:
    digest = recorded(tmp_path / "a.jtl", LOAD, limit_per_s=30)
    found = latency_recovery(digest, recorded(tmp_path / "b.jtl", LOAD).between(0, 10), AFTER)
    assert found.seconds is None
    assert found.failed
    assert "in the 30 s after the step down" in found.why


def test_a_thin_baseline_judges_nothing(tmp_path: Path) -> None:
    digest = recorded(tmp_path / "a.jtl", LOAD)
    found = latency_recovery(digest, digest.between(0, 2), AFTER)
    assert found.seconds is None
    assert not found.failed
    assert "80 samples" in found.why
