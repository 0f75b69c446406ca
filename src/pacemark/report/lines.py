"""Charts that lay lines over one another, as ``lines.js`` draws them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.over_time import timeline
from pacemark.results.statistics import percentile_curve
from pacemark.workloads.objective import Basis

MOST_POINTS = 200
_DASHED = {"baseline": True}
_SIDES = {"baseline": "--c2", "current": "--c1"}

Chart = dict[str, Any]
"""``id``, ``kind`` of its x axis, ``unit``, ``x``, ``series`` with a value for each x, None for none, and
``spans``: whether a line goes on over an x where it has none."""


def line_chart(
    name: str,
    kind: str,
    unit: str,
    x: Sequence[float],
    series: Sequence[Mapping[str, Any]],
    *,
    names: Sequence[str] = (),
    marks: Sequence[Mapping[str, Any]] = (),
    spans: bool = True,
) -> Chart:
    """A chart. ``names`` says what each x is called, ``marks`` where (``x``) a line with a ``text`` stands;
    ``latency, ms`` as unit names the axis, ``ms`` its values."""
    return {
        "id": name,
        "kind": kind,
        "unit": unit,
        "short": unit.split(",")[-1].strip(),
        "log": unit.endswith("ms"),
        "x": list(x),
        "names": list(names),
        "series": [dict(one) for one in series],
        "marks": [dict(one) for one in marks],
        "spans": spans,
    }


def side_charts(sides: Mapping[str, Digest], basis: Basis) -> list[Chart]:
    """Percentile curves, latencies and rates of both sides over one another; runs of a side pooled."""
    return [_curves(sides, basis), *_over_time(sides, basis)]


def _curves(sides: Mapping[str, Digest], basis: Basis) -> Chart:
    points: dict[str, dict[float, int]] = {}
    names: dict[float, str] = {}
    for side, digest in sides.items():
        points[side] = {}
        for percent, ms in percentile_curve(digest, basis=basis).iter_rows():
            share = percent if percent < 100 else 100 - 100 / (digest.count + 1)
            x = round(-math.log10(1 - share / 100), 6)
            points[side][x] = ms
            names[x] = f"{percent:.7g} %" if percent < 100 else "slowest sample"
    xs = sorted(names)
    series = [_line(side, side, [points[side].get(x) for x in xs]) for side in sides]
    return line_chart("curve", "curve", "latency, ms", xs, series, names=[names[x] for x in xs])


def _over_time(sides: Mapping[str, Digest], basis: Basis) -> list[Chart]:
    tables = {side: timeline(digest, basis=basis, max_points=MOST_POINTS) for side, digest in sides.items()}
    xs = sorted({x for table in tables.values() for x in table["at_s"]})
    grid = pl.DataFrame({"at_s": xs}, schema={"at_s": pl.Float64})
    joined = {
        side: grid.join(table, on="at_s", how="left", maintain_order="left") for side, table in tables.items()
    }
    latencies = [
        _line(side, f"{side} {metric}", joined[side][metric].to_list(), hidden=metric != "p95")
        for metric in ("p95", "p50", "p99")
        for side in sides
    ]
    rates = [_line(side, side, [_rounded(rate) for rate in joined[side]["rate"]]) for side in sides]
    # Where both sides have all points, one without a value is a time without samples: no line goes over it.
    spans = any(len(table) != len(xs) for table in tables.values())
    return [
        line_chart("latency", "time", "latency, ms", xs, latencies, spans=spans),
        line_chart("rate", "time", "requests a second, /s", xs, rates, spans=spans),
    ]


def _line(side: str, name: str, values: Sequence[float | None], *, hidden: bool = False) -> dict[str, Any]:
    dash = _DASHED.get(side, False)
    return {"name": name, "color": _SIDES[side], "dash": dash, "values": list(values), "hidden": hidden}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
