"""Samples of one load in several files: their digest is that of one file with all of them."""

import csv
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pacemark.errors import InputError
from pacemark.results import cells, jtl
from pacemark.results.digest import Digest
from pacemark.results.over_time import timeline
from pacemark.results.shares import SharedSamples, join, together

COLUMNS = [
    *("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "success", "failureMessage"),
    *("bytes", "allThreads", "Connect", "late_ms", "waited"),
]
MESSAGES = ["", 'no "such"\nthing, or <b>', "1700000000000,1\n1700000000001,2"]


class Sample(NamedTuple):
    at_ms: int
    elapsed_ms: int
    label: str
    message: str
    late_ms: int
    threads: int


SAMPLES = st.lists(
    st.builds(
        Sample,
        at_ms=st.integers(0, 9000) | st.sampled_from([0, 1000, 4_000_000]),
        elapsed_ms=st.integers(0, 300),
        label=st.sampled_from(["GET /tools", "GET /health", "a, b"]),
        message=st.sampled_from(MESSAGES),
        late_ms=st.integers(0, 20),
        threads=st.integers(1, 9),
    ),
    min_size=1,
    max_size=30,
)
SHARES = st.lists(st.tuples(SAMPLES, st.sampled_from([0, 1, -1, 999, -61_000])), min_size=1, max_size=4)


def write(path: Path, samples: list[Sample], ahead_ms: int = 0) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for one in samples:
            good = not one.message
            code = ("200", "OK") if good else ("503", "Busy")
            stamp = 1_769_767_200_000 + one.at_ms + ahead_ms
            told = (stamp, one.elapsed_ms, one.label, *code, str(good).lower(), one.message)
            rows.writerow([*told, 7, one.threads, 1, one.late_ms, 1])
    return path


def same(digest: Digest, other: Digest) -> None:
    assert_frame_equal(digest.cells, other.cells)
    # The threads of several engines add up: they are another test's.
    assert_frame_equal(digest.sums.drop("all_threads"), other.sums.drop("all_threads"))
    for name in ("start_ms", "end_ms", "slice_s", "window", "runs", "seconds", "absent", "parents"):
        assert getattr(digest, name) == getattr(other, name), name


@settings(max_examples=30, deadline=None)
@given(shares=SHARES, most_cells=st.sampled_from([2, 10, 6_000_000]))
def test_shares_together_are_the_digest_of_all_samples(
    tmp_path_factory: pytest.TempPathFactory, shares: list[tuple[list[Sample], int]], most_cells: int
) -> None:
    folder = tmp_path_factory.mktemp("shares")
    files = [
        SharedSamples(write(folder / f"{number}.jtl", samples, ahead_ms), ahead_ms)
        for number, (samples, ahead_ms) in enumerate(shares)
    ]
    every = [sample for samples, _ in shares for sample in samples]
    with patch.object(cells, "MOST_CELLS", most_cells):
        union = Digest.from_jtl(write(folder / "union.jtl", every))
        found = together(files)
        same(found, union)
        assert {note for note in union.notes if note.startswith("counted in slices")} <= set(found.notes)
        with patch.object(jtl, "STRETCH_BYTES", 200):
            join(files, folder / "joined.jtl")
        same(Digest.from_jtl(folder / "joined.jtl"), union)


def test_threads_of_all_engines_add_up_in_each_slice(tmp_path: Path) -> None:
    def sample(at_ms: int, threads: int) -> Sample:
        return Sample(at_ms, 1, "GET /tools", "", 0, threads)

    one = write(tmp_path / "1.jtl", [sample(0, 2), sample(10, 3), sample(1500, 4)])
    other = write(tmp_path / "2.jtl", [sample(20, 5), sample(2500, 6)])
    digest = together([SharedSamples(one, 0), SharedSamples(other, 0)])
    most = digest.sums.group_by("slice").agg(pl.col("all_threads").max()).sort("slice")
    assert most["all_threads"].to_list() == [8, 4, 6]
    assert timeline(digest)["count"].to_list() == [3, 1, 1]


def test_a_share_whose_last_line_was_cut_off_is_joined_without_it(tmp_path: Path) -> None:
    one = write(tmp_path / "1.jtl", [Sample(0, 1, "GET /tools", "", 0, 1)])
    other = write(tmp_path / "2.jtl", [Sample(5, 1, "GET /tools", "", 0, 1)])
    other.write_bytes(other.read_bytes() + b"1000000000009,3,GET /to")
    files = [SharedSamples(other, 0), SharedSamples(one, 3)]
    join(files, tmp_path / "joined.jtl")
    assert Digest.from_jtl(tmp_path / "joined.jtl").count == together(files).count == 2


def test_no_share_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no share of the load has samples"):
        together([])
