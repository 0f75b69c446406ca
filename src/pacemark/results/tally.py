"""Counting samples as they come, in bounded memory: what a digest is made of."""

import io
from typing import cast

import polars as pl

from pacemark.results import cells
from pacemark.results.cells import (
    SLICES_S,
    SUM_KEYS,
    SUM_SCHEMA,
    add_cells,
    add_sums,
    bounded,
    count_cells,
    no_cells,
    no_sums,
    widened,
    wider_than,
)

MOST_SLICES = 3600
"""Up to which a run has slices of each width: an hour those of 1 s, ten hours those of 10 s."""
# A sample is written when it ends: slices this far behind the newest start are put aside. What comes for them
# all the same is added at the end.
_OPEN_MS = 20_000
# Counted at once: fewer cost more work on what stays open, more cost memory (some 100 bytes each).
_BATCH = 400_000


class Tally:
    """Counts samples in slices from ``origin_ms``, by default the earliest start of the first batch."""

    def __init__(self, origin_ms: int | None = None) -> None:
        self.origin_ms = origin_ms
        self.earliest_ms: int | None = None
        self.end_ms = 0
        self.slice_s = SLICES_S[0]
        self._latest_ms = 0
        self._waiting: list[pl.DataFrame] = []
        self._rows = 0
        self._open = no_cells()
        self._closed: list[bytes] = []
        self._heights: list[int] = []
        self._edges = [0]
        self._late: list[pl.DataFrame] = []
        self._sums = [no_sums()]

    @property
    def is_empty(self) -> bool:
        """Whether there were no samples yet."""
        return self.earliest_ms is None

    @property
    def is_out_of_step(self) -> bool:
        """Whether a sample started before the origin, so that all must be counted anew from there."""
        if self.origin_ms is None or self.earliest_ms is None:
            return False
        return self.earliest_ms < self.origin_ms

    def add(self, samples: pl.DataFrame, ahead_ms: int = 0) -> None:
        """Count samples whose times are ``ahead_ms`` ahead."""
        if ahead_ms:
            samples = samples.with_columns(pl.col("start_ms") - ahead_ms)
        starts = samples["start_ms"]
        earliest, latest = cast(int, starts.min()), cast(int, starts.max())
        end_ms = cast(int, (starts + samples["elapsed_ms"]).max())
        self.earliest_ms = earliest if self.earliest_ms is None else min(self.earliest_ms, earliest)
        self._latest_ms, self.end_ms = max(self._latest_ms, latest), max(self.end_ms, end_ms)
        if self.is_out_of_step:
            self._waiting.clear()
            return
        self._waiting.append(samples)
        self._rows += samples.height
        if self._rows >= _BATCH:
            self._count()
            self._close(self._latest_ms - _OPEN_MS)

    @property
    def is_dense(self) -> bool:
        """Whether there are so many different samples that slices are wider than the run's length asks."""
        return self.origin_ms is not None and self.slice_s > _width_for(self._latest_ms - self.origin_ms)

    def tables(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """All cells and sums, sorted; nothing can be added after it."""
        self._count()
        late = add_cells([no_cells(), *self._late])
        parts, ranges = [], zip(self._edges, self._edges[1:], strict=False)
        for packed, (start, end) in zip(self._closed, ranges, strict=True):
            mine = late.filter(pl.col("slice").is_between(start, end, closed="left"))
            part = _unpacked(packed)
            parts.append(add_cells([part, mine]) if mine.height else part)
        parts.append(add_cells([self._open, late.filter(pl.col("slice") >= self._edges[-1])]))
        self._closed, self._late, self._open = [], [], no_cells()
        found, sums, self.slice_s = bounded(pl.concat(parts), add_sums(self._sums), self.slice_s)
        return found, sums

    def _count(self) -> None:
        """Count what waits: in slices that are open, or came too late for theirs."""
        if not self._waiting:
            return
        origin_ms = self.origin_ms if self.origin_ms is not None else self.earliest_ms
        assert origin_ms is not None
        self.origin_ms = origin_ms
        if (wider_s := _width_for(self._latest_ms - origin_ms)) > self.slice_s:
            self._widen(wider_s)
        rows = pl.concat(self._waiting).with_columns(
            slice=((pl.col("start_ms") - origin_ms) // (1000 * self.slice_s)).cast(pl.Int32),
            response_ms=pl.col("elapsed_ms") + pl.col("late_ms"),
        )
        self._waiting, self._rows = [], 0
        self._sums.append(_sums_of(rows))
        late, found = _split(count_cells(rows), self._edges[-1])
        if late.height:
            self._late.append(late)
        if self._open.height:
            # Most slices are new: only the others are added up.
            again, new = _split(found, cast(int, self._open["slice"][-1]) + 1)
            found = pl.concat([add_cells([self._open, again]), new])
        self._open = found
        # All cells are no fewer than those counted: what comes can only make slices wider still.
        for wider_s in wider_than(self.slice_s):
            if sum(self._heights) + self._open.height > cells.MOST_CELLS:
                self._widen(wider_s)

    def _close(self, before_ms: int) -> None:
        """Put the slices aside that end before it."""
        assert self.origin_ms is not None
        edge = max((before_ms - self.origin_ms) // (1000 * self.slice_s), self._edges[-1])
        part, self._open = _split(self._open, edge)
        self._put_aside(part)
        self._edges.append(edge)

    def _put_aside(self, part: pl.DataFrame) -> None:
        self._closed.append(_packed(part))
        self._heights.append(part.height)

    def _widen(self, wider_s: int) -> None:
        factor, self.slice_s = wider_s // self.slice_s, wider_s
        self._sums = [add_sums([widened(part, factor) for part in self._sums])]
        self._late = [widened(part, factor) for part in self._late]
        self._edges = [edge // factor for edge in self._edges]
        parts, self._closed, self._heights = self._closed, [], []
        rest = no_cells()
        for packed, end in zip(parts, self._edges[1:], strict=True):
            part = add_cells([rest, widened(_unpacked(packed), factor)])
            # The slice that goes on in the next part belongs to that one.
            goes_on = pl.col("slice") >= end
            rest = part.filter(goes_on)
            self._put_aside(part.filter(~goes_on))
        self._open = add_cells([rest, widened(self._open, factor)])


def _width_for(span_ms: int) -> int:
    """The width of slices, in seconds, that the time between the first and the last start asks for."""
    return next((width for width in SLICES_S if span_ms < 1000 * MOST_SLICES * width), SLICES_S[-1])


def _split(found: pl.DataFrame, edge: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sorted cells of the slices before ``edge``, and of those from there on."""
    at = found["slice"].search_sorted(edge)
    return found[:at], found[at:]


def _packed(part: pl.DataFrame) -> bytes:
    """What is counted and put aside, in a fifteenth of its memory at a tenth of the time it took to count."""
    file = io.BytesIO()
    part.write_ipc(file, compression="zstd")
    return file.getvalue()


def _unpacked(part: bytes) -> pl.DataFrame:
    return pl.read_ipc(part)


def _sums_of(rows: pl.DataFrame) -> pl.DataFrame:
    sums = rows.lazy().group_by(list(SUM_KEYS))
    added = sums.agg(
        pl.col("bytes").sum(),
        new_connections=(pl.col("connect_ms") > 0).sum().cast(pl.Int64),
        all_threads=pl.col("all_threads").max(),
    )
    return added.select(list(SUM_SCHEMA)).collect(engine="streaming")
