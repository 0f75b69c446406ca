"""A run as exact counts: small, additive, and every exact percentile of every window is in it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import polars as pl

from pacemark.errors import InputError
from pacemark.results import outcomes
from pacemark.results.cells import (
    CELL_SCHEMA,
    KEYS,
    SUM_SCHEMA,
    add_cells,
    add_sums,
    bounded,
    no_sums,
    widened,
)
from pacemark.results.jtl import Jtl
from pacemark.results.notes import gaps, parts_note, wide_note
from pacemark.results.record import Window
from pacemark.results.tally import Tally

DIGEST_FILE = "digest.parquet"
SAMPLES_FILE = "samples.jtl"

LIFETIME = " lifetime"
"""How the label of a sample of our plans ends that says how long a connection lasted."""

NO_SLOT = 2
"""``waited`` of a sample that the pacing had no slot for, such as a connection's handshake or its end."""

_FORMAT = 2
_META = "pacemark.digest"
_ROWS_AT_ONCE = 250_000


@dataclass(frozen=True, eq=False)
class Digest:
    """Exact counts of samples by (slice, elapsed, response, waited, label, outcome).

    ``cells`` has the columns ``slice`` (number of the slice in which the sample started, counted from the
    first sample), ``elapsed_ms``, ``response_ms`` (elapsed plus how late the request started; null where that
    is unknown), ``waited`` (1 when its thread was idle before it, 0 when the request was overdue already,
    ``NO_SLOT`` where it had none, null where unknown), ``label``, ``outcome`` and ``count``, sorted, each
    combination once. ``sums`` has, by ``slice``, ``label`` and ``outcome``, ``bytes``, ``new_connections``
    and ``all_threads`` (the most at once).
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
    notes: tuple[str, ...] = ()
    """What reading noticed: a partial last line, a window that was rounded."""
    sums: pl.DataFrame = field(default_factory=no_sums)

    @classmethod
    def from_jtl(cls, path: Path, *, ahead_ms: int = 0, origin_ms: int | None = None) -> Self:
        """Count the samples of a JTL.

        Args:
            ahead_ms: how far the clock that wrote it was ahead of the one to count by.
            origin_ms: the instant to count from, by default and at the latest the first sample's start.

        Raises:
            InputError: the file cannot be read for a JTL, a row is malformed, or there are no samples.
        """
        jtl = Jtl(path)
        tally = _counted(jtl, origin_ms, ahead_ms)
        if tally.is_out_of_step:
            tally = _counted(jtl, tally.earliest_ms, ahead_ms)
        return cls.from_tally(tally, jtl)

    @classmethod
    def from_tally(cls, tally: Tally, jtl: Jtl) -> Self:
        """What was counted of ``jtl``.

        Raises:
            InputError: nothing was.
        """
        if tally.is_empty:
            raise _no_samples(jtl)
        parts, noticed = jtl.sub_results(), []
        cells, sums = tally.tables()
        if parts:
            is_part = pl.col("label").cast(pl.String).is_in(sorted(parts))
            noticed.append(parts_note(int(cells.filter(is_part)["count"].sum())))
            cells, sums = cells.filter(~is_part), sums.filter(~is_part)
        assert tally.origin_ms is not None
        seconds = (tally.end_ms - tally.origin_ms) / 1000
        if tally.is_dense:
            noticed.append(wide_note(tally.slice_s))
        return cls(
            cells=cells,
            start_ms=tally.origin_ms,
            end_ms=tally.end_ms,
            slice_s=tally.slice_s,
            window=Window(from_s=0, to_s=seconds),
            seconds=seconds,
            absent=jtl.absent,
            parents=jtl.parents,
            notes=(*jtl.notes, *gaps(sums, tally.slice_s), *noticed),
            sums=sums,
        )

    @classmethod
    def of(
        cls, path: Path, *, label: str | None = None, from_s: float = 0.0, to_s: float | None = None
    ) -> Self:
        """The digest of a run's directory, a JTL or a digest file.

        A question about one label, or a window of [from_s, to_s), need not wait for the other cells, of which
        a long run has millions: of a digest file they are left out. ``sums`` is whole, and whoever asks still
        cuts with ``only`` and ``between``.

        Raises:
            InputError: it is none of these, or cannot be read.
        """
        if path.is_dir():
            for name in (DIGEST_FILE, SAMPLES_FILE):
                if (path / name).exists():
                    return cls.of(path / name, label=label, from_s=from_s, to_s=to_s)
            raise InputError(
                f"{path} holds neither {DIGEST_FILE} nor {SAMPLES_FILE}", "give a run's directory or a JTL"
            )
        if path.is_file() and _starts_with(path, b"PAR1"):
            return cls.load(path, label=label, from_s=from_s, to_s=to_s)
        return cls.from_jtl(path)

    @classmethod
    def load(
        cls, path: Path, *, label: str | None = None, from_s: float = 0.0, to_s: float | None = None
    ) -> Self:
        """Read a digest file; the cells of one label or window only where one is given, as ``of``.

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
            table = pl.scan_parquet(path)
            is_cell = pl.col("elapsed_ms").is_not_null()
            wanted = is_cell & (pl.col("slice") >= _slice_of(from_s, meta["slice_s"]))
            if to_s is not None:
                wanted &= pl.col("slice") < -_slice_of(-to_s, meta["slice_s"])
            if label is not None:
                wanted &= pl.col("label") == label
            cells = table.filter(wanted).select(_typed(CELL_SCHEMA)).collect(engine="streaming")
            sums = table.filter(~is_cell).select(_typed(SUM_SCHEMA)).collect()
            return cls(cells=cells, sums=sums, **_from_meta(meta))
        except (pl.exceptions.PolarsError, OSError, KeyError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} is no digest: {error!r:.120}", "make it anew from samples.jtl"
            ) from error

    def save(self, path: Path) -> None:
        """Write the digest as one Parquet table (zstd), replacing it at once.

        The cells' rows come first; those of ``sums`` follow, with no ``elapsed_ms`` and no ``count``. The
        rest stands in the file's metadata.
        """
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
        table = pl.concat([self.cells.lazy(), self.sums.lazy()], how="diagonal")
        table.sink_parquet(
            part,
            compression="zstd",
            row_group_size=_ROWS_AT_ONCE,
            metadata={_META: json.dumps(meta, sort_keys=True)},
        )
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
        return tuple(sorted(self.cells["label"].unique().cast(pl.String)))

    def where(self, condition: pl.Expr) -> Self:
        """The samples that meet a condition on ``slice``, ``label`` and ``outcome``, over the same window."""
        return replace(self, cells=self.cells.filter(condition), sums=self.sums.filter(condition))

    @property
    def tells_response(self) -> bool:
        """Whether any of its samples tells when it was due."""
        return bool(self.cells["response_ms"].null_count() < self.cells.height)

    def without_lifetimes(self) -> Self:
        """Without how long connections lasted, which is no latency and no part of what all labels show.

        Those are the labels that end in ``lifetime`` and had no slot: elsewhere a request may be called so.
        """
        named = [label for label in self.labels if label.endswith(LIFETIME)]
        is_named = pl.col("label").cast(pl.String).is_in(named)
        found = self.cells.filter(is_named & (pl.col("waited") == NO_SLOT)) if named else self.cells.clear()
        lifetimes = found["label"].cast(pl.String).unique().to_list()
        return self.where(~pl.col("label").cast(pl.String).is_in(lifetimes)) if lifetimes else self

    def only(self, label: str) -> Self:
        """The samples of one label, over the same window."""
        return self.where(pl.col("label") == label)

    def by_label(self, labels: Iterable[str] | None = None) -> dict[str, Self]:
        """``only`` of each label, sorted, or of those given, in one pass: there may be thousands of them."""
        parts = [
            {str(name): part for (name,), part in table.partition_by("label", as_dict=True).items()}
            for table in (self.cells, self.sums)
        ]
        none = (self.cells.clear(), self.sums.clear())
        wanted = sorted(parts[0]) if labels is None else labels
        return {
            label: replace(self, cells=parts[0].get(label, none[0]), sums=parts[1].get(label, none[1]))
            for label in wanted
        }

    def at_once(self) -> Self:
        """The same samples with all of the window as one slice: small, whatever the digest's length."""
        flat = pl.lit(0, pl.Int32).alias("slice")
        keys = [name for name in KEYS if name != "slice"]
        added = self.cells.lazy().group_by(keys).agg(pl.col("count").sum())
        cells = add_cells([added.collect(engine="streaming").with_columns(flat)])
        return replace(self, cells=cells, sums=add_sums([self.sums.with_columns(flat)]))

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
        # Of all samples, where only a window's cells were loaded.
        ends: list[Any] = [table["slice"].max() for table in (self.cells, self.sums) if table.height]
        newest = max(ends, default=None)
        ended_s = (self.end_ms - self.start_ms) / 1000
        whole = newest is None or _slice_of(end_s, self.slice_s) > newest or end_s >= ended_s
        start = max(float(first * self.slice_s), self.window.from_s)
        end = end_s if whole else float(last * self.slice_s)
        rounded = (round(start * 1000), round(end * 1000)) != (round(from_s * 1000), round(end_s * 1000))
        note = f"window {from_s:g}-{end_s:g} s rounded to {start:g}-{end:g} s: slices are of {self.slice_s} s"
        return replace(
            self,
            cells=_within(self.cells, first, None if whole else last),
            sums=_within(self.sums, first, None if whole else last),
            window=Window(from_s=start, to_s=end),
            seconds=self.runs * (end - start),
            notes=(*self.notes, note) if rounded else self.notes,
        )


def merge(digests: Sequence[Digest]) -> Digest:
    """Pool digests: counts add, each run counted from its own first sample.

    Slices become as wide as the widest, or wider as ``bounded`` has it. ``seconds`` adds too, so a
    throughput is the mean of the runs'.

    Raises:
        InputError: there are none.
    """
    if not digests:
        raise InputError("nothing to pool", "give at least one run")
    widest_s = max(digest.slice_s for digest in digests)
    factors = [widest_s // digest.slice_s for digest in digests]
    first = min(digests, key=lambda digest: digest.start_ms)
    cells, sums, slice_s = bounded(
        add_cells([widened(one.cells, by) for one, by in zip(digests, factors, strict=True)]),
        add_sums([widened(one.sums, by) for one, by in zip(digests, factors, strict=True)]),
        widest_s,
    )
    notes = dict.fromkeys(note for digest in digests for note in digest.notes)
    wide = [wide_note(slice_s)] if slice_s > widest_s else []
    return Digest(
        cells=cells,
        sums=sums,
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
        notes=(*notes, *wide),
    )


def _within(table: pl.DataFrame, first: int, last: int | None) -> pl.DataFrame:
    """The rows of slices in [first, last), without a copy: they are sorted by slice."""
    start = table["slice"].search_sorted(first)
    end = table.height if last is None else table["slice"].search_sorted(last)
    return table.slice(start, end - start)


def _counted(jtl: Jtl, origin_ms: int | None, ahead_ms: int) -> Tally:
    tally = Tally(origin_ms)
    for samples in jtl.samples():
        tally.add(samples, ahead_ms)
    return tally


def _no_samples(jtl: Jtl) -> InputError:
    if jtl.parents:
        return InputError(
            f"{jtl.path} holds only the sums of Transaction Controllers, not the samples in them",
            "untick their 'Generate parent sample', or save as XML",
        )
    return InputError(f"{jtl.path} holds no samples", "did the load start? see jmeter.log")


def _typed(schema: Mapping[str, Any]) -> list[pl.Expr]:
    return [pl.col(name).cast(kind) for name, kind in schema.items()]


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
