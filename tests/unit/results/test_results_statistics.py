"""Ranks, percentile curves, outcomes over time, and the JSON shape."""

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacemark.results.digest import Digest
from pacemark.results.over_time import outcome_timeline, timeline
from pacemark.results.statistics import (
    exact_mean,
    figures,
    figures_by_label,
    percentile,
    percentile_curve,
    rank,
    samples_beyond,
    summarize,
)

T0 = 1_769_767_200_000
LATENCY_KEYS = ["mean", "min", "max", "p50", "p90", "p95", "p99", "p999"]


def _digest(
    tmp_path: Path, rows: list[str], columns: str = "timeStamp,elapsed,label,success,late_ms"
) -> Digest:
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join([columns, *rows, ""]))
    return Digest.from_jtl(path)


@pytest.mark.parametrize(
    ("count", "percent", "position"),
    [
        (0, "50", 0),
        (1, "99.9", 1),
        (2, "50", 1),
        (3, "50", 2),
        (400, "95", 380),
        (399, "95", 380),
        (1000, "99.9", 999),
        (1000, 99.9, 999),
        (1001, "99.9", 1000),
        (10**12, "99.9", 999 * 10**9),
        (7, "0", 1),
        (7, "100", 7),
    ],
)
def test_rank(count: int, percent: str | float, position: int) -> None:
    assert rank(count, percent) == position


def test_samples_beyond() -> None:
    assert (samples_beyond(400, "95"), samples_beyond(399, "95"), samples_beyond(20_000, "99.9")) == (
        20,
        19,
        20,
    )


@settings(deadline=None)
@given(values=st.lists(st.integers(0, 5000), min_size=1, max_size=300))
def test_a_percentile_curve_rises_through_recorded_values(
    tmp_path_factory: pytest.TempPathFactory, values: list[int]
) -> None:
    rows = [f"{T0 + i},{value},A,true,0" for i, value in enumerate(values)]
    curve = percentile_curve(_digest(tmp_path_factory.mktemp("jtl"), rows))
    assert curve["percent"].is_sorted()
    assert curve["percent"].is_unique().all()
    assert curve["ms"].is_sorted()
    assert curve["ms"].to_list() == [sorted(values)[rank(len(values), p) - 1] for p in curve["percent"]]
    assert curve.row(0) == (0, min(values))
    assert curve.row(-1) == (100, max(values))


def test_response_counts_from_when_the_request_was_due(tmp_path: Path) -> None:
    digest = _digest(tmp_path, [f"{T0},10,A,true,5", f"{T0},10,A,true,90", f"{T0},10,B,false,null"])
    summary = summarize(digest)
    assert (percentile(digest, 99), percentile(digest, 99, basis="response")) == (10, 100)
    assert summary.total.response
    assert (summary.total.response.count, summary.total.response.max, summary.total.response.mean) == (
        2,
        100,
        57.5,
    )
    assert summary.labels["B"].response is None
    assert exact_mean(digest, "response") == Fraction(115, 2)
    assert timeline(digest, basis="response")["max"].to_list() == [100]
    assert percentile_curve(digest, label="B", basis="response").height == 0


def test_outcomes_over_time(tmp_path: Path) -> None:
    digest = _digest(
        tmp_path,
        [
            f"{T0},1,A,true,200",
            f"{T0 + 900},1,A,false,503",
            f"{T0 + 950},1,B,false,503",
            f"{T0 + 2000},1,A,false,404",
        ],
        "timeStamp,elapsed,label,success,responseCode",
    )
    assert outcome_timeline(digest).rows() == [
        (0.0, "HTTP 503", 2),
        (0.0, "ok", 1),
        (2.0, "HTTP 404", 1),
    ]
    assert outcome_timeline(digest, label="B", max_points=1).rows() == [(0.0, "HTTP 503", 1)]


def test_the_json_of_stats(tmp_path: Path) -> None:
    digest = _digest(tmp_path, ["1769767200123,40,GET /tools,true,2", "1769767210083,20,GET /tools,true,0"])
    shape = summarize(digest).model_dump(mode="json")
    assert shape["window"] == {
        "start": "2026-01-30T10:00:00.123Z",
        "end": "2026-01-30T10:00:10.103Z",
        "seconds": 9.98,
    }
    keys = [
        "count",
        "errors",
        "error_rate",
        "throughput",
        *LATENCY_KEYS,
        "too_few",
        "bytes",
        "outcomes",
        "response",
    ]
    assert list(shape["total"]) == keys
    assert list(shape["labels"]) == ["GET /tools"]
    assert list(shape["total"]["response"]) == ["count", *LATENCY_KEYS, "too_few"]
    assert shape["total"]["throughput"] == 2 / 9.98
    assert shape["total"]["bytes"] is None


def test_the_window_tells_instants_in_utc(tmp_path: Path) -> None:
    digest = _digest(tmp_path, ["1769767200123,40,A,true,2", "1769767210083,20,A,true,0"])
    window = summarize(digest.between(1, 5)).window
    assert window.start == datetime(2026, 1, 30, 10, 0, 1, 123000, tzinfo=UTC)
    assert window.seconds == 4


def test_the_timeline_of_a_window_begins_at_the_window(tmp_path: Path) -> None:
    digest = _digest(tmp_path, [f"{T0 + second * 1000},{second},A,true,0" for second in range(20)])
    table = timeline(digest.between(5, 15), max_points=4)
    assert table.select("at_s", "seconds", "count", "max").rows() == [
        (5.0, 3.0, 3, 7),
        (8.0, 3.0, 3, 10),
        (11.0, 3.0, 3, 13),
        (14.0, 1.0, 1, 14),
    ]
    assert table["threads"].dtype == pl.Int32
    assert table["threads"].null_count() == 4


def test_the_figures_by_label_are_those_of_each_label(tmp_path: Path) -> None:
    rows = [
        f"{T0 + i},{i * i % 97},L{i % 7},{'true' if i % 3 else 'false'},{i if i % 7 else 'null'}"
        for i in range(600)
    ]
    digest = _digest(tmp_path, rows).at_once()
    assert figures_by_label(digest) == {label: figures(digest.only(label)) for label in digest.labels}
    assert {label for label, one in figures_by_label(digest).items() if one.response is None} == {"L0"}
