"""A comparison in a reader's order and words, worst first, and in GitHub's Markdown."""

from collections import Counter
from collections.abc import Iterable, Sequence

from pacemark.report import numerals
from pacemark.report.markdown import escaped, table
from pacemark.results.compare import Change, Comparison

ALL_LABELS = "All labels"
NAMES = {"throughput": "rate", "error": "errors"}
MARKS = {"worse": "❌", "better": "✅", "same": "✅", "inconclusive": "➖"}
CHANGE_MARKS = {
    "regressed": "❌ regressed",
    "inconclusive": "➖ inconclusive",
    "improved": "✅ improved",
    "same": "same",
    "shown": "",
}
_ORDER = {"regressed": 0, "inconclusive": 1, "improved": 2, "same": 3, "shown": 4}
_UNITS = {"throughput": "/s", "error": "%"}


def comparison_markdown(comparison: Comparison, *, title: str = "Compared with the baseline") -> str:
    """What changed: the judged metrics worst first, and every figure folded away beneath."""
    parts = [
        f"## {MARKS[comparison.verdict]} {comparison.verdict.upper()}: {escaped(title)}",
        escaped(headline(comparison)),
        _changes(judged(comparison)),
        "\n".join(f"- {escaped(note)}" for note in _compared_notes(comparison)),
        f"<details><summary>Every figure</summary>\n\n{_changes(comparison.changes)}\n\n</details>",
        f"<sub>{escaped(terms(comparison))}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def worst_first(changes: Iterable[Change]) -> list[Change]:
    """Regressions first, the largest relative one on top; then what may be chance, improved, stayed and was
    only shown."""
    return sorted(
        changes, key=lambda change: (_ORDER[change.outcome], -_worsening(change), change.label or "")
    )


def judged(comparison: Comparison) -> list[Change]:
    """The changes that a threshold was put on, worst first."""
    return worst_first(change for change in comparison.changes if change.outcome != "shown")


def metric(change: Change) -> str:
    """``p95``, ``rate``, ``errors``."""
    return NAMES.get(change.metric, change.metric)


def value(change: Change, number: float | None) -> str:
    """One side's value with its unit: ``38 ms``, ``99.8 /s``, ``0.12 %``."""
    if number is None:
        return numerals.ABSENT
    match change.metric:
        case "throughput":
            shown = numerals.rate(number)
        case "error":
            shown = numerals.percent(number / 100)
        case _:
            shown = numerals.milliseconds(number)
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


def headline(comparison: Comparison) -> str:
    """What came of the comparison, as one sentence."""
    regressed = len(comparison.regressions)
    parts = [f"{regressed} regression{'' if regressed == 1 else 's'}"] if regressed else []
    if comparison.missing:
        parts.append(f"missing: {', '.join(comparison.missing)}")
    if parts:
        return f"{'; '.join(parts)}."
    counted = Counter(change.outcome for change in comparison.changes)
    parts = [f"{counted['improved']} improved"] if counted["improved"] else []
    if counted["inconclusive"]:
        parts.append(f"{counted['inconclusive']} inconclusive: too few samples to tell a change from chance")
    return f"No regression; {', '.join(parts)}." if parts else "No regression."


def terms(comparison: Comparison) -> str:
    """What was compared with what and by which thresholds, as one line."""
    runs = f" of {comparison.baseline_runs} runs" if comparison.baseline_runs > 1 else ""
    return (
        f"{comparison.baseline_count:,} samples{runs} against {comparison.current_count:,}, "
        f"latencies counted as {comparison.basis}, allowed: {', '.join(comparison.thresholds)}"
    )


def _changes(listed: Sequence[Change]) -> str:
    rows = [
        (
            escaped(change.label or ALL_LABELS),
            metric(change),
            escaped(value(change, change.baseline)),
            escaped(value(change, change.current)),
            escaped(delta(change)),
            escaped(change.threshold),
            CHANGE_MARKS[change.outcome],
        )
        for change in listed
    ]
    return table(("Label", "Metric", "Baseline", "Current", "Change", "Allowed", "Outcome"), rows, left=2)


def _compared_notes(comparison: Comparison) -> Iterable[str]:
    yield from (f"{label}: not in the current samples" for label in comparison.missing)
    yield from (f"{label}: not in the baseline" for label in comparison.new)
    yield from comparison.notes


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
