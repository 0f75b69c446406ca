from pathlib import Path

import pytest

from pacemark.results.digest import Digest
from pacemark.results.wake_up import late_wake_up_p95_ms, overdue_share, waiting_share
from pacemark.workloads.load import Load

HEADER = 'timeStamp,elapsed,label,success,"late_ms","waited"\n'


def digest(tmp_path: Path, rows: list[tuple[int, int]]) -> Digest:
    path = tmp_path / "samples.jtl"
    path.write_text(HEADER + "".join(f"1769767201000,5,a,true,{late},{waited}\n" for late, waited in rows))
    return Digest.from_jtl(path)


def test_only_threads_that_waited_tell_how_late_they_woke(tmp_path: Path) -> None:
    rows = [(late, 1) for late in range(1, 21)] + [(5000, 0)] * 60
    found = digest(tmp_path, rows)
    assert late_wake_up_p95_ms(found) == 19  # nearest rank: the 19th of 20
    assert overdue_share(found) == 0.75


def test_without_a_thread_that_waited_there_is_no_wake_up(tmp_path: Path) -> None:
    assert late_wake_up_p95_ms(digest(tmp_path, [(40, 0)])) is None


def test_samples_of_other_plans_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    path.write_text("timeStamp,elapsed,label,success\n1769767201000,5,a,true\n")
    found = Digest.from_jtl(path)
    assert late_wake_up_p95_ms(found) is None
    assert overdue_share(found) is None


@pytest.mark.parametrize("late", [0, 7])
def test_a_single_sample_is_its_own_percentile(tmp_path: Path, late: int) -> None:
    assert late_wake_up_p95_ms(digest(tmp_path, [(late, 1)])) == late


LOAD = Load(threads=5, ramp_up_s=0, duration_s=30, rate_per_s=10)


def timed(tmp_path: Path, samples: list[tuple[int, int]]) -> Digest:
    path = tmp_path / "samples.jtl"
    path.write_text(
        HEADER
        + "".join(f"{1_769_767_200_000 + at},{elapsed},a,true,0,1\n" for at, elapsed in sorted(samples))
    )
    return Digest.from_jtl(path).between(0, 30)


def steady(start_s: float, end_s: float) -> list[tuple[int, int]]:
    return [(int(start_s * 1000) + n * 100, 20) for n in range(int((end_s - start_s) * 10))]


def test_a_stalled_gateway_keeps_every_thread_waiting(tmp_path: Path) -> None:
    """Twelve seconds without a reply: five threads wait, and 120 requests never start."""
    stalled = [(10_000 + n, 12_000) for n in range(5)]
    share = waiting_share(timed(tmp_path, [*steady(0, 10), *stalled, *steady(22, 30)]), LOAD)
    assert share is not None
    assert share > 0.9


def test_a_stalled_generator_has_idle_threads(tmp_path: Path) -> None:
    share = waiting_share(timed(tmp_path, [*steady(0, 10), *steady(22, 30)]), LOAD)
    assert share is not None
    assert share < 0.1


def test_a_gateway_too_slow_for_the_load_keeps_every_thread_waiting(tmp_path: Path) -> None:
    """Five threads and replies of a second make five requests a second, not ten."""
    slow = [(second * 1000 + thread * 7, 1000) for second in range(29) for thread in range(5)]
    share = waiting_share(timed(tmp_path, slow), LOAD)
    assert share is not None
    assert share > 0.9


def test_nothing_is_said_when_nothing_fell_short(tmp_path: Path) -> None:
    assert waiting_share(timed(tmp_path, steady(0, 30)), LOAD) is None
