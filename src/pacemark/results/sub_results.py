"""Sub-results in a CSV, where nothing marks them: their names, and that they ran within another sample."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import polars as pl

_KEYS = ["thread", "label"]
_CLOCK_MS = 2
"""By how much the edges of two samples of a thread may be off: each of them rounds, and reads the time from a
clock of JMeter's that is set anew every 5 s (``sampleresult.nanoThreadSleep``)."""


def sub_results(tables: Iterable[pl.DataFrame], wholes: Mapping[str, str]) -> set[str]:
    """Those labels of ``wholes`` whose every sample is part of one of the label that stands there.

    On a thread one sample follows another: what ran within one is a part of it. A label of which most samples
    are so short that they may as well have followed it is none, nor is one where samples of the whole overlap
    each other: then a name is that of several threads.

    Args:
        tables: samples with ``label``, ``thread``, ``start_ms`` and ``elapsed_ms``, a stretch of the file at
            a time: a part is at most a stretch away from the sample that it is part of.
    """
    left, count, shared = dict(wholes), Counter[str](), Counter[str]()
    for rows, near in _with_neighbours(_named(table, wholes) for table in tables):
        for no_part in _no_parts(near, left):
            del left[no_part]
        parts = rows.filter(pl.col("label").is_in(left.keys())).with_columns(
            label=pl.col("label").replace_strict(left), part="label", by_ms=pl.col("start_ms") + _CLOCK_MS
        )
        ends = near.select(*_KEYS, from_ms="start_ms", to_ms="end_ms").sort("from_ms", "to_ms")
        found = parts.sort("by_ms").join_asof(
            ends, left_on="by_ms", right_on="from_ms", by=_KEYS, check_sortedness=False
        )
        is_within = (pl.col("end_ms") <= pl.col("to_ms") + _CLOCK_MS).fill_null(False)
        for alone in found.filter(~is_within | (pl.col("thread") == ""))["part"].unique():
            del left[alone]
        if not left:
            break
        shared_ms = pl.min_horizontal("end_ms", "to_ms") - pl.max_horizontal("start_ms", "from_ms")
        count.update(found["part"])
        shared.update(found.filter(shared_ms > _CLOCK_MS)["part"])
    return {label for label in left if 2 * shared[label] > count[label]}


def _named(table: pl.DataFrame, wholes: Mapping[str, str]) -> pl.DataFrame:
    label = pl.col("label").cast(pl.String)
    end_ms = pl.col("start_ms") + pl.col("elapsed_ms")
    rows = table.select("thread", "start_ms", label=label, end_ms=end_ms)
    return rows.filter(pl.col("label").is_in({*wholes, *wholes.values()}))


def _no_parts(rows: pl.DataFrame, wholes: Mapping[str, str]) -> list[str]:
    """The labels whose wholes overlap each other on a thread."""
    before = pl.col("end_ms").shift().over(_KEYS)
    overlaps = rows.sort("start_ms", "end_ms").filter(pl.col("start_ms") < before - _CLOCK_MS)
    mixed = set(overlaps["label"].unique())
    return [label for label, whole in wholes.items() if whole in mixed]


def _with_neighbours(tables: Iterator[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Each table, and beside it the rows of the one before, of itself and of the one after."""
    first = next(tables, None)
    if first is None:
        return
    near = deque([first.clear(), first], maxlen=3)
    for table in chain(tables, [first.clear()]):
        near.append(table)
        yield near[1], pl.concat(near)
