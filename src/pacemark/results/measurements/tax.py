"""The gateway's tax: what a tool call takes longer through the gateway than at its own server."""

from collections.abc import Iterable

import polars as pl

from pacemark.results.bootstrap import CONFIDENCE, Added, added
from pacemark.results.digest import Digest
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.over_time import timeline
from pacemark.results.record import Chart, Column, Section, Series
from pacemark.results.statistics import percentile_curve
from pacemark.workloads.servers import Pair, Servers

TITLE = "The gateway's tax"
ALL = "all of them"
PERCENTS = {"P50": "50", "P95": "95", "P99": "99"}
POINTS = 60

_NOTE = (
    "Both speak MCP over streamable HTTP, initialized and in a session where one is given, and take turns in "
    "one run: only the URL and the tool's name differ. Milliseconds of elapsed time, failed calls included. "
    f"The interval holds the true difference with {CONFIDENCE} % confidence: a block bootstrap over "
    "stretches of the run, and a millisecond on either side because JMeter records whole ones. Absent where "
    "too few samples lie beyond the percentile."
)


def measure(subject: Subject) -> Measurement:
    """Added milliseconds at P50, P95 and P99, for each tool that is called both ways, and for all."""
    assert isinstance(subject.workload, Servers)
    digest = subject.digest.between(subject.window.from_s, subject.window.to_s)
    pairs = [pair for pair in subject.workload.pairs if {pair.direct, pair.gateway} <= set(digest.labels)]
    if not pairs:
        text = "Not measured: no tool was called both directly and through the gateway."
        return Measurement(sections=[Section(title=TITLE, summary=text)])
    direct, gateway = _both(digest, pairs)
    whole = added(direct, gateway, tuple(PERCENTS.values()))
    rows = [
        row
        for pair in pairs
        for row in _rows(pair.tool, added(*_both(digest, [pair]), tuple(PERCENTS.values())))
    ]
    if len(pairs) > 1:
        rows += _rows(ALL, whole)
    section = Section(
        title=TITLE,
        summary=_summary(whole, direct.count, gateway.count),
        note=_NOTE,
        columns=[
            Column(name="Tool"),
            Column(name="Percentile"),
            Column(name="Directly", unit="ms"),
            Column(name="Through the gateway", unit="ms"),
            Column(name="Added", unit="ms"),
            Column(name="from", unit="ms"),
            Column(name="to", unit="ms"),
        ],
        rows=rows,
        charts=[_curves(direct, gateway), _chart(direct, gateway)],
    )
    return Measurement(sections=[section])


def _both(digest: Digest, pairs: Iterable[Pair]) -> tuple[Digest, Digest]:
    pairs = list(pairs)
    label = pl.col("label").cast(pl.String)
    direct = digest.where(label.is_in([pair.direct for pair in pairs]))
    gateway = digest.where(label.is_in([pair.gateway for pair in pairs]))
    return direct, gateway


def _rows(tool: str, found: dict[str, Added | None]) -> list[list[str | int | float | None]]:
    rows: list[list[str | int | float | None]] = []
    for name, percent in PERCENTS.items():
        one = found[percent]
        if one is None:
            rows.append([tool, name, None, None, None, None, None])
        else:
            rows.append([tool, name, one.before_ms, one.after_ms, one.added_ms, one.low_ms, one.high_ms])
    return rows


def _summary(found: dict[str, Added | None], direct: int, gateway: int) -> str:
    parts = []
    for name, percent in PERCENTS.items():
        one = found[percent]
        if one is not None and one.low_ms is not None:
            parts.append(f"{one.added_ms} ms at {name} ({one.low_ms} to {one.high_ms})")
    counts = f"{gateway} calls through the gateway beside {direct} direct ones"
    if not parts:
        return f"Too little to say how much the gateway adds: {counts}."
    return f"The gateway adds {', '.join(parts)} to a call: {counts}."


def _curves(direct: Digest, gateway: Digest) -> Chart:
    """Both sides by percentile: what lies between the lines is the tax."""
    percents, series = _over_one_another(percentile_curve(direct), percentile_curve(gateway), "percent", "ms")
    return Chart(
        title="The same tools by percentile",
        note="What lies between the two lines is what the gateway adds.",
        unit="elapsed, ms",
        axis="percentile",
        at=percents,
        series=series,
    )


def _chart(direct: Digest, gateway: Digest) -> Chart:
    """The medians over time, where one sees whether both moved together."""
    before, after = (timeline(side, max_points=POINTS) for side in (direct, gateway))
    at_s, series = _over_one_another(before, after, "at_s", "p50")
    return Chart(title="The same tools, P50 over time", unit="ms", at=at_s, series=series)


def _over_one_another(
    direct: pl.DataFrame, gateway: pl.DataFrame, at: str, value: str
) -> tuple[list[float], list[Series]]:
    """Where either side has a point, and both sides' values there, None where only the other has one."""
    sides = (("directly", direct), ("through the gateway", gateway))
    lines = {name: dict(side.select(at, value).iter_rows()) for name, side in sides}
    places = sorted(set().union(*lines.values()))
    return places, [Series(name=name, values=[line.get(x) for x in places]) for name, line in lines.items()]
