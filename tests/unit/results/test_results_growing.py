"""A digest that is counted while the file grows is the one of the finished file, wherever it was cut."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_results_digest import COLUMNS, Row, rows, same, written

from pacemark.errors import InputError
from pacemark.results import cells, jtl, tally
from pacemark.results.digest import Digest
from pacemark.results.growing import GrowingDigest

HEADER = (
    "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage,bytes,allThreads,Connect"
)
QUOTED = '1769767201000,5,"GET é\n1,2,x",200,"it ""said""",false,"Value in\r\n""json"", ü",7,4,1'
PLAIN = "1769767201200,7,GET /tools,200,OK,true,,420,5,0"


def grown(path: Path, pieces: list[bytes]) -> GrowingDigest:
    """What was told of a file that grew piece by piece."""
    growing = GrowingDigest(path)
    samples = growing.look().samples
    with path.open("ab", buffering=0) as file:
        for piece in pieces:
            file.write(piece)
            seen = growing.look().samples
            assert seen >= samples
            samples = seen
    return growing


def said(digest: Callable[[], Digest]) -> Digest | str:
    try:
        return digest()
    except InputError as error:
        return str(error)


@settings(max_examples=60, deadline=None)
@given(
    samples=rows(),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
    missing=st.integers(0, 30),
    counted_at_once=st.sampled_from([1, 7, 400_000]),
    most_cells=st.sampled_from([3, 10, 6_000_000]),
)
def test_pieces_of_any_size(
    tmp_path_factory: pytest.TempPathFactory,
    samples: list[Row],
    sizes: list[int],
    missing: int,
    counted_at_once: int,
    most_cells: int,
) -> None:
    folder = tmp_path_factory.mktemp("growing")
    whole = written(folder / "whole.jtl", COLUMNS, ",", samples).read_bytes()
    if (cut := whole[: len(whole) - missing]).count(b"\n1000") == 0:
        cut = whole  # some sample must be left
    pieces, at, turn = [], 0, 0
    while at < len(cut):
        pieces.append(cut[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1
    path = folder / "samples.jtl"
    with patch.object(cells, "MOST_CELLS", most_cells):
        with patch.object(jtl, "STRETCH_BYTES", 300), patch.object(tally, "_BATCH", counted_at_once):
            came = said(grown(path, pieces).finished)
        expected = said(lambda: Digest.from_jtl(path))
    if isinstance(came, Digest) and isinstance(expected, Digest):
        assert same(came, expected)
    else:
        assert came == expected  # a record that lost its end at the wrong byte is refused, by both alike


def test_a_cut_at_each_byte(tmp_path: Path) -> None:
    whole = "".join(f"{line}\r\n" for line in (HEADER, QUOTED, PLAIN)).encode()
    path = tmp_path / "samples.jtl"
    path.write_bytes(whole)
    of_the_file = Digest.from_jtl(path)
    assert of_the_file.count == 2
    for cut in range(len(whole) + 1):
        path.unlink()
        growing = grown(path, [whole[:cut], whole[cut:]])
        assert growing.look().samples == 2, cut
        assert same(growing.finished(), of_the_file), cut


@pytest.mark.parametrize("cut", range(1, 45))
def test_a_kill_at_any_byte(tmp_path: Path, cut: int) -> None:
    whole = f"{HEADER}\n{PLAIN}\n{QUOTED}\n".encode()
    path = tmp_path / "samples.jtl"
    digest = grown(path, [whole[:-cut]]).finished()
    assert digest.count == 1 + (cut == 1)
    assert same(digest, Digest.from_jtl(path))


@settings(max_examples=30, deadline=None)
@given(first=st.integers(0, 3000), late=st.integers(0, 3000))
@example(first=3000, late=0)
def test_a_sample_that_started_before_all_others_and_comes_last(
    tmp_path_factory: pytest.TempPathFactory, first: int, late: int
) -> None:
    path = tmp_path_factory.mktemp("growing") / "samples.jtl"
    line = ",5,A,200,OK,true,,1,1,0\n"
    pieces = [
        f"{HEADER}\n",
        *(f"{1_769_767_200_000 + first + n}{line}" for n in range(5)),
        f"{1_769_767_200_000 + late}{line}",
    ]
    with patch.object(tally, "_BATCH", 2):
        growing = grown(path, [piece.encode() for piece in pieces])
    assert growing.first_ms == 1_769_767_200_000 + min(first, late)
    assert same(growing.finished(), Digest.from_jtl(path))


def test_what_cannot_be_read_is_said_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    growing = grown(
        path, [f"{HEADER}\n{PLAIN}\n".encode(), b"1769767201300,x,A,200,OK,true,,1,1,0\n", PLAIN.encode()]
    )
    assert growing.look().samples == 1
    with pytest.raises(InputError, match="line 3: elapsed is 'x', not a whole number"):
        growing.finished()


def test_a_file_that_never_came(tmp_path: Path) -> None:
    growing = GrowingDigest(tmp_path / "samples.jtl")
    assert (growing.look().samples, growing.first_ms) == (0, None)
    with pytest.raises(InputError, match="cannot read"):
        growing.finished()


@pytest.mark.parametrize("where", ["add", "_add"])
def test_ctrl_c_between_reading_and_counting_loses_nothing(tmp_path: Path, where: str) -> None:
    path = tmp_path / "samples.jtl"
    path.write_text(f"{HEADER}\n{PLAIN}\n", encoding="utf-8")
    growing = GrowingDigest(path)
    growing.look()
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{PLAIN}\n" * 3)
    counting = tally.Tally if where == "add" else GrowingDigest
    with patch.object(counting, where, side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        growing.look()
    growing.look()
    assert same(growing.finished(), Digest.from_jtl(path))
