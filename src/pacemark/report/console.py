"""What the terminal shows, as rich renderables. Every text is a ``Text``: no server's bracket is markup."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pacemark.report import comparison as compared
from pacemark.report import numerals, wording
from pacemark.results.baselines import Baseline
from pacemark.results.compare import Comparison
from pacemark.results.omission import Corrected
from pacemark.results.record import Finding, JudgedObjective, RunRecord, StageFigures
from pacemark.results.statistics import Figures, Summary
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload

if TYPE_CHECKING:  # a quarter of what else a start takes
    from pacemark.gateway.service import State

COLORS = {"pass": "green", "fail": "red", "invalid": "yellow", "none": "bright_black"}
LEVEL_COLORS = {
    "ok": "green",
    "warning": "yellow",
    "error": "red",
    "fail": "red",
    "invalid": "yellow",
    "met": "green",
    "worse": "red",
    "better": "green",
    "same": "green",
    "inconclusive": "yellow",
    "not comparable": "yellow",
    "shown": "",
    "missed": "red",
    "not judged": "bright_black",
}


def verdict_panel(record: RunRecord) -> RenderableType:
    """The verdict, its reasons with their remedies, and the objectives."""
    color = COLORS[record.verdict]
    parts: list[RenderableType] = [Text(wording.headline(record), style="bold")]
    parts += [_reason(reason.level, reason.text, reason.remedy) for reason in wording.reasons(record)]
    if record.objectives:
        parts.append(objectives_table(record.objectives))
    if stages := wording.steady_stages(record):
        parts += [Text(), stages_table(stages)]
    title = Text(f" {record.verdict.upper()} ", style=f"bold reverse {color}")
    title.append(f" {printable(record.workload)} ", style="not reverse bold")
    return Panel(Group(*parts), title=title, title_align="left", border_style=color, padding=(0, 1))


def failing_lines(record: RunRecord) -> list[str]:
    """Why the run did not pass: one line for each reason, with what to do about it."""
    deciding = [reason for reason in wording.reasons(record) if reason.level != "warning"]
    return [f"{reason.text} ({reason.remedy})" if reason.remedy else reason.text for reason in deciding]


def objectives_table(objectives: Sequence[JudgedObjective]) -> Table:
    """Each objective with its value, its limit and what came of it."""
    table = plain_table("Objective", "Requests", ">Measured", ">Limit", "Outcome")
    for judged in objectives:
        table.add_row(
            Text(wording.metric(judged)),
            label_text(judged.objective.of or "all"),
            Text(numerals.judged_value(judged)),
            Text(numerals.limit(judged.objective)),
            Text(judged.outcome, style=LEVEL_COLORS[judged.outcome]),
        )
    return table


def stages_table(stages: Sequence[StageFigures]) -> Table:
    """Raw and corrected percentiles of each stage of constant rate, side by side. Fits 76 columns."""
    percentiles = ("p50", "p95", "p99")
    columns = [f">{basis}\n{name} ms" for basis in ("raw", "corrected") for name in percentiles]
    table = plain_table("Stage", *columns)
    for stage in stages:
        both = [of for of in (stage.elapsed, stage.response) if of]
        cells = [Text(numerals.latency(of, name)) for of in both for name in percentiles]
        table.add_row(label_text(stage.name), *cells)
    return _with_legend(table)


def corrected_table(corrected: Corrected) -> RenderableType:
    """Latencies by label with coordinated omission corrected, and what that means."""
    table = plain_table("Label", ">Samples\nwith added", ">p50\nms", ">p95\nms", ">p99\nms", ">Max\nms")
    for label, figures in (*corrected.labels.items(), ("All labels", corrected.total)):
        cells = [Text(numerals.latency(figures, key)) for key in ("p50", "p95", "p99", "max")]
        table.add_row(label_text(label), Text(numerals.count(figures.count)), *cells)
    return Group(
        Text(), _with_legend(table), Text(printable(wording.corrected(corrected)), style="bright_black")
    )


def summary_table(summary: Summary) -> Table:
    """The figures by label, in milliseconds; with response p95 where it is known. Fits 80 columns."""
    known = summary.total.response is not None
    response = (">resp\np95 ms",) if known else ()
    table = plain_table(
        "Label", ">Samples", ">Errors\n%", ">Rate\n/s", ">p50\nms", ">p95\nms", ">p99\nms", *response
    )
    for label, figures in summary.labels.items():
        table.add_row(label_text(label), *_cells(figures, known))
    table.add_section()
    table.add_row(Text("All labels"), *_cells(summary.total, known), style="bold")
    return _with_legend(table)


def findings_table(findings: Iterable[Finding]) -> Table:
    """What the preflight found, each with its remedy beneath it."""
    table = plain_table("Check", "", "Finding")
    for finding in findings:
        detail = Text(printable(finding.detail))
        if finding.remedy:
            detail.append(f"\n{printable(finding.remedy)}", style="italic bright_black")
        table.add_row(
            Text(printable(finding.name)), Text(finding.level, style=LEVEL_COLORS[finding.level]), detail
        )
    return table


def comparison_table(comparison: Comparison) -> RenderableType:
    """What changed, worst first, of the metrics that a threshold is on."""
    table = plain_table("Label", "Metric", ">Baseline", ">Current", ">Change", ">Noise", "Outcome")
    for change in compared.judged(comparison):
        style = LEVEL_COLORS[change.outcome]
        table.add_row(
            label_text(change.label or compared.ALL_LABELS),
            Text(compared.metric(change)),
            Text(compared.value(change, "baseline")),
            Text(compared.value(change, "current")),
            Text(compared.delta(change), style=style),
            Text(compared.noise(change)),
            Text(compared.outcome(change), style=style),
        )
    headline = Text(comparison.verdict.upper(), style=f"bold {LEVEL_COLORS[comparison.verdict]}")
    headline.append(f"  {printable(compared.headline(comparison))}", style="not bold default")
    terms = Text(printable(compared.terms(comparison)), style="bright_black")
    lines = [Text(printable(note), style="yellow") for note in compared.all_notes(comparison)]
    return Group(headline, Text(), _with_legend(table), Text(), terms, *lines)


def runs_table(runs: Iterable[tuple[RunRecord, Path]]) -> Table:
    """Several runs of one command, a row each: the verdict, what decided it, and where it is."""
    table = plain_table("Verdict", "Workload", "Because", "Run")
    for record, directory in runs:
        reasons = [reason for reason in wording.reasons(record) if reason.level != "warning"]
        why = reasons[0].text if reasons else wording.headline(record)
        table.add_row(
            Text(record.verdict, style=f"bold {COLORS[record.verdict]}"),
            label_text(record.workload),
            label_text(why),
            label_text(str(directory)),
        )
    return table


def baselines_table(baselines: Iterable[Baseline]) -> Table:
    """The kept baselines: what each is of, when it was measured, and its verdict."""
    table = plain_table("Name", "Workload", "Scale", "Measured", ">Rate\n/s", "Gateway", "Verdict")
    for baseline in baselines:
        record = baseline.record
        table.add_row(
            label_text(baseline.name),
            label_text(record.workload),
            label_text(record.scale),
            Text(record.started.strftime("%Y-%m-%d\n%H:%M %Z")),
            Text(numerals.plain(record.load.rate_per_s)),
            label_text(record.gateway.version or "unknown"),
            Text(record.verdict, style=COLORS[record.verdict]),
        )
    return table


def plans_table(workloads: Iterable[Workload]) -> Table:
    """The test matrix: each workload with its load and objectives at scale ``full``."""
    table = plain_table("Workload\n  protocol", ">Threads", ">Duration\nramp-up", ">Rate\n/s", "Objectives")
    table.columns[0].no_wrap = True
    for workload in workloads:
        load = workload.scales["full"]
        table.add_row(
            Text.assemble(workload.name, "\n  ", (workload.protocol, "bright_black")),
            Text(_threads(load)),
            Text(f"{numerals.duration(load.duration_s)}\n{numerals.duration(load.ramp_up_s)}"),
            Text(_rates(load)),
            Text("\n".join(map(str, workload.objectives))),
        )
    return table


def services_table(state: "State") -> RenderableType:
    """The local stack: each service, whether it is ready, where it listens, its process."""
    table = plain_table("Service", "State", "Address", ">Process")
    for name, service in state.services.items():
        ended = service.exit_code is not None
        word = f"ended ({service.exit_code})" if ended else "ready" if service.ready else "starting"
        style = "red" if ended else "green" if service.ready else "yellow"
        table.add_row(
            label_text(name), Text(word, style=style), label_text(service.url), Text(str(service.pid))
        )
    parts: list[RenderableType] = [Text(state.phase, style="bold"), table]
    return Group(*parts, Text(printable(state.reason), style="red")) if state.reason else Group(*parts)


def printable(text: str) -> str:
    """A server's text on one line without control characters, so that it cannot steer the terminal."""
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))


def _threads(load: Load) -> str:
    least = min((stage.threads for stage in load.stages), default=load.threads)
    most = numerals.count(load.threads)
    return most if least == load.threads else f"{numerals.count(least)}-{most}"


def _rates(load: Load) -> str:
    """The rates it turns at, one a line: narrow, as that column must be."""
    if load.rate_per_s is None:
        return "think\n" + wording.pace(load).removeprefix("think time ")
    return "\n→".join(map(numerals.plain, load.turns_per_s))


def _cells(figures: Figures, known: bool) -> list[Text]:
    style = "red" if figures.errors else ""
    cells = [
        Text(numerals.count(figures.count)),
        Text(numerals.percent(figures.error_rate), style=style),
        Text(numerals.rate(figures.throughput)),
        *(Text(numerals.latency(figures, key)) for key in ("p50", "p95", "p99")),
    ]
    if known:
        response = figures.response
        cells.append(Text(numerals.latency(response, "p95") if response else numerals.ABSENT))
    return cells


def _with_legend(table: Table) -> Table:
    cells = [str(cell) for column in table.columns for cell in column.cells]
    if said := wording.legend(*cells):
        table.caption = Text(said, style="not italic bright_black")
        table.caption_justify = "left"
    return table


def _reason(level: str, text: str, remedy: str) -> Text:
    line = Text()
    line.append(level, style=f"bold {LEVEL_COLORS[level]}")
    line.append(f" {printable(text)}")
    if remedy:
        line.append(f": {printable(remedy)}", style="italic bright_black")
    return line


def label_text(text: str) -> Text:
    """A server's or a user's text in a cell, folded where it is long."""
    return Text(printable(text), overflow="fold")


def plain_table(*columns: str) -> Table:
    """A plain table; a column whose name starts with ``>`` stands right and never wraps."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bright_black")
    for name in columns:
        right = name.startswith(">")
        table.add_column(
            Text(name.lstrip(">")), justify="right" if right else "left", no_wrap=right, vertical="top"
        )
    return table
