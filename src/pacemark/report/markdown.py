"""``summary.md``, in GitHub's Markdown."""

import re
from collections.abc import Iterable, Sequence

from pacemark.report import numerals, wording
from pacemark.report.failures import failures
from pacemark.results.omission import Corrected
from pacemark.results.record import (
    JudgedObjective,
    LatencyFigures,
    RunRecord,
    Section,
    StageFigures,
)
from pacemark.results.statistics import Figures, Summary

MAX_FAILURES = 20
MARKS = {"pass": "✅", "fail": "❌", "invalid": "⚠️", "none": "➖"}
OUTCOME_MARKS = {"met": "✅", "missed": "❌", "not judged": "➖"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~<>@:-])")


LATENCIES = {"p50": "p50 ms", "p90": "p90 ms", "p95": "p95 ms", "p99": "p99 ms", "max": "Max ms"}


def summary_markdown(
    record: RunRecord | None,
    summary: Summary | None,
    *,
    title: str,
    corrected: Corrected | None = None,
    objectives: Sequence[JudgedObjective] = (),
) -> str:
    """The run on half a page: the verdict and why, the objectives, the figures by label, what went wrong.
    What the system did meanwhile is in the HTML page.

    ``summary`` is None for a run without samples; ``objectives`` are those put on samples without a run.
    """
    judged = wording.judged(record, objectives)
    parts = [
        f"## {MARKS[wording.verdict(record)]} {wording.verdict_word(record).upper()}: {escaped(title)}",
        escaped(wording.headline(record, objectives)),
        "\n".join(_reasons(record)),
        _objectives(judged) if judged else "",
        *(_section(one) for one in (record.sections if record else []) if not one.is_background),
        _stages(wording.steady_stages(record)),
        *((_by_label(summary), _corrected(corrected), _failures(summary)) if summary else ()),
        "\n".join(f"- {escaped(note)}" for note in (summary.notes if summary else [])),
    ]
    parts += [escaped(wording.legend(*parts)), _footer(record, summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text that stays text in GitHub's Markdown and in a table's cell, on one line: no markup, HTML,
    mention, link or column of its own.
    """
    line = " ".join(text.split())
    return _SPECIAL.sub(
        lambda found: f"&#{ord(found[0])};" if found[0] in "<>|`@:" else f"\\{found[0]}", _amp(line)
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table of cells that are escaped already; the first ``left`` columns stand left, the others right."""
    lines = [list(header), [":--" if i < left else "--:" for i in range(len(header))], *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _amp(text: str) -> str:
    return text.replace("&", "&amp;")


def _reasons(record: RunRecord | None) -> Iterable[str]:
    for reason in wording.reasons(record):
        remedy = f": *{escaped(reason.remedy)}*" if reason.remedy else ""
        yield f"- **{reason.level}** {escaped(reason.text)}{remedy}"


def _objectives(objectives: Sequence[JudgedObjective]) -> str:
    rows = [
        (
            escaped(wording.metric(judged)),
            escaped(judged.objective.of or "all"),
            escaped(numerals.judged_value(judged)),
            escaped(numerals.limit(judged.objective)),
            f"{OUTCOME_MARKS[judged.outcome]} {judged.outcome}"
            + (f": {escaped(judged.why)}" if judged.why else ""),
        )
        for judged in objectives
    ]
    return table(("Objective", "Requests", "Measured", "Limit", "Outcome"), rows, left=2)


def _section(section: Section) -> str:
    header = [escaped(f"{column.name} {column.unit}".strip()) for column in section.columns]
    rows = [
        [
            escaped(numerals.cell(cell, is_of_too_few=section.is_of_too_few(row, at)))
            for at, cell in enumerate(row)
        ]
        for row in section.rows
    ]
    shown = table(header, rows) if rows else ""
    parts = [f"### {escaped(section.title)}", escaped(section.summary)]
    parts += [shown, escaped(section.note), wording.legend(shown)]
    return "\n\n".join(part for part in parts if part)


def _stages(stages: Sequence[StageFigures]) -> str:
    """Raw and corrected, a row each, one beneath the other."""
    rows = [
        [escaped(stage.name) if name == "raw" else "", name, *_latencies(figures)]
        for stage in stages
        for name, figures in (("raw", stage.elapsed), ("corrected", stage.response))
        if figures
    ]
    header = ("Stage", "", *LATENCIES.values())
    return f"{table(header, rows, left=2)}\n\n{escaped(wording.SIDE_BY_SIDE)}" if rows else ""


def _corrected(corrected: Corrected | None) -> str:
    if corrected is None:
        return ""
    every = (*corrected.labels.items(), ("All labels", corrected.total))
    rows = [(escaped(label), numerals.count(one.count), *_latencies(one)) for label, one in every]
    header = ("Corrected", "Samples with added ones", *LATENCIES.values())
    return f"{table(header, rows)}\n\n{escaped(wording.corrected(corrected))}"


def _latencies(figures: LatencyFigures) -> list[str]:
    return [escaped(numerals.latency(figures, key)) for key in LATENCIES]


def _by_label(summary: Summary) -> str:
    known = summary.total.response is not None
    header = [
        "Label",
        "Samples",
        "Errors",
        "Errors %",
        "Rate /s",
        "Mean ms",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "p99.9 ms",
    ]
    header.append("Max ms")
    if known:
        header += ["Response p95 ms", "Response p99 ms"]
    rows = [_row(escaped(label), figures, known) for label, figures in summary.labels.items()]
    rows.append([f"**{cell}**" for cell in _row("All labels", summary.total, known)])
    return table(header, rows)


def _row(label: str, figures: Figures, known: bool) -> list[str]:
    keys = ("mean", "p50", "p95", "p99", "p999", "max")
    latencies = [numerals.latency(figures, key) for key in keys]
    if known:
        response = figures.response
        latencies += [
            numerals.latency(response, key) if response else numerals.ABSENT for key in ("p95", "p99")
        ]
    return [
        label,
        numerals.count(figures.count),
        numerals.count(figures.errors),
        escaped(numerals.percent(figures.error_rate)),
        numerals.rate(figures.throughput),
        *map(escaped, latencies),
    ]


def _failures(summary: Summary) -> str:
    found = failures(summary)
    if not found:
        return ""
    rows = [
        (
            escaped(each.outcome),
            escaped(each.label),
            numerals.count(each.count),
            escaped(numerals.percent(each.share)),
        )
        for each in found[:MAX_FAILURES]
    ]
    rest = found[MAX_FAILURES:]
    more = f"\n\nAnd {len(rest)} rarer ones, {sum(each.count for each in rest):,} samples." if rest else ""
    return table(("Outcome", "Label", "Samples", "Of the label's %"), rows, left=2) + more


def _footer(record: RunRecord | None, summary: Summary | None) -> str:
    measured = f"{numerals.duration(summary.window.seconds)} measured" if summary else "no samples"
    if record is None:
        return f"<sub>{escaped(measured)}</sub>"
    facts = [
        f"scale {record.scale}",
        measured,
        "embedded gateway" if record.gateway.embedded else "gateway",
        record.gateway.version,
        f"JMeter {record.generator.jmeter}, Java {record.generator.java}" if record.generator else "",
        f"Pacemark {record.pacemark}",
        record.started.isoformat(" ", "seconds"),
    ]
    return f"<sub>{' · '.join(escaped(fact) for fact in facts if fact)}</sub>"
