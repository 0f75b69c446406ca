"""A history as people read it: in the terminal and as a page, change points at the gateway's versions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pacemark.report import numerals, wording
from pacemark.report.atomic import write_text
from pacemark.report.console import label_text, plain_table, printable
from pacemark.report.html import embedded_json, rendered
from pacemark.report.lines import Chart, line_chart
from pacemark.results.threshold import ComparedMetric
from pacemark.results.trends import Step, Trend

ALL_LABELS = "All labels"
MOST_ROWS = 40
BAR = 20
SHOWN: tuple[ComparedMetric, ...] = ("p50", "p95", "p99")
LATENCIES = dict(zip(SHOWN, ("--c1", "--c2", "--c3"), strict=True))


def trends_shown(trends: Sequence[Trend], left_out: int) -> RenderableType:
    """Each trend as a table with a bar for p95, the newest ``MOST_ROWS`` runs, and its change points."""
    parts: list[RenderableType] = []
    for trend in trends:
        parts += [Text(printable(heading(trend)), style="bold"), _table(trend)]
        hidden = max(0, len(trend.runs) - MOST_ROWS)
        if mark := legend(trend, hidden):
            parts.append(Text(mark, style="bright_black"))
        if hidden:
            parts.append(Text(f"and {hidden} older ones", style="bright_black"))
        parts += [Text(printable(step_line(trend, step)), style="yellow") for step in trend.steps]
        parts.append(Text())
    if left_out:
        parts.append(Text(left_out_line(left_out), style="bright_black"))
    return Group(*parts)


def latency(trend: Trend, metric: ComparedMetric, at: int) -> str:
    """A run's latency, marked where it is a percentile of too few samples."""
    return numerals.percentile(trend.values[metric][at], is_of_too_few=trend.is_of_too_few(metric, at))


def legend(trend: Trend, first: int = 0) -> str:
    """What the mark means, where a latency has it, from the run ``first`` on."""
    runs = range(first, len(trend.runs))
    return wording.legend(*(latency(trend, metric, at) for at in runs for metric in SHOWN))


def heading(trend: Trend) -> str:
    """``rest_api_baseline, scale ci: 12 runs, GET /tools``."""
    count = len(trend.runs)
    runs = f"{count} run{'' if count == 1 else 's'}"
    return f"{trend.workload}, scale {trend.runs[-1].scale}: {runs}, {trend.label or ALL_LABELS.lower()}"


def step_line(trend: Trend, step: Step) -> str:
    """A change point as a sentence: the metric, its means on both sides, the run, the gateway's versions."""
    percent = f" ({100 * (step.after / step.before - 1):+.1f} %)" if step.before else ""
    run = trend.runs[step.at]
    return (
        f"{step.metric} {numerals.significant(step.before, 3)} → {numerals.significant(step.after, 3)} "
        f"{_unit(step.metric)}{percent} from {run.started:%Y-%m-%d %H:%M} on, {_versions(step)}"
    )


def left_out_line(count: int) -> str:
    """Why some runs are no part of it."""
    return f"{count} invalid run{'' if count == 1 else 's'} left out: they say nothing about the gateway."


def page(trends: Sequence[Trend], left_out: int, *, title: str) -> str:
    """The history as a page: latencies, errors and rate by run, a line at each change point."""
    views = [{"name": heading(trend), "charts": _charts(trend)} for trend in trends]
    return rendered(
        "history.html",
        "lines.js",
        title=title,
        trends=trends,
        heading=heading,
        step_line=step_line,
        latency=latency,
        legend=legend,
        shown=SHOWN,
        left_out=left_out_line(left_out) if left_out else "",
        views=views,
        data=embedded_json({"views": views}),
    )


def write_page(path: Path, trends: Sequence[Trend], left_out: int, *, title: str) -> None:
    """Write the page to ``path``, whole or not at all."""
    write_text(path, page(trends, left_out, title=title))


def _table(trend: Trend) -> Table:
    names = ("Run", "Gateway", ">p50\nms", ">p95\nms", ">p99\nms", ">Errors\n%", ">Rate\n/s", "p95", "")
    table = plain_table(*names)
    most = max((value for value in trend.values["p95"] if value is not None), default=0)
    for index in range(max(0, len(trend.runs) - MOST_ROWS), len(trend.runs)):
        values = {metric: column[index] for metric, column in trend.values.items()}
        changed = [step.metric for step in trend.steps if step.at == index]
        error = values["error"]
        table.add_row(
            Text(trend.runs[index].started.strftime("%Y-%m-%d\u00a0%H:%M")),
            label_text(trend.runs[index].gateway or "unknown"),
            *(Text(latency(trend, metric, index)) for metric in SHOWN),
            Text(numerals.percent(None if error is None else error / 100), style="red" if error else ""),
            Text(numerals.rate(values["throughput"])),
            Text("█" * round(BAR * (values["p95"] or 0) / most) if most else "", style="cyan"),
            Text(f"◀ {', '.join(changed)}" if changed else "", style="yellow"),
        )
    return table


def _charts(trend: Trend) -> list[Chart]:
    xs = list(range(len(trend.runs)))
    names = [f"{run.started:%Y-%m-%d %H:%M}, {run.gateway or 'unknown'}" for run in trend.runs]

    def chart(name: str, unit: str, lines: Mapping[ComparedMetric, str]) -> Chart:
        series: list[dict[str, Any]] = [
            {"name": metric, "color": color, "values": values}
            for metric, values in trend.values.items()
            if (color := lines.get(metric))
        ]
        marks = [
            {"x": step.at - 0.5, "text": f"{step.metric}: {_versions(step)}"}
            for step in trend.steps
            if step.metric in lines
        ]
        return line_chart(name, "runs", unit, xs, series, names=names, marks=marks)

    return [
        chart("latency", "elapsed, ms", LATENCIES),
        chart("errors", "errors, %", {"error": "--c3"}),
        chart("rate", "samples a second, /s", {"throughput": "--c1"}),
    ]


def _versions(step: Step) -> str:
    before, after = step.gateway_before or "unknown", step.gateway_after or "unknown"
    return f"gateway {before} → {after}" if before != after else f"gateway {after} as before"


def _unit(metric: str) -> str:
    return {"throughput": "/s", "error": "%"}.get(metric, "ms")
