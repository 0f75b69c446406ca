"""What the page's charts draw: columns, small enough to stand in the page itself."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from pacemark.results.digest import LIFETIME, Digest
from pacemark.results.outcomes import OK
from pacemark.results.record import Chart, RunRecord
from pacemark.results.statistics import Summary, gathered, outcome_timeline, percentile_curve, timeline
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Basis

ALL_LABELS = "All labels"
POINTS = (30, 200)
SAMPLES_A_POINT = 100
"""With fewer, p95 and p99 of a point are its slowest sample; so points are fewer where samples are."""
MAX_LABELS = 24
MAX_OUTCOMES = 5
CRAMPED = 12
"""How many times the usual p95 a spike must reach to press all else onto a linear scale's floor."""

Columns = dict[str, Any]


def chart_data(record: RunRecord | None, digest: Digest, summary: Summary) -> Columns:
    """Everything the charts need, as columns on one grid of time.

    ``at`` is seconds from the first sample, ``step`` the seconds of a point; latencies are milliseconds,
    null where nothing was sampled; rates are a second. ``labels`` starts with all of them together; past
    ``MAX_LABELS`` the least frequent have no lines of their own (they are in the tables).
    """
    digest = digest.without_lifetimes()
    drawn = digest.between(0, _end_s(record, digest))
    points = min(max(drawn.count // SAMPLES_A_POINT, POINTS[0]), POINTS[1])
    drawn = gathered(drawn, max_points=points)
    grid = timeline(drawn, max_points=points)
    window = _window(digest, summary)
    measured = digest.between(*window).at_once()
    bases = bases_of(summary)
    labels = [None, *shown_labels(summary)]
    latency = {basis: [_latency(drawn, label, basis, points) for label in labels] for basis in bases}
    return {
        "at": _numbers(grid["at_s"]),
        "step": grid["seconds"][0],
        "labels": [label or ALL_LABELS for label in labels],
        "bases": bases,
        "window": window,
        "named": record is not None or window[0] > 0,
        "ramp": (0.0, record.load.ramp_up_s) if record and record.load.ramp_up_s else None,
        "limits": _limits(record, labels),
        "latency": latency,
        "log": _is_cramped(latency[bases[0]][0]),
        "curve": {basis: [_curve(measured, label, basis) for label in labels] for basis in bases},
        "rate": {
            "achieved": _numbers(grid["rate"]),
            "target": _target(grid, record.load) if record and record.load.rate_per_s else None,
        },
        "errors": _errors(drawn, grid, points),
        "own": [_own(chart) for section in (record.sections if record else []) for chart in section.charts],
    }


def bases_of(summary: Summary) -> list[Basis]:
    """What latencies were counted from: response first, where it is known."""
    return ["response", "elapsed"] if summary.total.response else ["elapsed"]


def shown_labels(summary: Summary) -> list[str]:
    """The labels with lines of their own, in the table's order."""
    labels = [label for label in summary.labels if not label.endswith(LIFETIME)]
    frequent = sorted(labels, key=lambda label: -summary.labels[label].count)[:MAX_LABELS]
    return [label for label in labels if label in frequent]


def _end_s(record: RunRecord | None, digest: Digest) -> float:
    """Where time ends on the charts: with the load, or with the last start when that is later.

    Not with the last answer: nothing starts while it is waited for, and the rate would seem to fall.
    """
    newest = digest.cells["slice"].max()
    starts_end = (int(str(newest)) + 1) * digest.slice_s if newest is not None else digest.slice_s
    return max(float(starts_end), record.load.duration_s) if record else float(starts_end)


def _window(digest: Digest, summary: Summary) -> tuple[float, float]:
    """The summary's window in seconds from the first sample, at least a slice long."""
    from_s = summary.window.start.timestamp() - digest.start_ms / 1000
    to_s = summary.window.end.timestamp() - digest.start_ms / 1000
    return (round(from_s, 3), round(max(to_s, from_s + digest.slice_s), 3))


def _limits(record: RunRecord | None, labels: Sequence[str | None]) -> list[Columns]:
    return [
        {
            "label": labels.index(judged.objective.label),
            "basis": judged.basis or judged.objective.basis,
            "ms": judged.objective.limit,
            "text": f"{judged.objective.metric} limit {judged.objective.limit:g} ms",
        }
        for judged in (record.objectives if record else [])
        if judged.objective.is_latency and judged.objective.label in labels
    ]


def _latency(drawn: Digest, label: str | None, basis: Basis, points: int) -> Columns:
    frame = timeline(drawn, label=label, basis=basis, max_points=points)
    return {name: _numbers(frame[name]) for name in ("p50", "p95", "p99", "max")}


def _is_cramped(columns: Columns) -> bool:
    p95 = sorted(value for value in columns["p95"] if value is not None)
    highest = max((value for value in columns["max"] if value is not None), default=0)
    return bool(p95) and highest > CRAMPED * max(1, p95[len(p95) // 2])


def _curve(measured: Digest, label: str | None, basis: Basis) -> Columns:
    rows = percentile_curve(measured, label=label, basis=basis)
    count = measured.only(label).count if label else measured.count
    return {
        "percent": [round(percent, 6) for percent in rows["percent"]],
        "ms": rows["ms"].to_list(),
        "count": count,
    }


def _target(grid: pl.DataFrame, load: Load) -> list[float]:
    spans = zip(grid["at_s"], grid["seconds"], strict=True)
    return [round(load.due_between(at, at + seconds) / seconds, 3) for at, seconds in spans]


def _errors(drawn: Digest, grid: pl.DataFrame, points: int) -> Columns:
    """Errors a second by outcome, the most frequent first; the rarer ones together as the last."""
    failed = outcome_timeline(drawn, max_points=points).filter(pl.col("outcome") != OK)
    totals = failed.group_by("outcome").agg(pl.col("count").sum())
    names = totals.sort("count", "outcome", descending=[True, False])["outcome"].to_list()
    groups = [[name] for name in names[:MAX_OUTCOMES]]
    if rare := names[MAX_OUTCOMES:]:
        groups.append(rare)
    titles = [group[0] if len(group) == 1 else f"{len(group)} other outcomes" for group in groups]
    return {"outcomes": titles, "per_s": [_per_second(failed, grid, group) for group in groups]}


def _own(chart: Chart) -> Columns:
    """A section's chart. ``latency, ms`` names its axis, ``ms`` its values."""
    return {
        "unit": chart.unit,
        "short": chart.unit.split(",")[-1].strip(),
        "at": chart.at_s,
        "series": [
            {"name": series.name, "values": _numbers(pl.Series(series.values, dtype=pl.Float64))}
            for series in chart.series
        ],
    }


def _per_second(failed: pl.DataFrame, grid: pl.DataFrame, group: list[str]) -> list[Any]:
    counted = (
        failed.filter(pl.col("outcome").is_in(group)).group_by("at_s").agg(pl.col("count").sum().alias("n"))
    )
    joined = grid.join(counted, on="at_s", how="left", maintain_order="left")
    return _numbers(joined.select(pl.col("n").fill_null(0) / pl.col("seconds")).to_series())


def _numbers(values: pl.Series) -> list[Any]:
    """JSON's shortest form: whole numbers as such, others to three decimals, null for nothing."""
    return [
        None if value is None else int(value) if float(value).is_integer() else round(value, 3)
        for value in values.to_list()
    ]
