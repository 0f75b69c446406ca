import re

from report_examples import HOSTILE, Run

from pacemark.report import comparison as compared
from pacemark.report.comparison import comparison_markdown
from pacemark.report.console import regression_lines
from pacemark.report.markdown import escaped
from pacemark.results.compare import Change, compare
from pacemark.results.digest import Digest, merge


def table_rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ") and ":--" not in line]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_a_comparison_lists_the_worst_first(passed: Run, failed: Run) -> None:
    markdown = comparison_markdown(compare([measured(passed)] * 8, merge([measured(failed)] * 8)))
    assert markdown.startswith("## ❌ WORSE: ")
    judged = table_rows(markdown.partition("<details>")[0])[1:]
    outcomes = [row[6] for row in judged]
    assert outcomes[0] == "❌ regressed"
    assert outcomes == sorted(outcomes, key=["❌ regressed", "➖ inconclusive", "✅ improved", "same"].index)
    changes = [
        float(re.sub(r"[^\d.]", "", row[4])) for row in judged if row[6] == "❌ regressed" and row[1] == "p95"
    ]
    assert changes == sorted(changes, reverse=True)


def test_a_comparison_names_what_is_missing_and_new(passed: Run, hostile: Run) -> None:
    markdown = comparison_markdown(compare([measured(hostile)], measured(passed)))
    assert f"- {escaped(HOSTILE)}&#58; not in the current samples" in markdown
    markdown = comparison_markdown(compare([measured(passed)], measured(hostile)))
    assert f"- {escaped(HOSTILE)}&#58; not in the baseline" in markdown


def measured(run: Run) -> Digest:
    return run.digest.between(run.record.window.from_s, run.record.window.to_s)


def test_errors_from_nothing_are_worse_than_any_share() -> None:
    def change(label: str, before: float, after: float, percent: float | None) -> Change:
        return Change(
            label=label,
            metric="error",
            baseline=before,
            current=after,
            change=after - before,
            change_percent=percent,
            threshold="0.5 percentage points",
            outcome="regressed",
        )

    listed = compared.worst_first([change("a", 1, 3, 200), change("b", 0, 0.75, None)])
    assert [each.label for each in listed] == ["b", "a"]
    assert compared.delta(listed[0]) == "+0.75 points"
    assert compared.value(listed[1], 3) == "3 %"


def test_each_regression_is_a_line_with_metric_values_allowance_and_label(passed: Run, failed: Run) -> None:
    comparison = compare([measured(passed)] * 8, merge([measured(failed)] * 8))
    lines = regression_lines(comparison)
    assert len(lines) == len(comparison.regressions)
    assert any(
        re.fullmatch(r"p95 \d+ ms, was \d+ ms \(\+[\d,.]+ %\), allowed 10% \(GET /tools\)", line)
        for line in lines
    )


def test_what_may_be_chance_is_said_to_be_inconclusive(passed: Run) -> None:
    comparison = compare([measured(passed)], measured(passed))
    doubtful = [change.model_copy(update={"outcome": "inconclusive"}) for change in comparison.changes]
    comparison = comparison.model_copy(update={"changes": doubtful, "verdict": "inconclusive"})
    assert "inconclusive: too few samples" in compared.headline(comparison)
    assert comparison_markdown(comparison).startswith("## ➖ INCONCLUSIVE: ")


def test_a_missing_label_is_a_line_too(passed: Run, hostile: Run) -> None:
    lines = regression_lines(compare([measured(hostile)], measured(passed)))
    assert f"no samples of {HOSTILE}, which the baseline has" in lines
