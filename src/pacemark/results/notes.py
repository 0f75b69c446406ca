"""What a reader of a digest should know of how its samples were counted."""

import polars as pl

from pacemark.results.cells import MOST_CELLS

_DAY_S = 86_400


def gaps(sums: pl.DataFrame, slice_s: int) -> list[str]:
    """What no load does but a clock that is set, and a file of several days' runs."""
    slices = sums["slice"].unique().sort()
    gaps_s = slices.diff().drop_nulls().sort(descending=True) * slice_s
    if not gaps_s.len() or gaps_s[0] < _DAY_S:
        return []
    return [
        f"no sample started for {gaps_s[0] / _DAY_S:,.1f} days between others: rates are over all that time "
        "(were several runs written to one file, or a clock set?)"
    ]


def wide_note(slice_s: int) -> str:
    """What a digest says whose slices are wider than its length alone would have them."""
    return (
        f"counted in slices of {slice_s} s, for in narrower ones more than {MOST_CELLS / 1e6:.0f} million "
        "samples differ from each other"
    )


def parts_note(count: int) -> str:
    """What is said of sub-results."""
    return f"{count} sub-results left out: the samples that they are part of have their time"
