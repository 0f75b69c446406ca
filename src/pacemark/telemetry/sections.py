"""What the report shows of the system beside the latency."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import polars as pl

from pacemark.results.record import Chart, Column, Mark, Reason, Section, Series, Window
from pacemark.telemetry.queries import BY_NAME, QUERIES
from pacemark.telemetry.query import Query
from pacemark.telemetry.recorder import NO_VALUES, Telemetry
from pacemark.telemetry.saturation import Saturation, symptoms
from pacemark.telemetry.snapshot import SNAPSHOT_FILE

CHART_POINTS = 480
_NAMED = 6
"""Missing figures that a warning names."""


@dataclass(frozen=True)
class _Picture:
    """Figures of one unit that are read together."""

    title: str
    names: tuple[str, ...]
    note: str = ""
    unit: str = ""
    """Where it is not the figures' own."""
    has_titles: bool = False
    """Whether a series is named by its figure too: by service or instance alone it would not be known."""


_PICTURES = (
    _Picture("Processor, by service", ("cpu_all", "cpu"), "Of all cores of the machine."),
    _Picture("Gateway's processor", ("gateway_cpu",), "Of one core: a worker cannot use more."),
    _Picture("Processor of what has one thread", ("pool_cpu", "redis_cpu"), "Of one core."),
    _Picture(
        "Requests a second, as nginx and the gateway count them",
        ("nginx_requests", "http_requests", "http_unauthorized"),
    ),
    _Picture("HTTP 5xx answers, as the gateway counts them", ("http_errors",)),
    _Picture(
        "Latency, as the gateway's histogram has it",
        ("http_p50", "http_p95", "http_p99"),
        "Interpolated within the histogram's buckets: for its course, not for its value.",
    ),
    _Picture("Database sessions by state", ("db_sessions",)),
    _Picture("Clients of the connection pool", ("pool_clients", "pool_waiting")),
    _Picture("Time of a query, of a Redis command", ("db_query_time", "redis_command_time")),
    _Picture(
        "Longest transaction and longest wait for the pool",
        ("db_transaction", "db_left_open", "pool_longest_wait"),
    ),
    _Picture("Redis commands", ("redis_commands",)),
    _Picture("Memory, by service", ("memory",)),
    _Picture(
        "Connections, file descriptors and memory, of their limits",
        ("db_connections", "pool_use", "gateway_files", "memory_all"),
        has_titles=True,
    ),
    _Picture("Found in a cache", ("db_cache_hits", "redis_hits")),
    _Picture(
        "Services that answer",
        ("gateway_up", "db_up", "pool_up", "redis_up", "nginx_up"),
        "As their exporters say: an exporter that is gone says nothing of its service.",
        unit="1 or 0",
        has_titles=True,
    ),
)


def sections(
    telemetry: Telemetry, found: Sequence[Saturation], window: Window, *, end_s: float, client_p95: int | None
) -> list[Section]:
    """What saturated, in order; and every figure, in a table and over the run's own time up to ``end_s``."""
    charts = [
        chart for picture in _PICTURES if (chart := _chart(telemetry, picture, found, end_s)) is not None
    ]
    return [
        _saturated(found, telemetry, end_s),
        Section(
            title="System",
            summary=_compared(telemetry, client_p95),
            note="What Prometheus had of the system over the measured window, "
            f"a value every {telemetry.step_s:g} s.",
            columns=[
                Column(name="Figure"),
                Column(name="Of"),
                Column(name="Unit"),
                Column(name="Before the load"),
                Column(name="Mean"),
                Column(name="Least"),
                Column(name="Most"),
                Column(name="Limit"),
            ],
            rows=[row for query in QUERIES if query.is_shown for row in _rows(telemetry, query, window)],
            charts=charts,
            is_background=True,
        ),
    ]


def reasons(telemetry: Telemetry) -> list[Reason]:
    """Warnings of what is not there."""
    told = []
    nothing_there = [name for name, why in telemetry.missing.items() if why != NO_VALUES]
    if nothing_there:
        text = f"Prometheus has nothing of {_listed(nothing_there)}"
        told.append(Reason(level="warning", text=text, remedy="`pacemark doctor` says what to do for each"))
    no_values = [name for name, why in telemetry.missing.items() if why == NO_VALUES]
    if no_values:
        text = f"Prometheus has no values of {_listed(no_values)}: each is a ratio of nothing"
        remedy = "what they are a share or a mean of did not happen in this run"
        told.append(Reason(level="warning", text=text, remedy=remedy))
    if telemetry.gaps:
        spans = ", ".join(f"{start:g} to {end:g} s" for start, end in telemetry.gaps[:3])
        why = f": {telemetry.lost}" if telemetry.lost else ""
        told.append(Reason(level="warning", text=f"no telemetry from {spans}{why}", remedy="see Prometheus"))
    elif telemetry.lost:
        text = f"the telemetry's end is missing: {telemetry.lost}"
        told.append(Reason(level="warning", text=text, remedy="see Prometheus"))
    return [*told, *_of_snapshot(telemetry)]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def _of_snapshot(telemetry: Telemetry) -> list[Reason]:
    made = telemetry.snapshot
    if made.left_out:
        jobs = ", ".join(f"{job} ({count:,})" for job, count in made.left_out.items())
        text = f"{SNAPSHOT_FILE} lacks the series of {jobs}: there are too many"
        remedy = "let PROMETHEUS_URL be one that scrapes this stack alone"
        return [Reason(level="warning", text=text, remedy=remedy)]
    if made.why_not and not telemetry.lost:
        text = f"{SNAPSHOT_FILE} is not whole: {made.why_not}"
        return [Reason(level="warning", text=text, remedy="see Prometheus")]
    return []


def nothing_of(telemetry: Telemetry, end_s: float) -> str:
    """That no resource is known to have gone past its limit, which symptoms did all the same, and of what it
    is not known."""
    unknown = not_known(telemetry)
    text = "nothing that was recorded of the system went past its limit"
    if found := symptoms(telemetry, until_s=end_s):
        text = "no resource went past its limit, as far as was recorded, but the gateway itself did: "
        text += "; ".join(map(one_line, found))
    if end_s < telemetry.rate_s:
        text += f"; rates look back {telemetry.rate_s:g} s, further than this load was long"
    if not unknown:
        return text
    return f"{text}; not known of {_listed(unknown)}"


def named(first: Saturation) -> str:
    """``the pool``, ``Redis``: what it is that saturated, within a sentence."""
    resource = first.query.resource
    return {"redis": "Redis", "nginx": "nginx"}.get(resource, f"the {resource}")


def one_line(first: Saturation) -> str:
    """``a gateway's event loop is busy: Gateway's CPU, of one core 97 % (127.0.0.1:4444), limit > 80 %``."""
    limit = first.query.limit
    assert limit is not None
    of = f" ({first.series})" if first.series else ""
    unit = f" {first.query.unit}" if first.query.unit else ""
    figure = f"{first.query.title} {_number(first.worst)}{unit}{of}"
    return f"{limit.meaning}: {figure}, limit {limit.comparison} {limit.value:g}{unit}, {_when(first)}"


def most_of(telemetry: Telemetry, name: str, from_s: float, to_s: float) -> str:
    """``gateway-4444 41 %, jmeter 22 %, postgres 12 %``: the highest means of a query's series."""
    means = {
        series: fmean(inside)
        for series, points in telemetry.lines(name).items()
        if (inside := [value for at_s, value in points if from_s <= at_s <= to_s and value is not None])
    }
    highest = sorted(means, key=lambda series: -means[series])[:3]
    return ", ".join(f"{series} {means[series]:.0f} {BY_NAME[name].unit}" for series in highest)


def _when(one: Saturation) -> str:
    if one.was_before:
        return "before the load already"
    start = max(one.at_s, 0)
    if one.until_s == one.at_s:
        return f"at {start:.0f} s"  # the one value of a long step
    return f"from {start:.0f} s on" if one.until_s is None else f"from {start:.0f} to {one.until_s:.0f} s"


def not_known(telemetry: Telemetry) -> list[str]:
    """Figures with a limit of which no number was recorded since the load began: whether they went past it
    nobody knows."""
    of_load = telemetry.values.drop_nulls("value").filter(pl.col("at_s") >= 0)
    seen = set(of_load["name"].unique())
    return [query.name for query in QUERIES if query.limit and query.name not in seen]


def _saturated(found: Sequence[Saturation], telemetry: Telemetry, end_s: float) -> Section:
    if not telemetry.values.height:
        summary = "Not known: there is no telemetry."
    elif not found:
        summary = f"{nothing_of(telemetry, end_s)}."
        summary = summary[0].upper() + summary[1:]
    elif found[0].was_before:
        summary = f"Only what was so before the load: {one_line(found[0])}."
    else:
        what = named(found[0])
        summary = f"{what[0].upper()}{what[1:]}: {one_line(found[0])}."
    return Section(
        title="First to saturate",
        summary=summary,
        note="What does not answer any more comes first; the others in the order in which they went past "
        "their limits, and within two scrapes by how far. Since when a rate was past it is reckoned from its "
        "course, for it looks back. What is slow because of another comes after it.",
        columns=[
            Column(name="What"),
            Column(name="Figure"),
            Column(name="Of"),
            Column(name="Worst"),
            Column(name="Unit"),
            Column(name="Limit"),
            Column(name="Since", unit="s"),
            Column(name="Until", unit="s"),
        ],
        rows=[
            [
                one.query.resource,
                one.query.title,
                one.series or None,
                _rounded(one.worst),
                one.query.unit or None,
                _limit(one.query),
                "before the load" if one.was_before else max(round(one.at_s), 0),
                None if one.until_s is None else round(one.until_s),
            ]
            for one in found
        ],
        is_background=True,
    )


def _compared(telemetry: Telemetry, client_p95: int | None) -> str:
    """Client's P95 beside the bucket in which the gateway's is: that is all that a histogram tells."""
    bounds = percentile_bounds(telemetry.buckets, 0.95)
    if bounds is None or client_p95 is None:
        return "The gateway's own latency over the window is not known."
    low, high = bounds
    own = f"above {low:g} ms" if math.isinf(high) else f"between {low:g} and {high:g} ms"
    return (
        f"P95 over the window: {client_p95} ms for the client, {own} for the gateway's own histogram. "
        "The client also waits for the network, for what stands before the gateway and for the gateway to "
        "take the request up; the gateway also counts scrapes, and of a WebSocket's messages the requests "
        "that it makes of them."
    )


def percentile_bounds(buckets: Sequence[tuple[float, float]], share: float) -> tuple[float, float] | None:
    """The bounds, in ms, of the bucket that holds the percentile; None without requests."""
    if not buckets or buckets[-1][1] <= 0:
        return None
    rank = share * buckets[-1][1]
    low = 0.0
    for high, count in buckets:
        if count >= rank:
            return low, high
        low = high
    return None


def _rows(telemetry: Telemetry, query: Query, window: Window) -> Iterable[list[str | int | float | None]]:
    lines = telemetry.lines(query.name)
    for series, points in lines.items():
        before = [value for at_s, value in points if at_s < 0 and value is not None]
        inside = [
            value for at_s, value in points if window.from_s <= at_s < window.to_s and value is not None
        ]
        of = [series] if series else []
        if not inside and not before:
            is_there = any(value is not None for _, value in points)
            of.append("no value before the load or in the window" if is_there else NO_VALUES)
        yield [
            query.title,
            ": ".join(of) or None,
            query.unit or None,
            _rounded(before[-1]) if before else None,
            _rounded(fmean(inside)) if inside else None,
            _rounded(min(inside)) if inside else None,
            _rounded(max(inside)) if inside else None,
            _limit(query),
        ]
    if not lines:
        missing = telemetry.missing.get(query.name, "no value in the run")
        yield [query.title, missing, query.unit or None, None, None, None, None, _limit(query)]


def _limit(query: Query) -> str | None:
    return f"{query.limit.comparison} {query.limit.value:g}" if query.limit else None


def _chart(
    telemetry: Telemetry, picture: _Picture, found: Sequence[Saturation], end_s: float
) -> Chart | None:
    step_s = telemetry.step_s * max(1, math.ceil(end_s / telemetry.step_s / CHART_POINTS))
    at_s = [round(n * step_s, 3) for n in range(math.ceil(end_s / step_s) + 1)]
    series = []
    for name in picture.names:
        query = BY_NAME[name]
        is_low_worst = query.worst == "min"
        pick = min if is_low_worst else max
        for of, points in telemetry.lines(name).items():
            values: list[float | None] = [None] * len(at_s)
            for at, value in points:
                n = int(at // step_s)
                if at >= 0 and value is not None and n < len(values):
                    other = values[n]
                    values[n] = _rounded(value) if other is None else pick(_rounded(value), other)
            # One of several that is zero throughout says nothing, unless zero is what is wrong; one on its
            # own says that it was zero.
            says_zero = is_low_worst or not of
            if any(values) or (says_zero and any(value is not None for value in values)):
                title = f"{query.title} ({of})" if of and picture.has_titles else of or query.title
                series.append(Series(name=title, values=values))
    if not series or not at_s:
        return None
    return Chart(
        title=picture.title,
        note=picture.note,
        unit=picture.unit or BY_NAME[picture.names[0]].unit or "number",
        at=at_s,
        series=series,
        marks=[*_gaps(telemetry, end_s), *_past_limits(picture, found)],
    )


def _gaps(telemetry: Telemetry, end_s: float) -> list[Mark]:
    return [
        Mark(from_at=start, to_at=min(end, end_s), text="nothing recorded")
        for start, end in telemetry.gaps
        if start < end_s
    ]


def _past_limits(picture: _Picture, found: Sequence[Saturation]) -> list[Mark]:
    """Where the first of the picture's figures went past its limit."""
    first = next((one for one in found if one.query.name in picture.names and not one.was_before), None)
    if first is None:
        return []
    return [Mark(from_at=first.at_s, to_at=first.at_s, text=f"past its limit: {first.query.title}")]


def _rounded(value: float) -> float:
    """Three digits, or all that stand before the point."""
    if value == 0:
        return 0.0
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def _number(value: float) -> str:
    return f"{_rounded(value):g}"
