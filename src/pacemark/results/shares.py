"""One load whose samples stand in several files, each written by a machine of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from pacemark.errors import InputError
from pacemark.results.cells import SUM_SCHEMA, add_cells, add_sums, bounded, widened
from pacemark.results.digest import Digest
from pacemark.results.jtl import Jtl
from pacemark.results.notes import wide_note
from pacemark.results.record import Window


class SharedSamples(NamedTuple):
    """A JTL, and by how many milliseconds the clock that wrote it was ahead."""

    path: Path
    ahead_ms: int


def together(shares: Sequence[SharedSamples]) -> Digest:
    """The digest of one load's samples that stand in several JTLs, as if they stood in one.

    Raises:
        InputError: there are none, or one cannot be read.
    """
    parts = [Digest.from_jtl(path, ahead_ms=ahead_ms) for path, ahead_ms in shares]
    origin_ms = min((part.start_ms for part in parts), default=0)
    return merged(
        [
            part
            if part.start_ms == origin_ms
            else Digest.from_jtl(path, ahead_ms=ahead_ms, origin_ms=origin_ms)
            for part, (path, ahead_ms) in zip(parts, shares, strict=True)
        ]
    )


def merged(parts: Sequence[Digest]) -> Digest:
    """The digest of one load, from those of its shares, which all count from one instant by one clock.

    Unlike ``merge``, which pools runs, each from its own first sample, all shares have one axis of time and
    one window. ``all_threads`` is the sum of what each engine had at once in the slice.

    Raises:
        InputError: there are none, or they count from different instants.
    """
    if not parts:
        raise InputError("no share of the load has samples", "see the workers' logs")
    origin_ms = parts[0].start_ms
    if any(part.start_ms != origin_ms for part in parts):
        raise InputError("the shares of the load count from different instants", "make them from the JTLs")
    widest_s = max(part.slice_s for part in parts)
    factors = [widest_s // part.slice_s for part in parts]
    sums = [add_sums([widened(part.sums, by)]) for part, by in zip(parts, factors, strict=True)]
    end_ms = max(part.end_ms for part in parts)
    seconds = (end_ms - origin_ms) / 1000
    cells, added, slice_s = bounded(
        add_cells([widened(part.cells, by) for part, by in zip(parts, factors, strict=True)]),
        add_sums(_with_all_threads(sums)),
        widest_s,
    )
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    wide = [wide_note(slice_s)] if slice_s > widest_s else []
    return Digest(
        cells=cells,
        sums=added,
        start_ms=origin_ms,
        end_ms=end_ms,
        slice_s=slice_s,
        window=Window(from_s=0, to_s=seconds),
        seconds=seconds,
        parents=sum(part.parents for part in parts),
        absent=tuple(sorted({name for part in parts for name in part.absent})),
        notes=(*notes, *wide),
    )


def join(shares: Sequence[SharedSamples], to: Path) -> None:
    """Write the samples of all shares into one JTL, one share after another, all times by the one clock.

    Raises:
        InputError: a share cannot be read, or has other columns than the first.
    """
    files = [Jtl(share.path) for share in shares]
    header = files[0].header
    if other := next((file for file in files if file.header != header), None):
        raise InputError(f"{other.path} has other columns than {files[0].path}", "see the workers' logs")
    with to.open("wb") as joined:
        joined.write(header.raw + b"\n")
        for file, share in zip(files, shares, strict=True):
            for stretch in file.stretches():
                joined.write(_earlier(stretch, header.columns, share.ahead_ms) if share.ahead_ms else stretch)


def _earlier(stretch: bytes, columns: Sequence[str], ms: int) -> bytes:
    rows = pl.read_csv(
        stretch,
        has_header=False,
        new_columns=list(columns),
        schema=dict.fromkeys(columns, pl.String),
    )
    stamp = (pl.col("timeStamp").cast(pl.Int64) - ms).cast(pl.String)
    return rows.with_columns(timeStamp=stamp).write_csv(include_header=False).encode()


def _with_all_threads(parts: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Each engine's sums with the threads that the others had at once in the slice added to its own."""
    most = [part.group_by("slice").agg(own=pl.col("all_threads").max()) for part in parts]
    every = pl.concat(most).group_by("slice").agg(every=pl.col("own").sum())
    added = pl.col("all_threads") + pl.col("every") - pl.col("own")
    return [
        part.join(own, on="slice")
        .join(every, on="slice")
        .with_columns(all_threads=added.cast(pl.Int32))
        .select(list(SUM_SCHEMA))
        for part, own in zip(parts, most, strict=True)
    ]
