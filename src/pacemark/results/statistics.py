"""Figures of a digest: counts, rates and exact percentiles, in all and by label."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_serializer

from pacemark.errors import InputError
from pacemark.results.digest import Digest
from pacemark.results.outcomes import OK
from pacemark.results.record import LatencyFigures, Window, too_few
from pacemark.workloads.objective import Basis

SUMMARY_FILE = "summary.json"

PERCENTS: Mapping[str, str] = {"p50": "50", "p90": "90", "p95": "95", "p99": "99", "p999": "99.9"}
"""The percentiles that are reported, as exact decimal numbers."""

_NO_LATENCY = LatencyFigures(
    count=0, mean=None, min=None, max=None, p50=None, p90=None, p95=None, p99=None, p999=None
)

_HALVINGS = 5
"""Points of a percentile curve in each halving of the distance to 100 %, as HdrHistogram's printed form."""


class Figures(BaseModel):
    """What ``stats --json`` says of all samples or of a label.

    Latencies are JMeter's ``elapsed`` in milliseconds; ``response`` has them from when each request was due,
    over the samples of which that is known. ``error_rate`` is a fraction, ``throughput`` samples a second.
    What there is no data for is None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    errors: int
    error_rate: float | None
    throughput: float | None
    mean: float | None
    min: int | None
    max: int | None
    p50: int | None
    p90: int | None
    p95: int | None
    p99: int | None
    p999: int | None
    too_few: list[str] = Field(default_factory=lambda known: too_few(known["count"]))
    bytes: int | None
    outcomes: dict[str, int]
    response: LatencyFigures | None


class TimeSpan(BaseModel):
    """The window as instants; ``seconds`` is what throughput is counted over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: datetime
    end: datetime
    seconds: float

    @field_serializer("start", "end")
    def _iso(self, instant: datetime) -> str:
        return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Summary(BaseModel):
    """``stats --json`` and ``summary.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: TimeSpan
    total: Figures
    labels: dict[str, Figures]
    notes: list[str] = []
    """What reading the samples noticed: a partial last line, rows left out, a window that was rounded."""

    @classmethod
    def load_from(cls, run_dir: Path) -> Self | None:
        """Read ``summary.json``, without what was corrected beside it; None where there is none.

        Raises:
            InputError: it is no summary.
        """
        path = run_dir / SUMMARY_FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            measured = {name: value for name, value in dict(document).items() if name != "corrected"}
            return cls.model_validate_json(json.dumps(measured))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path} is no summary: {error!s:.80}", f"pacemark report {run_dir}") from error


def summarize(digest: Digest, *, window: Window | None = None) -> Summary:
    """Figures in all and by label, over ``window`` (seconds from the first sample) or all there is.

    A window that cuts a slice is rounded outward (see ``Digest.between``) and the summary tells the rounded
    one. Throughput is over the window as planned, even where the samples end early. Lifetimes of connections
    stand among the labels, not in the total.
    """
    if window is not None:
        digest = digest.between(window.from_s, window.to_s)
    span = TimeSpan(
        start=_instant(digest.start_ms + round(digest.window.from_s * 1000)),
        end=_instant(digest.start_ms + round(digest.window.to_s * 1000)),
        seconds=round(digest.seconds, 3),
    )
    whole = digest.at_once()
    return Summary(
        window=span,
        total=figures(whole.without_lifetimes()),
        labels=figures_by_label(whole),
        notes=list(digest.notes),
    )


def figures(digest: Digest) -> Figures:
    """The figures of all samples of a digest; ``figures(digest.only(label))`` are those of a label."""
    return _figures(
        digest,
        outcomes=outcome_counts(digest),
        elapsed=latency_figures(digest, "elapsed"),
        response=latency_figures(digest, "response"),
        bytes_=int(digest.sums["bytes"].sum()),
    )


def outcome_counts(digest: Digest) -> dict[str, int]:
    """``figures(digest).outcomes`` without the latencies, which take most of its time."""
    return dict(_by_outcome(digest.cells).iter_rows())


def figures_by_label(digest: Digest) -> dict[str, Figures]:
    """``figures`` of each label, sorted, from one pass over the samples: there may be thousands of them."""
    by_outcome: dict[str, dict[str, int]] = {}
    for label, outcome, count in _by_outcome(digest.cells, "label").iter_rows():
        by_outcome.setdefault(label, {})[outcome] = count
    elapsed, response = (_latencies_by_label(digest, basis) for basis in ("elapsed", "response"))
    sums = digest.sums.group_by(pl.col("label").cast(pl.String)).agg(pl.col("bytes").sum())
    bytes_ = dict(sums.iter_rows())
    return {
        label: _figures(
            digest,
            outcomes=by_outcome[label],
            elapsed=elapsed.get(label, _NO_LATENCY),
            response=response.get(label, _NO_LATENCY),
            bytes_=int(bytes_.get(label, 0)),
        )
        for label in sorted(by_outcome)
    }


def latency_figures(digest: Digest, basis: Basis) -> LatencyFigures:
    """Latency over the samples of which the basis is known: ``response`` may be known of some or none."""
    histogram = _histogram(digest, basis)
    count = int(histogram["count"].sum())
    mean = _mean(histogram)
    percentiles: dict[str, Any] = {
        name: _at_rank(histogram, rank(count, percent)) for name, percent in PERCENTS.items()
    }
    return LatencyFigures(
        count=count,
        mean=None if mean is None else float(mean),
        min=_at_rank(histogram, rank(count, "0")),
        max=_at_rank(histogram, count),
        **percentiles,
    )


def percentile(digest: Digest, percent: str | float, *, basis: Basis = "elapsed") -> int | None:
    """The nearest-rank percentile in milliseconds: the smallest recorded value with at least that share of
    the samples at or below it; None without samples."""
    histogram = _histogram(digest, basis)
    return _at_rank(histogram, rank(int(histogram["count"].sum()), percent))


def exact_mean(digest: Digest, basis: Basis = "elapsed") -> Fraction | None:
    """The mean latency in milliseconds as an exact fraction; None without samples."""
    return _mean(_histogram(digest, basis))


def rank(count: int, percent: str | float) -> int:
    """Which of ``count`` values in order is the percentile, from 1: ceil(percent / 100 * count), exactly.

    ``percent`` is read as the decimal number it is written as, so that 99.9 is not a little less.
    """
    return max(1, math.ceil(Fraction(str(percent)) * count / 100)) if count else 0


def samples_beyond(count: int, percent: str | float) -> int:
    """How many of ``count`` samples lie beyond the percentile's rank: what its value rests on."""
    return count - rank(count, percent)


def at_share(percent: str) -> pl.Expr:
    """The nearest-rank percentile of ``ms``, sorted, of which each came ``count`` times."""
    share = Fraction(percent) / 100
    needed = pl.col("count").sum() * share.numerator
    return pl.col("ms").filter(pl.col("count").cum_sum() * share.denominator >= needed).first()


def percentile_curve(digest: Digest, *, label: str | None = None, basis: Basis = "elapsed") -> pl.DataFrame:
    """Latency by percentile for a plot against 1 / (1 - share): ``percent`` and ``ms``, both rising.

    From 0 (the least) over 50, 55 ... 75, 77.5 ... to 100 (the most), as far as samples tell points apart.
    Empty without samples.
    """
    histogram = _histogram(digest if label is None else digest.only(label), basis)
    count = int(histogram["count"].sum())
    percents = _curve_percents(count)
    ranks = pl.Series([max(1, math.ceil(percent * count / 100)) for percent in percents], dtype=pl.Int64)
    return pl.DataFrame(
        {
            "percent": pl.Series([float(percent) for percent in percents], dtype=pl.Float64),
            "ms": histogram["ms"].gather(histogram["up_to"].search_sorted(ranks)),
        }
    )


def _curve_percents(count: int) -> list[Fraction]:
    if not count:
        return []
    percents, reached, rest = [], Fraction(0), Fraction(100)
    while rest * count >= 100:
        percents += [reached + rest * step / (2 * _HALVINGS) for step in range(_HALVINGS)]
        reached, rest = reached + rest / 2, rest / 2
    return [*percents, Fraction(100)]


def _by_outcome(cells: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """``keys``, ``outcome`` and ``count``, the most frequent outcomes first."""
    counts = cells.group_by(pl.col(*keys, "outcome").cast(pl.String)).agg(pl.col("count").sum())
    return counts.sort(["count", "outcome"], descending=[True, False])


def _figures(
    digest: Digest,
    *,
    outcomes: dict[str, int],
    elapsed: LatencyFigures,
    response: LatencyFigures,
    bytes_: int,
) -> Figures:
    count = sum(outcomes.values())
    errors = count - outcomes.get(OK, 0)
    return Figures(
        count=count,
        errors=errors,
        error_rate=errors / count if count else None,
        throughput=count / digest.seconds if digest.seconds > 0 else None,
        bytes=None if "bytes" in digest.absent else bytes_,
        outcomes=outcomes,
        response=response if response.count else None,
        **elapsed.model_dump(exclude={"count"}),
    )


def _latencies_by_label(digest: Digest, basis: Basis) -> dict[str, LatencyFigures]:
    """``latency_figures`` of each label that has any."""
    table = _counts(digest, basis, "label").sort("label", "ms")
    ms, count = pl.col("ms"), pl.col("count")
    found = table.group_by(pl.col("label").cast(pl.String), maintain_order=True).agg(
        count.sum(),
        total=(ms * count).sum(),
        min=ms.first(),
        max=ms.last(),
        **{name: at_share(percent) for name, percent in PERCENTS.items()},
    )
    figures = {}
    for row in found.iter_rows(named=True):
        label, total = row.pop("label"), row.pop("total")
        figures[label] = LatencyFigures(mean=float(Fraction(total, row["count"])), **row)
    return figures


def _histogram(digest: Digest, basis: Basis) -> pl.DataFrame:
    """How many samples took each number of milliseconds: ``ms``, ``count``, ``up_to``, sorted."""
    table = _counts(digest, basis).sort("ms")
    return table.with_columns(up_to=pl.col("count").cum_sum())


def _counts(digest: Digest, basis: Basis, *keys: str) -> pl.DataFrame:
    """``keys``, ``ms`` and ``count``: how often each latency came. Streamed: cells may be millions."""
    cells = digest.cells.lazy().select(*keys, "count", ms=f"{basis}_ms").drop_nulls("ms")
    counts = cells.group_by(*keys, "ms").agg(pl.col("count").sum())
    return counts.with_columns(pl.col("ms").cast(pl.Int64)).collect(engine="streaming")


def _mean(histogram: pl.DataFrame) -> Fraction | None:
    count = int(histogram["count"].sum())
    return Fraction(int((histogram["ms"] * histogram["count"]).sum()), count) if count else None


def _at_rank(histogram: pl.DataFrame, position: int) -> int | None:
    if not position:
        return None
    return int(histogram["ms"][histogram["up_to"].search_sorted(position)])


def _instant(since_1970_ms: int) -> datetime:
    seconds, milliseconds = divmod(since_1970_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)
