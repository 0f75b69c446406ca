"""A comparison in a reader's order and words, worst first, and in GitHub's Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

from pacemark.errors import PacemarkError
from pacemark.report import numerals, wording
from pacemark.report.markdown import escaped, table
from pacemark.results.compare import Change, Comparison, SideName

ALL_LABELS = "All labels"
NAMES = {"throughput": "rate", "error": "errors"}
MARKS = {"worse": "❌", "better": "✅", "same": "✅", "inconclusive": "➖"}
CHANGE_MARKS = {
    "worse": "❌ worse",
    "inconclusive": "➖ inconclusive",
    "not comparable": "➖ not comparable",
    "better": "✅ better",
    "same": "same",
    "shown": "",
}
RARE = "inconclusive, not in the current samples and too few in the baseline to be missed"
NEW = "not comparable, not in the baseline"
_ORDER = {name: rank for rank, name in enumerate(CHANGE_MARKS)}
_UNITS = {"throughput": "/s", "error": "%"}


def comparison_markdown(comparison: Comparison, *, title: str = "Compared with the baseline") -> str:
    """What changed: the judged metrics worst first, and every figure folded away beneath."""
    every = _changes(comparison.changes)
    parts = [
        f"## {MARKS[comparison.verdict]} {comparison.verdict.upper()}: {escaped(title)}",
        escaped(headline(comparison)),
        _changes(judged(comparison)),
        "\n".join(f"- {escaped(note)}" for note in all_notes(comparison)),
        f"<details><summary>Every figure</summary>\n\n{every}\n\n</details>",
        escaped(wording.legend(every)),
        f"<sub>{escaped(terms(comparison))}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def not_comparable_markdown(differing: Sequence[str]) -> str:
    """That runs are not of one kind, and in what."""
    lines = "\n".join(f"- {escaped(line)}" for line in differing)
    return f"## ⚠️ NOT COMPARABLE\n\nThe runs differ in kind:\n\n{lines}\n"


def not_compared_markdown(why: PacemarkError) -> str:
    """That there was nothing to compare, and why."""
    return f"## ⚠️ NOT COMPARED\n\n{escaped(str(why))}\n"


def worst_first(changes: Iterable[Change]) -> list[Change]:
    """What got worse first, the largest relative change on top; then what is not known, got better, stayed
    and was only shown."""
    return sorted(
        changes, key=lambda change: (_ORDER[change.outcome], -_worsening(change), change.label or "")
    )


def judged(comparison: Comparison) -> list[Change]:
    """The changes that a threshold was put on, worst first."""
    return worst_first(change for change in comparison.changes if change.outcome != "shown")


def metric(change: Change) -> str:
    """``p95``, ``rate``, ``errors``."""
    return NAMES.get(change.metric, change.metric)


def value(change: Change, side: SideName, *, marked: bool = True) -> str:
    """One side's value with its unit: ``38 ms``, ``99.8 /s``, ``0.12 %``; a percentile of too few samples
    ``marked``."""
    number = change.baseline if side == "baseline" else change.current
    if number is None:
        return numerals.ABSENT
    match change.metric:
        case "throughput":
            shown = numerals.rate(number)
        case "error":
            shown = numerals.percent(number / 100)
        case _:
            shown = numerals.percentile(number, is_of_too_few=marked and side in change.too_few)
    return f"{shown} {_unit(change)}"


def delta(change: Change) -> str:
    """The change with its sign: relative for latencies and rates, in percentage points for errors."""
    if change.change is None:
        return numerals.ABSENT
    if change.metric == "error":
        return f"{_signed(change.change)} points"
    if change.change_percent is None:
        return f"{_signed(change.change)} {_unit(change)}"
    return f"{_signed(change.change_percent)} %"


def noise(change: Change) -> str:
    """What a change must exceed so as not to be chance: ``± 12 ms``, ``± 0.2 points``."""
    if change.noise is None:
        return numerals.ABSENT
    unit = "points" if change.metric == "error" else _unit(change)
    return f"± {numerals.significant(change.noise, 2)} {unit}"


def outcome(change: Change) -> str:
    """``worse``, ``inconclusive: 7 runs a side``: what came of it, and why."""
    if change.outcome == "shown":
        return ""
    why = f"{change.runs_needed} runs a side" if change.runs_needed else change.why
    return f"{change.outcome}: {why}" if why else change.outcome


def headline(comparison: Comparison) -> str:
    """What came of the comparison, as one sentence."""
    counted = Counter(change.outcome for change in comparison.changes)
    parts = [f"{counted['worse']} worse"] if counted["worse"] else []
    if comparison.missing:
        parts.append(f"missing: {', '.join(comparison.missing)}")
    unsure = counted["inconclusive"] or comparison.rare
    parts = parts or [_cannot_tell(comparison) if unsure else "Nothing worse"]
    if counted["better"]:
        parts.append(f"{counted['better']} better")
    if counted["inconclusive"]:
        parts.append(f"{counted['inconclusive']} inconclusive{_deciding(comparison)}")
    if counted["not comparable"]:
        parts.append(f"{counted['not comparable']} not comparable")
    return f"{'; '.join(parts)}."


def terms(comparison: Comparison) -> str:
    """What was compared with what and by which thresholds, as one line."""
    return (
        f"{_samples(comparison.baseline_count, comparison.baseline_runs)} against "
        f"{_samples(comparison.current_count, comparison.current_runs)}, "
        f"latencies counted as {comparison.basis}, allowed: {', '.join(comparison.thresholds)}"
    )


def all_notes(comparison: Comparison) -> list[str]:
    """What there is to know beside the figures: where the noise is from, labels of one side only."""
    return [
        *(f"noise {line}" for line in comparison.noise),
        *(f"{label}: not in the current samples" for label in comparison.missing),
        *(f"{label}: {RARE}" for label in comparison.rare),
        *(f"{label}: {NEW}" for label in comparison.new),
        *comparison.notes,
    ]


def regression_lines(comparison: Comparison) -> list[str]:
    """What got worse: one line for each regression, and for each label that vanished."""
    lines = [regression_line(change) for change in worst_first(comparison.regressions)]
    return lines + [f"no samples of {label}, which the baseline has" for label in comparison.missing]


def regression_line(change: Change) -> str:
    """A regression as one line with metric, values, allowance, noise and label."""
    before, after = (value(change, side, marked=False) for side in get_args(SideName))
    few = ", of too few samples for this percentile" if change.too_few else ""
    return (
        f"{metric(change)} {after}, was {before} ({delta(change)}), "
        f"allowed {change.threshold}, noise {noise(change)}{few} ({change.label or ALL_LABELS})"
    )


def _cannot_tell(comparison: Comparison) -> str:
    """That a change may have been missed, and how large: of all labels, else of that with the most noise."""
    unsure = [change for change in comparison.changes if change.outcome == "inconclusive"]
    unseen = []
    for name in dict.fromkeys(change.metric for change in unsure):
        known = [change for change in unsure if change.metric == name and change.noise is not None]
        found = max(known, key=lambda one: (one.label is None, one.noise or 0), default=None)
        if found is not None:
            where = f" of {found.label}" if found.label else ""
            unseen.append(f"{_share(found)} of {metric(found)}{where}")
    if not unseen:
        return "Cannot tell"
    runs = sorted({comparison.baseline_runs, comparison.current_runs})
    given = "one run" if runs == [1] else f"{' and '.join(map(str, runs))} runs"
    return f"Cannot tell: with {given} a side, changes below {' and '.join(unseen)} are not seen"


def _share(change: Change) -> str:
    """The noise as a share of the baseline, as changes are."""
    if change.metric == "error" or not change.baseline:
        return noise(change)
    return f"± {numerals.significant(100 * (change.noise or 0) / change.baseline, 2)} %"


def _deciding(comparison: Comparison) -> str:
    """How many runs would decide what is inconclusive, as far as that is known."""
    runs = comparison.runs_needed
    if runs is None:
        return ""
    more = [
        f"{runs - there} more {side}"
        for side, there in (("baseline", comparison.baseline_runs), ("current", comparison.current_runs))
        if runs > there
    ]
    return f", {runs} runs on each side would decide ({' and '.join(more)})" if more else ""


def _samples(count: int, runs: int) -> str:
    return f"{count:,} samples of {runs} runs" if runs > 1 else f"{count:,} samples"


def _changes(listed: Sequence[Change]) -> str:
    rows = [
        (
            escaped(change.label or ALL_LABELS),
            metric(change),
            escaped(value(change, "baseline")),
            escaped(value(change, "current")),
            escaped(delta(change)),
            escaped(change.threshold),
            escaped(noise(change)),
            _marked(change),
        )
        for change in listed
    ]
    header = ("Label", "Metric", "Baseline", "Current", "Change", "Allowed", "Noise", "Outcome")
    return table(header, rows, left=2)


def _marked(change: Change) -> str:
    return CHANGE_MARKS[change.outcome] + escaped(outcome(change).removeprefix(change.outcome))


def _unit(change: Change) -> str:
    return _UNITS.get(change.metric, "ms")


def _signed(number: float) -> str:
    if number == 0:
        return "0"
    sign = "+" if number > 0 else "−"
    size = abs(number)
    return f"{sign}{numerals.significant(size, 3) if size < 1000 else f'{size:,.0f}'}"


def _worsening(change: Change) -> float:
    """The relative change for the worse; from nothing it is without bound."""
    if not change.change:
        return 0.0
    worse = -1 if change.metric == "throughput" else 1
    if change.change_percent is None:
        return worse * float("inf") if change.change > 0 else -worse * float("inf")
    return worse * change.change_percent
