"""What the page's charts draw: columns, small enough to stand in the page itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from pacemark.report import wording
from pacemark.results.digest import Digest
from pacemark.results.omission import Correction
from pacemark.results.outcomes import OK
from pacemark.results.over_time import latency_timelines, outcome_timeline, rate_timeline
from pacemark.results.record import Chart, JudgedObjective, RunRecord
from pacemark.results.statistics import Summary, percentile_curve
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Basis

ALL_LABELS = "All labels"
POINTS = (30, 480)
SAMPLES_A_POINT = 100
"""With fewer, p95 and p99 of a point are its slowest sample; so points are fewer where samples are."""
MAX_LABELS = 24
MAX_OUTCOMES = 5
CRAMPED = 12
"""How many times the usual p95 a spike must reach to press all else onto a linear scale's floor."""

Columns = dict[str, Any]


class Counted(NamedTuple):
    """Latencies of one kind: their name, and where they stand."""

    name: str
    basis: Basis
    over_time: Digest
    """All that is drawn."""
    measured: Digest
    """The measured window, as one slice."""


def chart_data(
    record: RunRecord | None,
    digest: Digest,
    summary: Summary,
    correction: Correction | None = None,
    objectives: Sequence[JudgedObjective] = (),
) -> Columns:
    """Everything the charts need, as columns on one grid of time.

    ``at`` is seconds from the first sample, ``step`` the seconds of a point; latencies are milliseconds,
    null where nothing was sampled; rates are a second. ``labels`` starts with all of them together; past
    ``MAX_LABELS`` the least frequent have no lines of their own (they are in the tables).
    """
    digest = digest.without_lifetimes()
    drawn = digest.between(0, _end_s(record, digest))
    points = min(max(drawn.count // SAMPLES_A_POINT, POINTS[0]), POINTS[1])
    window = _window(digest, summary)
    kinds = _kinds(drawn, summary, correction, window)
    grid = rate_timeline(drawn, max_points=points)
    bases = [kind.name for kind in kinds]
    labels = [None, *shown_labels(summary, digest)]
    latency = {kind.name: _latencies(kind, labels, points) for kind in kinds}
    return {
        "at": _numbers(grid["at_s"]),
        "step": grid["seconds"][0],
        "labels": [label or ALL_LABELS for label in labels],
        "bases": bases,
        "window": window,
        "named": record is not None or window[0] > 0,
        "ramp": (0.0, record.load.ramp_up_s) if record and record.load.ramp_up_s else None,
        "limits": _limits(wording.judged(record, objectives), labels),
        "latency": latency,
        "log": _is_cramped(latency[bases[0]][0]),
        "curve": {kind.name: _curves(kind, labels) for kind in kinds},
        "rate": {
            "achieved": _numbers(grid["rate"]),
            "target": _target(grid, record.load) if record and record.load.rate_per_s else None,
        },
        "errors": _errors(drawn, grid, points),
        "own": [_own(chart) for section in (record.sections if record else []) for chart in section.charts],
    }


def _kinds(
    drawn: Digest,
    summary: Summary,
    correction: Correction | None,
    window: tuple[float, float],
) -> list[Counted]:
    """Response first, where it is known or was corrected for; last what JMeter timed."""

    def measured(digest: Digest) -> Digest:
        return digest.between(*window).at_once()

    elapsed = Counted("elapsed", "elapsed", drawn, measured(drawn))
    if summary.total.response:
        return [elapsed._replace(name="response", basis="response"), elapsed]
    if correction is None:
        return [elapsed]
    # What was not sent may have been due after the last that was: there the charts have ended.
    cells = correction.digest.without_lifetimes().cells
    cells = cells.filter(pl.col("slice") <= drawn.cells["slice"].max())
    corrected = replace(drawn, cells=cells)
    return [Counted("corrected", "response", corrected, measured(corrected)), elapsed]


def shown_labels(summary: Summary, drawn: Digest) -> list[str]:
    """The labels with lines of their own, in the table's order."""
    drawn_labels = set(drawn.labels)
    labels = [label for label in summary.labels if label in drawn_labels]
    frequent = sorted(labels, key=lambda label: -summary.labels[label].count)[:MAX_LABELS]
    return [label for label in labels if label in frequent]


def _end_s(record: RunRecord | None, digest: Digest) -> float:
    """Where time ends on the charts: with the load, or with the last start when that is later.

    Not with the last answer: nothing starts while it is waited for, and the rate would seem to fall. Nor, of
    a load that was cut short, with its planned end: it would seem to be 0 up to there.
    """
    newest = digest.cells["slice"].max()
    starts_end = (int(str(newest)) + 1) * digest.slice_s if newest is not None else digest.slice_s
    if record is None or (record.generator and record.generator.cut_short):
        return float(starts_end)
    return max(float(starts_end), record.load.duration_s)


def _window(digest: Digest, summary: Summary) -> tuple[float, float]:
    """The summary's window in seconds from the first sample, at least a slice long."""
    from_s = summary.window.start.timestamp() - digest.start_ms / 1000
    to_s = summary.window.end.timestamp() - digest.start_ms / 1000
    return (round(from_s, 3), round(max(to_s, from_s + digest.slice_s), 3))


def _limits(objectives: Sequence[JudgedObjective], labels: Sequence[str | None]) -> list[Columns]:
    return [
        {
            "label": labels.index(judged.objective.label),
            "basis": judged.basis or judged.objective.basis,
            "ms": judged.objective.limit,
            "text": f"{judged.objective.metric} limit {judged.objective.limit:g} ms",
        }
        for judged in objectives
        if judged.objective.is_latency and judged.objective.label in labels
    ]


def _latencies(kind: Counted, labels: Sequence[str | None], points: int) -> list[Columns]:
    frames = latency_timelines(kind.over_time, labels, basis=kind.basis, max_points=points)
    return [{name: _numbers(frame[name]) for name in ("p50", "p95", "p99", "max")} for frame in frames]


def _is_cramped(columns: Columns) -> bool:
    return _spreads(columns["p95"], columns["max"])


def _spreads(usual: Sequence[float | None], highest: Sequence[float | None]) -> bool:
    found = sorted(value for value in usual if value is not None)
    top = max((value for value in highest if value is not None), default=0)
    return bool(found) and top > CRAMPED * max(1, found[len(found) // 2])


def _curves(kind: Counted, labels: Sequence[str | None]) -> list[Columns]:
    curves = []
    for label in labels:
        rows = percentile_curve(kind.measured, label=label, basis=kind.basis)
        percents = [round(percent, 6) for percent in rows["percent"]]
        count = kind.measured.only(label).count if label else kind.measured.count
        curves.append({"percent": percents, "ms": rows["ms"].to_list(), "count": count})
    return curves


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
    every = [value for series in chart.series for value in series.values]
    return {
        "unit": chart.unit,
        "short": chart.unit.split(",")[-1].strip(),
        "axis": chart.axis,
        "at": chart.at,
        "log": chart.unit.endswith("ms") and _spreads(every, every),
        "marks": [mark.model_dump() for mark in chart.marks],
        "series": [
            {
                "name": series.name,
                "dots": series.has_dots_only,
                "values": _numbers(pl.Series(series.values, dtype=pl.Float64)),
            }
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
