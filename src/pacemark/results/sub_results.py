"""Sub-results in a CSV, where nothing marks them: their names, and that they ran within another sample."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import polars as pl

_KEYS = ("thread", "label")
_CLOCK_MS = 2
"""By how much the edges of two samples of a thread may be off: each of them rounds, and reads the time from a
clock of JMeter's that is set anew every 5 s (``sampleresult.nanoThreadSleep``)."""


def sub_results(tables: Iterable[pl.DataFrame], wholes: Mapping[str, str]) -> set[str]:
    """Those labels of ``wholes`` whose every sample is part of one of the label that stands there.

    On a thread one sample follows another: what ran within one is a part of it. A label whose samples are all
    so short that they may as well have followed it is none.

    Args:
        tables: samples with ``label``, ``thread``, ``start_ms`` and ``elapsed_ms``, a stretch of the file at
            a time: a part is at most a stretch away from the sample that it is part of.
    """
    left, within = dict(wholes), set[str]()
    for rows, near in _with_neighbours(_named(table, wholes) for table in tables):
        mine = rows.filter(pl.col("label").is_in(left.keys()))
        parts = mine.with_columns(
            label=pl.col("label").replace_strict(left), part="label", by_ms=pl.col("start_ms") + _CLOCK_MS
        )
        ends = near.select(*_KEYS, from_ms="start_ms", to_ms="end_ms").sort("from_ms", "to_ms")
        found = parts.sort("by_ms").join_asof(
            ends, left_on="by_ms", right_on="from_ms", by=list(_KEYS), check_sortedness=False
        )
        is_within = (pl.col("end_ms") <= pl.col("to_ms") + _CLOCK_MS).fill_null(False)
        for alone in found.filter(~is_within)["part"].unique():
            del left[alone]
        shared_ms = pl.min_horizontal("end_ms", "to_ms") - pl.max_horizontal("start_ms", "from_ms")
        within.update(found.filter(is_within & (shared_ms > _CLOCK_MS))["part"])
        if not left:
            break
    return left.keys() & within


def _named(table: pl.DataFrame, wholes: Mapping[str, str]) -> pl.DataFrame:
    label = pl.col("label").cast(pl.String)
    end_ms = pl.col("start_ms") + pl.col("elapsed_ms")
    rows = table.select("thread", "start_ms", label=label, end_ms=end_ms)
    return rows.filter(pl.col("label").is_in({*wholes, *wholes.values()}))


def _with_neighbours(tables: Iterator[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Each table, and beside it the rows of the one before, of itself and of the one after."""
    first = next(tables, None)
    if first is None:
        return
    near = deque([first.clear(), first], maxlen=3)
    for table in chain(tables, [first.clear()]):
        near.append(table)
        yield near[1], pl.concat(near)
