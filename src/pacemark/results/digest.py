"""A run as exact counts: small, additive, and every exact percentile of every window is in it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import polars as pl

from pacemark.errors import InputError
from pacemark.results import outcomes
from pacemark.results.jtl import Jtl
from pacemark.results.record import Window

DIGEST_FILE = "digest.parquet"
SAMPLES_FILE = "samples.jtl"

LIFETIME = " lifetime"
"""How the label of a sample ends that says how long a connection lasted."""

NO_SLOT = 2
"""``waited`` of a sample that the pacing had no slot for, such as a connection's handshake or its end."""

_FORMAT = 1
_META = "pacemark.digest"
_KEYS = {
    "slice": pl.Int32,
    "label": pl.Categorical,
    "outcome": pl.Categorical,
    "elapsed_ms": pl.Int32,
    "response_ms": pl.Int32,
    "waited": pl.Int8,
}
CELL_ORDER = ["slice", "elapsed_ms", "response_ms", "waited", "label", "outcome"]
_SUMS = {"count": pl.Int64, "bytes": pl.Int64, "new_connections": pl.Int64}
CELL_SCHEMA = {**_KEYS, **_SUMS, "all_threads": pl.Int32}

# The width of a slice in seconds, and up to how many of them: an hour of 1 s, ten hours of 10 s.
_SLICES_S = (1, 10, 60)
_MOST_SLICES = 3600
# A sample is written when it ends: slices this far behind the newest are put aside as finished. Those that
# come later all the same are counted in at the end.
_OPEN_SLICES = 20


@dataclass(frozen=True, eq=False)
class Digest:
    """Exact counts of samples by (slice, label, outcome, elapsed, response, waited).

    ``cells`` has the columns ``slice`` (number of the slice in which the sample started, counted from the
    first sample), ``label``, ``outcome``, ``elapsed_ms``, ``response_ms`` (elapsed plus how late the request
    started; null where that is unknown), ``waited`` (1 when its thread was idle before it, 0 when the
    request was overdue already, ``NO_SLOT`` where it had none, null where unknown), ``count``, ``bytes``,
    ``new_connections`` and ``all_threads`` (the most at once), sorted, each combination once.
    """

    cells: pl.DataFrame
    start_ms: int
    """The start of the first sample, in milliseconds since 1970."""
    end_ms: int
    """The end of the last sample to end."""
    slice_s: int
    window: Window
    """What the cells cover: from the first start to the last end, or what ``between`` cut."""
    runs: int = 1
    """How many runs are pooled in it."""
    seconds: float = 0.0
    """The windows of the pooled runs, in all."""
    absent: tuple[str, ...] = ()
    """Which of bytes, connect_ms and all_threads the samples did not tell; they count as 0."""
    parents: int = 0
    """Rows of Transaction Controllers in the JTL: JMeter counts them, this does not."""
    notes: tuple[str, ...] = field(default=())
    """What reading noticed: a partial last line, a window that was rounded."""

    @classmethod
    def from_jtl(cls, path: Path, *, ahead_ms: int = 0, origin_ms: int | None = None) -> Self:
        """Count the samples of a CSV JTL.

        Args:
            ahead_ms: how far the clock that wrote it was ahead of the one to count by.
            origin_ms: the instant to count from, by default and at the latest the first sample's start.

        Raises:
            InputError: the file cannot be read for a JTL, a row is malformed, or there are no samples.
        """
        jtl = Jtl(path)
        tally = _counted(jtl, origin_ms, ahead_ms)
        if tally.earliest_ms < tally.origin_ms:
            tally = _counted(jtl, tally.earliest_ms, ahead_ms)
        seconds = (tally.end_ms - tally.origin_ms) / 1000
        return cls(
            cells=tally.cells(),
            start_ms=tally.origin_ms,
            end_ms=tally.end_ms,
            slice_s=tally.slice_s,
            window=Window(from_s=0, to_s=seconds),
            seconds=seconds,
            absent=jtl.absent,
            parents=jtl.parents,
            notes=jtl.notes,
        )

    @classmethod
    def of(cls, path: Path) -> Self:
        """The digest of a run's directory, a JTL or a digest file.

        Raises:
            InputError: it is none of these, or cannot be read.
        """
        if path.is_dir():
            for name in (DIGEST_FILE, SAMPLES_FILE):
                if (path / name).exists():
                    return cls.of(path / name)
            raise InputError(
                f"{path} holds neither {DIGEST_FILE} nor {SAMPLES_FILE}", "give a run's directory or a JTL"
            )
        if path.is_file() and _starts_with(path, b"PAR1"):
            return cls.load(path)
        return cls.from_jtl(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a digest file.

        Raises:
            InputError: it is no digest, or one of another format.
        """
        try:
            meta = json.loads(pl.read_parquet_metadata(path)[_META])
            if meta["format"] != _FORMAT:
                raise InputError(
                    f"{path} has format {meta['format']}, this Pacemark reads {_FORMAT}",
                    "make it anew from samples.jtl",
                )
            cells = pl.read_parquet(path).select(
                pl.col(name).cast(kind) for name, kind in CELL_SCHEMA.items()
            )
            return cls(cells=cells, **_from_meta(meta))
        except (pl.exceptions.PolarsError, OSError, KeyError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} is no digest: {error!r:.120}", "make it anew from samples.jtl"
            ) from error

    def save(self, path: Path) -> None:
        """Write the digest as Parquet (zstd); the rest stands in the file's metadata. Replaces at once."""
        meta = {
            "format": _FORMAT,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "slice_s": self.slice_s,
            "window": [self.window.from_s, self.window.to_s],
            "runs": self.runs,
            "seconds": self.seconds,
            "absent": list(self.absent),
            "parents": self.parents,
            "notes": list(self.notes),
        }
        part = path.with_name(path.name + ".part")
        self.cells.write_parquet(part, compression="zstd", metadata={_META: json.dumps(meta, sort_keys=True)})
        part.replace(path)

    @property
    def count(self) -> int:
        """All samples."""
        return int(self.cells["count"].sum())

    @property
    def errors(self) -> int:
        """The samples that failed."""
        return int(self.cells.filter(pl.col("outcome") != outcomes.OK)["count"].sum())

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have samples, sorted."""
        return tuple(sorted(self.cells["label"].cast(pl.String).unique()))

    def without_lifetimes(self) -> Self:
        """Without the labels that end in ``lifetime``: how long a connection lasted is no latency, so it is
        no part of what all labels together show."""
        is_one = pl.col("label").cast(pl.String).str.ends_with(LIFETIME)
        return replace(self, cells=self.cells.filter(~is_one))

    def only(self, label: str) -> Self:
        """The samples of one label, over the same window."""
        return replace(self, cells=self.cells.filter(pl.col("label") == label))

    def between(self, from_s: float = 0.0, to_s: float | None = None) -> Self:
        """The samples that started in [from_s, to_s), in seconds from the first sample.

        Without ``to_s`` up to the end; so too with one at or after the last end. The window stays as asked
        for where the samples end before it; one that cuts a slice is rounded outward to the slice's edge, and
        a note says so.

        Raises:
            InputError: the window is empty or begins before the first sample.
        """
        if to_s is None and from_s == self.window.from_s:
            return self
        end_s = self.window.to_s if to_s is None else to_s
        if not 0 <= from_s < end_s:
            raise InputError(
                f"the window from {from_s:g} to {end_s:g} s is empty",
                f"the samples go from {self.window.from_s:g} to {self.window.to_s:g} s",
            )
        first, last = _slice_of(from_s, self.slice_s), -_slice_of(-end_s, self.slice_s)
        newest: Any = self.cells["slice"].max()
        ended_s = (self.end_ms - self.start_ms) / 1000
        whole = newest is None or _slice_of(end_s, self.slice_s) > newest or end_s >= ended_s
        start = max(float(first * self.slice_s), self.window.from_s)
        end = end_s if whole else float(last * self.slice_s)
        inside = pl.col("slice") >= first if whole else pl.col("slice").is_between(first, last, closed="left")
        rounded = (round(start * 1000), round(end * 1000)) != (round(from_s * 1000), round(end_s * 1000))
        note = f"window {from_s:g}-{end_s:g} s rounded to {start:g}-{end:g} s: slices are of {self.slice_s} s"
        return replace(
            self,
            cells=self.cells.filter(inside),
            window=Window(from_s=start, to_s=end),
            seconds=self.runs * (end - start),
            notes=(*self.notes, note) if rounded else self.notes,
        )


def merge(digests: Sequence[Digest]) -> Digest:
    """Pool digests: counts add, each run counted from its own first sample.

    Slices become as wide as the widest. ``seconds`` adds too, so a throughput is the mean of the runs'.

    Raises:
        InputError: there are none.
    """
    if not digests:
        raise InputError("nothing to pool", "give at least one run")
    slice_s = max(digest.slice_s for digest in digests)
    parts = [widened_cells(digest.cells, slice_s // digest.slice_s) for digest in digests]
    first = min(digests, key=lambda digest: digest.start_ms)
    return Digest(
        cells=summed_cells(parts).sort(CELL_ORDER),
        start_ms=first.start_ms,
        end_ms=first.start_ms + max(digest.end_ms - digest.start_ms for digest in digests),
        slice_s=slice_s,
        window=Window(
            from_s=min(digest.window.from_s for digest in digests),
            to_s=max(digest.window.to_s for digest in digests),
        ),
        runs=sum(digest.runs for digest in digests),
        seconds=sum(digest.seconds for digest in digests),
        parents=sum(digest.parents for digest in digests),
        absent=tuple(sorted({name for digest in digests for name in digest.absent})),
        notes=tuple(dict.fromkeys(note for digest in digests for note in digest.notes)),
    )


class _Tally:
    """Counts samples stretch by stretch in bounded memory, in slices from ``origin_ms``."""

    def __init__(self, origin_ms: int | None) -> None:
        self.origin_ms = self.earliest_ms = origin_ms if origin_ms is not None else 0
        self.end_ms = 0
        self.slice_s = _SLICES_S[0]
        self._started = origin_ms is not None
        self._open = _empty()
        self._closed: list[pl.DataFrame] = []
        self._late: list[pl.DataFrame] = []
        self._edges = [0]

    def add(self, samples: pl.DataFrame) -> None:
        earliest, latest, end_ms = samples.select(
            pl.col("start_ms").min().alias("earliest"),
            pl.col("start_ms").max().alias("latest"),
            (pl.col("start_ms") + pl.col("elapsed_ms")).max().alias("end"),
        ).row(0)
        if not self._started:
            self.origin_ms = self.earliest_ms = earliest
            self._started = True
        self.end_ms = max(self.end_ms, end_ms)
        self.earliest_ms = min(self.earliest_ms, earliest)
        if self.earliest_ms == self.origin_ms:
            self._widen_for(latest)
            self._take(self._cells_of(samples))

    def cells(self) -> pl.DataFrame:
        """All cells, sorted: the closed parts are in order, each takes the late ones of its slices."""
        late = summed_cells([_empty(), *self._late])
        parts = []
        for part, (start, end) in zip(
            self._closed, zip(self._edges, self._edges[1:], strict=False), strict=True
        ):
            mine = late.filter(pl.col("slice").is_between(start, end, closed="left"))
            parts.append(summed_cells([part, mine]).sort(CELL_ORDER) if mine.height else part)
        parts.append(self._open.sort(CELL_ORDER))
        self._closed.clear()
        return pl.concat(parts)

    def _widen_for(self, latest_ms: int) -> None:
        for wider_s in _SLICES_S:
            if wider_s > self.slice_s and (latest_ms - self.origin_ms) // 1000 >= _MOST_SLICES * self.slice_s:
                factor, self.slice_s = wider_s // self.slice_s, wider_s
                self._open = widened_cells(self.cells(), factor)
                self._late, self._edges = [], [0]

    def _cells_of(self, samples: pl.DataFrame) -> pl.DataFrame:
        cells = samples.lazy().select(
            slice=((pl.col("start_ms") - self.origin_ms) // (1000 * self.slice_s)).cast(pl.Int32),
            label=pl.col("label").cast(pl.Categorical),
            outcome=pl.col("outcome").cast(pl.Categorical),
            elapsed_ms="elapsed_ms",
            response_ms=pl.col("elapsed_ms") + pl.col("late_ms"),
            waited="waited",
            count=pl.lit(1, dtype=pl.Int64),
            bytes="bytes",
            new_connections=(pl.col("connect_ms") > 0).cast(pl.Int64),
            all_threads="all_threads",
        )
        return cells.group_by(list(_KEYS)).agg(_added()).collect()

    def _take(self, cells: pl.DataFrame) -> None:
        closed = self._edges[-1]
        late = cells.filter(pl.col("slice") < closed)
        if late.height:
            self._late.append(late)
        self._open = summed_cells([self._open, cells.filter(pl.col("slice") >= closed)])
        newest: Any = self._open["slice"].max()
        if newest is not None and newest - _OPEN_SLICES > closed:
            edge = newest - _OPEN_SLICES
            self._closed.append(self._open.filter(pl.col("slice") < edge).sort(CELL_ORDER))
            self._open = self._open.filter(pl.col("slice") >= edge)
            self._edges.append(edge)


def _counted(jtl: Jtl, origin_ms: int | None, ahead_ms: int) -> _Tally:
    tally, empty = _Tally(origin_ms), True
    for samples in jtl.samples():
        tally.add(samples.with_columns(pl.col("start_ms") - ahead_ms) if ahead_ms else samples)
        empty = False
    if empty:
        raise InputError(f"{jtl.path} holds no samples", "did the load start? see jmeter.log")
    return tally


def _added() -> list[pl.Expr]:
    return [*(pl.col(name).sum() for name in _SUMS), pl.col("all_threads").max()]


def summed_cells(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Cells of several tables, each combination once, in no order."""
    return pl.concat(parts).lazy().group_by(list(_KEYS)).agg(_added()).collect()


def widened_cells(cells: pl.DataFrame, factor: int) -> pl.DataFrame:
    """Cells whose slices are ``factor`` times as wide."""
    if factor == 1:
        return cells
    return summed_cells([cells.with_columns(pl.col("slice") // factor)])


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=CELL_SCHEMA)


def _slice_of(seconds: float, slice_s: int) -> int:
    return round(seconds * 1000) // (slice_s * 1000)


def _from_meta(meta: dict[str, Any]) -> dict[str, Any]:
    from_s, to_s = meta["window"]
    plain = {name: meta[name] for name in ("start_ms", "end_ms", "slice_s", "runs", "seconds", "parents")}
    lists = {name: tuple(meta[name]) for name in ("absent", "notes")}
    return {**plain, **lists, "window": Window(from_s=from_s, to_s=to_s)}


def _starts_with(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic
