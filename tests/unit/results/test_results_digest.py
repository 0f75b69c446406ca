"""Digests against a plain count of the same rows, and their identities."""

import csv
import io
import math
import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pacemark.errors import InputError
from pacemark.results import cells, jtl
from pacemark.results.digest import Digest, merge
from pacemark.results.over_time import timeline
from pacemark.results.record import LatencyFigures, Window
from pacemark.results.statistics import Figures, summarize
from pacemark.stats import Question, answer

T0 = 1_769_767_200_000
PERCENTS = {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p999": Fraction("99.9")}
LABELS = ["GET /tools", 'say "hi", twice', "new\nline", "", "MCP tools/call", "timeStampé"]
KINDS = {
    "ok": ("200", "OK", "true", ""),
    "HTTP 503": ("503", "Service, Unavailable", "false", ""),
    "timeout": ("Non HTTP response code: java.net.SocketTimeoutException", "Read timed out", "false", ""),
    "check failed: $.a": (
        "200",
        "OK",
        "false",
        "Value in json path '$.a' expected to be '1', but found '\n\"2\",'",
    ),
    "check failed: no <id>": ("200", "OK", "false", "no 123e4567-e89b-12d3-a456-426614174000"),
}
COLUMNS = [
    *("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "success"),
    *("failureMessage", "bytes", "allThreads", "Connect", "URL", "late_ms", "waited"),
]

Row = dict[str, Any]


@st.composite
def rows(draw: st.DrawFn, most: int = 60) -> list[Row]:
    sample = st.fixed_dictionaries(
        {
            "start": st.integers(0, 8000) | st.integers(0, 90) | st.sampled_from([0, 1000, 2000, 5_000_000]),
            "elapsed": st.integers(0, 30) | st.integers(0, 20_000),
            "label": st.sampled_from(LABELS),
            "outcome": st.sampled_from(sorted(KINDS)) | st.just("ok"),
            "late": st.none() | st.integers(0, 50),
            "waited": st.sampled_from([None, 0, 1]),
            "bytes": st.integers(0, 10**10),
            "connect": st.integers(0, 2),
            "threads": st.integers(1, 99),
        }
    )
    return draw(st.lists(sample, min_size=1, max_size=most))


def _record(row: Row, start_ms: int) -> dict[str, str]:
    code, message, success, failure = KINDS[row["outcome"]]
    values: dict[str, Any] = {
        "timeStamp": start_ms + row["start"],
        "elapsed": row["elapsed"],
        "label": row["label"],
        "responseCode": code,
        "responseMessage": message,
        "success": success,
        "failureMessage": failure,
        "bytes": row["bytes"],
        "allThreads": row["threads"],
        "Connect": row["connect"],
        "URL": "http://127.0.0.1/a?b,c",
        "late_ms": "null" if row["late"] is None else row["late"],
        "waited": "" if row["waited"] is None else row["waited"],
    }
    return {name: str(value) for name, value in values.items()}


def written(
    path: Path, columns: list[str], delimiter: str, samples: list[Row], start_ms: int = 10**12
) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_record(row, start_ms) for row in samples)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def _nearest_rank(values: list[int], percent: Fraction | int) -> int:
    return sorted(values)[math.ceil(Fraction(percent) * len(values) / 100) - 1]


def _agrees(found: Figures | LatencyFigures, values: list[int]) -> None:
    assert found.count == len(values)
    assert found.mean == float(Fraction(sum(values), len(values)))
    assert (found.min, found.max) == (min(values), max(values))
    for name, percent in PERCENTS.items():
        assert getattr(found, name) == _nearest_rank(values, percent), name


def _figures_agree(found: Figures, samples: list[Row], seconds: float) -> None:
    if not samples:
        assert (found.count, found.p50, found.mean, found.response) == (0, None, None, None)
        return
    _agrees(found, [row["elapsed"] for row in samples])
    responses = [row["elapsed"] + row["late"] for row in samples if row["late"] is not None]
    assert (found.response is None) == (not responses)
    if found.response:
        _agrees(found.response, responses)
    assert found.outcomes == dict(Counter(row["outcome"] for row in samples))
    assert found.errors == sum(row["outcome"] != "ok" for row in samples)
    assert found.error_rate == found.errors / len(samples)
    assert found.bytes == sum(row["bytes"] for row in samples)
    assert found.throughput == (len(samples) / seconds if seconds else None)


@settings(max_examples=80, deadline=None)
@given(
    samples=rows(),
    columns=st.permutations(COLUMNS),
    delimiter=st.sampled_from(",;\t|"),
    stretch_bytes=st.sampled_from([50, 333, 1 << 20]),
    most_cells=st.sampled_from([4, 6_000_000]),
    window=st.tuples(st.integers(0, 9), st.integers(1, 9)),
)
def test_every_figure_of_every_window_agrees_with_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory,
    samples: list[Row],
    columns: list[str],
    delimiter: str,
    stretch_bytes: int,
    most_cells: int,
    window: tuple[int, int],
) -> None:
    path = written(tmp_path_factory.mktemp("jtl") / "samples.jtl", columns, delimiter, samples)
    with patch.object(jtl, "STRETCH_BYTES", stretch_bytes), patch.object(cells, "MOST_CELLS", most_cells):
        digest = Digest.from_jtl(path)
    first = min(row["start"] for row in samples)
    seconds = (max(row["start"] + row["elapsed"] for row in samples) - first) / 1000

    def check(part: list[Row], window: Window | None, seconds: float) -> None:
        summary = summarize(digest, window=window)
        _figures_agree(summary.total, part, seconds)
        assert set(summary.labels) == {row["label"] for row in part}
        for label, found in summary.labels.items():
            _figures_agree(found, [row for row in part if row["label"] == label], seconds)

    assert digest.count == len(samples)
    assert digest.start_ms == 10**12 + first
    check(samples, None, seconds)
    from_s, length_s = (edge * digest.slice_s for edge in window)
    to_s = from_s + length_s
    ends = to_s >= seconds
    part = [
        row
        for row in samples
        if from_s <= (row["start"] - first) / 1000 and (ends or row["start"] - first < to_s * 1000)
    ]
    check(part, Window(from_s=from_s, to_s=to_s), float(length_s))


@settings(max_examples=40, deadline=None)
@given(samples=rows(), max_points=st.integers(1, 12))
def test_the_timeline_agrees_with_a_plain_count(
    tmp_path_factory: pytest.TempPathFactory, samples: list[Row], max_points: int
) -> None:
    digest = Digest.from_jtl(written(tmp_path_factory.mktemp("jtl") / "a.jtl", COLUMNS, ",", samples))
    first = min(row["start"] for row in samples)
    table = timeline(digest, max_points=max_points)
    assert table.height <= max_points
    assert table["count"].sum() == len(samples)
    for at in table.iter_rows(named=True):
        until = at["at_s"] + at["seconds"]
        inside = [row for row in samples if at["at_s"] <= (row["start"] - first) / 1000 < until]
        values = [row["elapsed"] for row in inside]
        assert at["count"] == len(inside)
        assert at["errors"] == sum(row["outcome"] != "ok" for row in inside)
        assert at["rate"] == len(inside) / at["seconds"]
        assert at["max"] == (max(values) if values else None)
        assert at["threads"] == (max(row["threads"] for row in inside) if inside else None)
        for name in ("p50", "p95", "p99"):
            assert at[name] == (_nearest_rank(values, PERCENTS[name]) if values else None)


def same(a: Digest, b: Digest) -> bool:
    tables = ("cells", "sums")
    plain = [{name: value for name, value in vars(d).items() if name not in tables} for d in (a, b)]
    return all(getattr(a, name).equals(getattr(b, name)) for name in tables) and plain[0] == plain[1]


@settings(max_examples=40, deadline=None)
@given(samples=rows(), seed=st.integers(0, 1000))
def test_the_order_of_rows_and_the_size_of_stretches_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, samples: list[Row], seed: int
) -> None:
    directory = tmp_path_factory.mktemp("jtl")
    one = Digest.from_jtl(written(directory / "a.jtl", COLUMNS, ",", samples))
    random.Random(seed).shuffle(samples)
    with patch.object(jtl, "STRETCH_BYTES", 100):
        two = Digest.from_jtl(written(directory / "b.jtl", COLUMNS, ",", samples))
    assert same(one, two)


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(rows(most=20), min_size=1, max_size=3))
def test_pooling_runs_is_counting_their_rows_from_each_first_sample(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[Row]]
) -> None:
    directory = tmp_path_factory.mktemp("jtl")
    digests, aligned = [], []
    for i, part in enumerate(parts):
        first = min(row["start"] for row in part)
        aligned += [row | {"start": row["start"] - first} for row in part]
        digests.append(
            Digest.from_jtl(written(directory / f"{i}.jtl", COLUMNS, ",", part, 10**12 + i * 10**11))
        )
    pooled = merge(digests)
    whole = Digest.from_jtl(written(directory / "all.jtl", COLUMNS, ",", aligned))
    assert pooled.cells.equals(whole.cells)
    assert pooled.sums.equals(whole.sums)
    assert pooled.seconds == sum(digest.seconds for digest in digests)
    assert same(merge([whole]), whole)


@settings(max_examples=25, deadline=None)
@given(samples=rows())
def test_a_digest_is_loaded_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, samples: list[Row]
) -> None:
    directory = tmp_path_factory.mktemp("jtl")
    digest = Digest.of(written(directory / "samples.jtl", COLUMNS, ",", samples)).between(0, 3)
    digest.save(directory / "digest.parquet")
    assert same(Digest.load(directory / "digest.parquet"), digest)
    assert same(Digest.of(directory), digest)
    first = (directory / "digest.parquet").read_bytes()
    Digest.of(directory).save(directory / "digest.parquet")
    assert (directory / "digest.parquet").read_bytes() == first


Make = Callable[..., Digest]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A digest of samples given as (start ms, elapsed ms) with one label."""

    def digest(*samples: tuple[int, int], label: str = "A", success: str = "true") -> Digest:
        lines = [f"{10**12 + start},{elapsed},{label},{success}" for start, elapsed in samples]
        path = tmp_path / "made.jtl"
        path.write_text("\n".join(["timeStamp,elapsed,label,success", *lines, ""]))
        return Digest.from_jtl(path)

    return digest


def test_the_last_twenty_thousand_samples_are_not_all_there_is(tmp_path: Path) -> None:
    lines = [f"{10**12 + i},{400 if i < 150_000 else 10},A,true" for i in range(200_000)]
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join(["timeStamp,elapsed,label,success", *lines, ""]))
    total = summarize(Digest.from_jtl(path)).total
    assert (total.p50, total.p95, total.p99) == (400, 400, 400)
    assert total.mean == 302.5


@pytest.mark.parametrize(
    ("last_start_ms", "slice_s"), [(3_599_999, 1), (3_600_000, 10), (35_999_999, 10), (36_000_000, 60)]
)
def test_slices_widen_with_the_run(make: Make, last_start_ms: int, slice_s: int) -> None:
    digest = make((0, 1), (59_999, 2), (last_start_ms, 3))
    assert digest.slice_s == slice_s
    assert digest.cells["slice"].to_list() == [
        0,
        59_999 // (1000 * slice_s),
        last_start_ms // (1000 * slice_s),
    ]


def test_slices_widen_with_what_there_is_to_count(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it takes, and it says so."""
    samples = [(1000 * second, second % 5) for second in range(120)]
    monkeypatch.setattr(cells, "MOST_CELLS", 119)
    few, more = make(*samples[:119]), make(*samples)
    assert (few.slice_s, len(few.notes)) == (1, 1)
    assert (more.slice_s, more.cells.height, more.count) == (10, 12 * 5, 120)
    assert more.notes[-1].startswith("counted in slices of 10 s, for in narrower ones more than ")
    assert merge([few, few]).slice_s == 1
    pooled = merge([few, make((0, 9))])
    assert pooled.slice_s == 10
    assert pooled.notes[-1] == more.notes[-1]


def test_by_label_is_only_of_each(make: Make) -> None:
    digest = merge([make((0, 1), label="a"), make((0, 2), (1000, 3), label="b")])
    found = digest.by_label()
    assert list(found) == ["a", "b"]
    for label, one in digest.by_label(["b", "none"]).items():
        assert_frame_equal(one.cells, digest.only(label).cells)
        assert_frame_equal(one.sums, digest.only(label).sums)
        assert one.window == digest.window
    assert found["b"].count == 2


def test_a_window_that_cuts_a_slice_is_rounded_outward_and_says_so(make: Make) -> None:
    digest = make((0, 1), (999, 1), (1000, 1), (2500, 1), (3999, 1), (4000, 1), (9000, 1))
    cut = digest.between(1.25, 3.1)
    assert (cut.count, cut.window, cut.seconds) == (3, Window(from_s=1, to_s=4), 3)
    assert cut.notes[-1] == "window 1.25-3.1 s rounded to 1-4 s: slices are of 1 s"
    assert digest.between(1, 4).notes == digest.notes


def test_a_window_beyond_the_samples_stays_as_planned(make: Make) -> None:
    digest = make((0, 1), (500, 1), (2000, 400))
    assert digest.between(1, 10.5).window == Window(from_s=1, to_s=10.5)
    assert summarize(digest, window=Window(from_s=0, to_s=10)).total.throughput == 0.3


def test_an_empty_window_has_no_percentiles(make: Make) -> None:
    summary = summarize(make((0, 1), (9000, 1)), window=Window(from_s=3, to_s=5))
    assert summary.labels == {}
    assert summary.total.model_dump(exclude={"bytes", "outcomes"}) == {
        **dict.fromkeys(("error_rate", "mean", "min", "max", "response", *PERCENTS)),
        "too_few": list(PERCENTS),
        "count": 0,
        "errors": 0,
        "throughput": 0.0,
    }


def test_a_window_up_to_the_last_end_takes_the_last_sample(make: Make) -> None:
    digest = make((0, 1), (2000, 0))
    assert digest.between(0, digest.window.to_s).count == digest.between(1).count + 1 == 2


@pytest.mark.parametrize("window", [(5, 5), (-1, 3), (4, 2), (20, None), (9.5, None)])
def test_a_window_that_is_none_is_refused(make: Make, window: tuple[float, float | None]) -> None:
    with pytest.raises(InputError, match="is empty"):
        make((0, 1), (9000, 1)).between(*window)


def test_one_sample_of_no_length_has_no_throughput(make: Make) -> None:
    digest = make((0, 0))
    assert digest.between() is digest
    assert summarize(digest).total.throughput is None


def test_late_samples_of_a_closed_slice_are_counted_in(tmp_path: Path) -> None:
    starts = [second * 1000 for second in range(200)]
    lines = [f"{10**12 + start},1,A,true" for start in [*starts, 5000, 150_000, 5000]]
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join(["timeStamp,elapsed,label,success", *lines, ""]))
    with patch.object(jtl, "STRETCH_BYTES", 200):
        cells = Digest.from_jtl(path).cells
    assert cells["slice"].to_list() == list(range(200))
    assert cells.filter(pl.col("count") > 1).select("slice", "count").rows() == [(5, 3), (150, 2)]


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"\0" * 100])
def test_a_broken_digest_is_refused_with_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "digest.parquet"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is no digest") as caught:
        Digest.of(tmp_path)
    assert "\n" not in str(caught.value)


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="is no digest"):
        Digest.of(tmp_path / "a.parquet")


def test_a_directory_without_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither digest.parquet nor samples.jtl"):
        Digest.of(tmp_path)


def test_a_stored_digest_answers_for_a_label_and_a_window_as_the_whole_does(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    starts = [0, 400, 2500, 2600, 9000, 9001, 21_500]
    rows = [f"{T0 + start},{start % 7},{'AB'[start % 2]},true" for start in starts]
    path.write_text("\n".join(["timeStamp,elapsed,label,success", *rows, ""]))
    Digest.from_jtl(path).save(stored := tmp_path / "digest.parquet")
    assert Digest.of(stored, label="B").cells.height == 1
    assert Digest.of(stored, from_s=2, to_s=9).cells.height == 2
    for label in (None, "A", "B"):
        for from_s in (None, 1, 21):
            for to_s in (None, 9, 22):
                if (from_s or 0) < (21 if to_s is None else to_s):
                    asked = [Question(one, label=label, from_s=from_s, to_s=to_s) for one in (path, stored)]
                    of_jtl, of_digest = map(answer, asked)
                    assert of_jtl.summary == of_digest.summary
                    assert of_jtl.notes == of_digest.notes
    with pytest.raises(InputError, match="has no label 'C': it has A, B"):
        answer(Question(stored, label="C", from_s=21))


def test_only_our_own_lifetimes_are_no_part_of_the_total(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    path.write_text(f"timeStamp,elapsed,label,success\n{T0},5,GET lifetime,true\n{T0},7,A,true\n")
    assert summarize(Digest.from_jtl(path)).total.count == 2
    path.write_text(
        f"timeStamp,elapsed,label,success,waited\n{T0},5,A lifetime,true,1\n"
        f"{T0},7,SSE stream lifetime,true,2\n{T0},9,SSE stream lifetime,true,null\n{T0},9,A,true,2\n"
    )
    assert Digest.from_jtl(path).without_lifetimes().labels == ("A", "A lifetime")
    assert summarize(Digest.from_jtl(path)).total.count == 2


@pytest.mark.parametrize(("days", "notes"), [(0.9, 0), (3, 1), (9000, 1)])
def test_a_gap_of_days_is_noted(tmp_path: Path, days: float, notes: int) -> None:
    path = tmp_path / "samples.jtl"
    last = T0 + int(days * 86_400_000)
    path.write_text(f"timeStamp,elapsed,label,success,responseMessage\n{T0},5,A,true,\n{last},7,A,true,\n")
    found = Digest.from_jtl(path).notes
    assert len(found) == notes
    assert all(note.startswith(f"no sample started for {days:,.1f} days between others") for note in found)
