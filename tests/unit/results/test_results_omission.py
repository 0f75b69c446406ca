"""Coordinated omission: corrected as HdrHistogram does, and against what an open load would have seen."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacemark.errors import InputError
from pacemark.report import wording
from pacemark.results.digest import Digest
from pacemark.results.omission import correct, corrected
from pacemark.results.record import Window
from pacemark.results.statistics import latency_figures, rank


def _digest(path: Path, samples: list[tuple[int, int]], late: str = "") -> Digest:
    """Of (start, elapsed) in milliseconds; ``late`` is each one's ``late_ms``, if any."""
    columns = "timeStamp,elapsed,label,success" + (",late_ms" if late else "")
    rows = [
        f"{1_769_767_200_000 + start},{elapsed},A,true" + (f",{late}" if late else "")
        for start, elapsed in samples
    ]
    path.write_text("\n".join([columns, *rows, ""]))
    return Digest.from_jtl(path)


def _as_hdr_histogram(values: list[int], interval: int) -> list[int]:
    """``recordSingleValueWithExpectedInterval``, value by value."""
    recorded = []
    for value in values:
        recorded.append(value)
        missing = value - interval
        while missing >= interval:
            recorded.append(missing)
            missing -= interval
    return sorted(recorded)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40), st.integers(1, 500))
def test_it_is_hdr_histograms_correction(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], interval: int
) -> None:
    path = tmp_path_factory.mktemp("jtl") / "samples.jtl"
    digest = _digest(path, [(1000 + n, value) for n, value in enumerate(values)])
    expected = _as_hdr_histogram(values, interval)
    found = latency_figures(corrected(digest, interval), "response")
    assert (found.count, found.min, found.max) == (len(expected), expected[0], expected[-1])
    for name, percent in (("p50", "50"), ("p90", "90"), ("p95", "95"), ("p99", "99"), ("p999", "99.9")):
        assert getattr(found, name) == expected[rank(len(expected), percent) - 1]


def test_what_is_measured_stays_as_it_is(tmp_path: Path) -> None:
    digest = _digest(tmp_path / "a.jtl", [(1000, 950), (2000, 10)])
    assert latency_figures(corrected(digest, 100), "elapsed") == latency_figures(digest, "elapsed")


def test_an_interval_may_be_a_fraction(tmp_path: Path) -> None:
    """66.67 ms fit three times into 200, so two are missing, at 133 and 67."""
    cells = corrected(_digest(tmp_path / "a.jtl", [(1000, 200)]), 200 / 3).cells
    assert sorted(cells["response_ms"]) == [67, 133, 200]


def test_what_was_not_sent_belongs_to_when_it_would_have_been(tmp_path: Path) -> None:
    digest = _digest(tmp_path / "a.jtl", [(0, 3000), (4000, 1)])
    inside = correct(digest, 1000, Window(from_s=1, to_s=3)).figures.total
    assert (inside.count, inside.min, inside.max) == (2, 1000, 2000)


def test_what_was_added_makes_no_percentile_rest_on_more(tmp_path: Path) -> None:
    digest = _digest(tmp_path / "a.jtl", [(n, 3000 if n > 200 else 1) for n in range(399)])
    found = correct(digest, 10).figures.total
    assert found.count > 50_000
    assert found.too_few == ["p95", "p99", "p999"]


def test_a_measured_response_is_not_estimated(tmp_path: Path) -> None:
    digest = _digest(tmp_path / "a.jtl", [(0, 3000)], late="0")
    with pytest.raises(InputError, match="leave --expected-interval out"):
        corrected(digest, 1000)


def test_an_interval_of_nothing_is_refused(tmp_path: Path) -> None:
    digest = _digest(tmp_path / "a.jtl", [(n, 3_000_000 + n) for n in range(100)])
    with pytest.raises(InputError, match="threads / rate"):
        corrected(digest, 0.5)


def test_an_interval_that_no_thread_can_keep_is_refused(tmp_path: Path) -> None:
    """1 / rate where threads / rate was meant. It would add smaller values than it found, not larger ones."""
    digest = _digest(tmp_path / "a.jtl", [(n * 5, 105 + n % 80) for n in range(400)])
    with pytest.raises(InputError, match="5 ms is less than the median, 144 ms") as refused:
        correct(digest, 5)
    assert "threads / rate, not 1 / rate" in refused.value.hint
    assert correct(digest, 144).figures.total.p50 == 144


def test_the_median_is_that_of_the_window(tmp_path: Path) -> None:
    digest = _digest(tmp_path / "a.jtl", [(n * 10, 1 if n < 300 else 500) for n in range(500)])
    assert correct(digest, 100, Window(from_s=0, to_s=3)).figures.total.p50 == 1
    with pytest.raises(InputError, match="less than the median, 500 ms"):
        correct(digest, 100, Window(from_s=3, to_s=5))


def test_a_label_that_is_usually_slower_than_the_interval_is_named(tmp_path: Path) -> None:
    """A thread of several labels may well send every 100 ms, though one of them takes longer."""
    path = tmp_path / "a.jtl"
    rows = [
        f"{1_769_767_200_000 + n * 10},{300 if n % 10 == 0 else 5},{'slow' if n % 10 == 0 else 'fast'},true"
        for n in range(99)
    ]
    path.write_text("\n".join(["timeStamp,elapsed,label,success", *rows, ""]))
    figures = correct(Digest.from_jtl(path), 100).figures
    assert figures.slower == ["slow"]
    assert "Of slow it is too low" in wording.corrected(figures)


FREEZE_MS, RATE, THREADS, SECONDS = (6000, 9000), 200, 20, 15
"""The server answers at once, but for these milliseconds."""


def _server(at_ms: float) -> int:
    """How long an answer takes that is asked for then."""
    return round(FREEZE_MS[1] - at_ms) + 1 if FREEZE_MS[0] <= at_ms < FREEZE_MS[1] else 1


def _open() -> list[int]:
    """Users who come whatever happens."""
    return sorted(_server(n * 1000 / RATE) for n in range(RATE * SECONDS))


def _closed() -> list[tuple[int, int]]:
    """Threads that each send every THREADS / RATE seconds, and not before their last answer; what was due
    meanwhile is not made up for."""
    samples, interval = [], 1000 * THREADS / RATE
    for thread in range(THREADS):
        at = thread * 1000 / RATE
        while at < SECONDS * 1000:
            elapsed = _server(at)
            samples.append((1_000_000 + round(at), elapsed))
            at += interval
            while at < samples[-1][0] - 1_000_000 + elapsed:
                at += interval
    return samples


@pytest.mark.parametrize("percentile", ["p90", "p95", "p99"])
def test_a_freeze_is_seen_as_an_open_load_sees_it(tmp_path: Path, percentile: str) -> None:
    true = _open()
    digest = _digest(tmp_path / "closed.jtl", _closed())
    percent = {"p90": "90", "p95": "95", "p99": "99"}[percentile]
    expected = true[rank(len(true), percent) - 1]
    raw = getattr(latency_figures(digest, "elapsed"), percentile)
    found = getattr(correct(digest, 1000 * THREADS / RATE).figures.total, percentile)
    assert raw == 1
    assert found == pytest.approx(expected, rel=0.05)
