"""The two tables of a digest: how often each combination came, and what adds up beside it."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

KEYS = {
    "slice": pl.Int32,
    "elapsed_ms": pl.Int32,
    "response_ms": pl.Int32,
    "waited": pl.Int8,
    "label": pl.Categorical,
    "outcome": pl.Categorical,
}
"""The columns that make a cell, in the order by which cells are sorted."""
CELL_SCHEMA = {**KEYS, "count": pl.Int64}

SUM_KEYS = {name: KEYS[name] for name in ("slice", "label", "outcome")}
SUM_SCHEMA = {**SUM_KEYS, "bytes": pl.Int64, "new_connections": pl.Int64, "all_threads": pl.Int32}

SLICES_S = (1, 10, 60, 300, 600, 1800, 3600)
"""How wide a digest's slices may be, in seconds. Each width divides the next."""
MOST_CELLS = 6_000_000
"""Cells, of 29 bytes, above which a digest takes wider slices, as long as there are any."""

_NAMES = ("label", "outcome")
_MOST_BITS = 63
_MOVED_AT_ONCE = 250_000


def count_cells(samples: pl.DataFrame) -> pl.DataFrame:
    """Samples, given by ``KEYS``, as sorted cells."""
    return _Packing.of(samples).counted(samples) if samples.height else no_cells()


def add_cells(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Cells of several tables, each combination once, sorted."""
    cells = pl.concat([part.select(list(CELL_SCHEMA)) for part in parts])
    return _Packing.of(cells).added(cells) if cells.height else no_cells()


def add_sums(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Tables of what adds up by slice, label and outcome as one, sorted; ``all_threads`` is the most."""
    sums = pl.concat(parts).lazy().group_by(list(SUM_KEYS))
    added = sums.agg(pl.col("bytes", "new_connections").sum(), pl.col("all_threads").max())
    return added.sort(list(SUM_KEYS)).collect()


def widened(table: pl.DataFrame, factor: int) -> pl.DataFrame:
    """Cells or sums whose slices are ``factor`` times as wide; not added up yet."""
    return table if factor == 1 else table.with_columns(pl.col("slice") // factor)


def moved(cells: pl.DataFrame, to: pl.Expr) -> pl.DataFrame:
    """Cells counted to other, fewer slices.

    A stretch at a time: all of them, as packed numbers, would take half as much memory again. What came of
    stretches is added up whenever it has grown to twice its size, for stretches have much in common.
    """
    added, parts = no_cells(), list[pl.DataFrame]()
    for stretch in cells.iter_slices(_MOVED_AT_ONCE):
        parts.append(add_cells([stretch.with_columns(slice=to)]))
        if sum(part.height for part in parts) > max(added.height, _MOVED_AT_ONCE):
            added, parts = add_cells([added, *parts]), []
    return add_cells([added, *parts])


def bounded(cells: pl.DataFrame, sums: pl.DataFrame, slice_s: int) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """Cells and sums in slices of ``slice_s``, or in the narrowest that make no more than ``MOST_CELLS``."""
    for wider_s in wider_than(slice_s):
        if cells.height <= MOST_CELLS:
            break
        factor, slice_s = wider_s // slice_s, wider_s
        cells = moved(cells, pl.col("slice") // factor)
        sums = add_sums([widened(sums, factor)])
    return cells, sums, slice_s


def wider_than(slice_s: int) -> tuple[int, ...]:
    """The widths above it, in seconds."""
    return tuple(width for width in SLICES_S if width > slice_s)


def no_cells() -> pl.DataFrame:
    """No cells."""
    return pl.DataFrame(schema=CELL_SCHEMA)


def no_sums() -> pl.DataFrame:
    """No sums."""
    return pl.DataFrame(schema=SUM_SCHEMA)


class _Field(NamedTuple):
    """A column as bits of the number that stands for a cell: 0 is null, else value - ``least`` + 1."""

    name: str
    least: int
    bits: int
    names: tuple[str, ...] = ()
    """Of a column of names, those it has, sorted: their places are the values."""


class _Packing:
    """Cells as whole numbers of 63 bits: in the same order, and sorted and counted ten times as fast."""

    def __init__(self, fields: Sequence[_Field]) -> None:
        self.fields = fields

    @classmethod
    def of(cls, table: pl.DataFrame) -> "_Packing":
        """A packing that ``table`` fits into."""
        fields = []
        for name in (name for name in KEYS if name not in _NAMES):
            least, most = (cast(int | None, end()) or 0 for end in (table[name].min, table[name].max))
            fields.append(_Field(name, least, (most - least + 1).bit_length()))
        for name in _NAMES:
            names = tuple(sorted(table[name].unique().cast(pl.String).to_list()))
            fields.append(_Field(name, 0, len(names).bit_length(), names=names))
        return cls(fields)

    def counted(self, samples: pl.DataFrame) -> pl.DataFrame:
        if not self._fits:
            return samples.group_by(list(KEYS)).agg(count=pl.len().cast(pl.Int64)).sort(list(KEYS))
        numbers = self._packed(samples)
        numbers.sort()
        starts = _starts(numbers)
        return self._unpacked(numbers[starts], np.diff(starts, append=len(numbers)))

    def added(self, cells: pl.DataFrame) -> pl.DataFrame:
        if not self._fits:
            return cells.group_by(list(KEYS)).agg(pl.col("count").sum()).sort(list(KEYS))
        numbers = self._packed(cells)
        order = np.argsort(numbers)
        numbers, count = numbers[order], cells["count"].to_numpy()[order]
        starts = _starts(numbers)
        return self._unpacked(numbers[starts], np.add.reduceat(count, starts))

    @property
    def _fits(self) -> bool:
        return sum(field.bits for field in self.fields) <= _MOST_BITS

    def _packed(self, table: pl.DataFrame) -> NDArray[np.int64]:
        numbers = np.zeros(table.height, dtype=np.int64)
        for field in self.fields:
            numbers <<= field.bits
            numbers += _values(table[field.name], field)
            numbers -= field.least - 1
        return numbers

    def _unpacked(self, numbers: NDArray[np.int64], count: NDArray[np.int64]) -> pl.DataFrame:
        columns, place = {"count": pl.Series(count)}, 0
        values = np.empty_like(numbers)
        for field in reversed(self.fields):
            np.right_shift(numbers, place, out=values)
            np.bitwise_and(values, (1 << field.bits) - 1, out=values)
            columns[field.name] = _column(values, field)
            place += field.bits
        return pl.DataFrame(columns).select(list(CELL_SCHEMA))


def _starts(numbers: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where each of the sorted numbers, of which there are some, comes first."""
    return np.append(0, np.flatnonzero(numbers[1:] != numbers[:-1]) + 1)


def _values(column: pl.Series, field: _Field) -> NDArray[np.integer]:
    """Its values, ``least - 1`` for null; of names their places."""
    if field.names:
        codes: NDArray[np.uint32] = column.to_physical().to_numpy()
        return _places(field.names)[codes]
    values: NDArray[np.integer] = column.fill_null(field.least - 1).to_numpy()
    return values


def _places(names: Sequence[str]) -> NDArray[np.int64]:
    """By a name's code, where it stands among the sorted ``names``."""
    codes = pl.Series(names, dtype=pl.Categorical).to_physical().to_numpy()
    places = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    places[codes] = np.arange(len(names))
    return places


def _column(values: NDArray[np.int64], field: _Field) -> pl.Series:
    if field.names:
        return pl.Series(field.names, dtype=pl.Categorical).gather(values - 1)
    known = pl.Series(values.astype(np.int32) + np.int32(field.least - 1))
    if (absent := values == 0).any():
        known = known.set(pl.Series(absent), None)
    return known.cast(KEYS[field.name])
