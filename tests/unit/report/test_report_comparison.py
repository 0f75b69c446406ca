import re

from lxml import etree
from report_examples import HOSTILE, Run

from pacemark.report import comparison as compared
from pacemark.report import junit
from pacemark.report.comparison import comparison_markdown, not_comparable_markdown, regression_lines
from pacemark.report.markdown import escaped
from pacemark.results.compare import Change, compare
from pacemark.results.digest import Digest
from pacemark.results.threshold import Threshold


def table_rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ") and ":--" not in line]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


def test_a_comparison_lists_the_worst_first(passed: Run, failed: Run) -> None:
    markdown = comparison_markdown(compare([measured(passed)] * 3, [measured(failed)] * 3))
    assert markdown.startswith("## ❌ WORSE: ")
    judged = table_rows(markdown.partition("<details>")[0])[1:]
    outcomes = [row[7] for row in judged]
    assert outcomes[0] == "❌ worse"
    order = ["❌ worse", "➖ inconclusive", "✅ better", "same"]
    assert outcomes == sorted(outcomes, key=lambda outcome: order.index(outcome.partition("&")[0]))
    changes = [
        float(re.sub(r"[^\d.]", "", row[4])) for row in judged if row[7] == "❌ worse" and row[1] == "p95"
    ]
    assert changes == sorted(changes, reverse=True)


def test_a_comparison_names_what_is_missing_and_new(passed: Run, hostile: Run) -> None:
    markdown = comparison_markdown(compare([measured(hostile)], [measured(passed)]))
    assert f"- {escaped(HOSTILE)}&#58; not in the current samples" in markdown
    markdown = comparison_markdown(compare([measured(passed)], [measured(hostile)]))
    assert f"- {escaped(HOSTILE)}&#58; not comparable, not in the baseline" in markdown


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
            outcome="worse",
        )

    listed = compared.worst_first([change("a", 1, 3, 200), change("b", 0, 0.75, None)])
    assert [each.label for each in listed] == ["b", "a"]
    assert compared.delta(listed[0]) == "+0.75 points"
    assert compared.value(listed[1], "current") == "3 %"


def test_each_regression_is_a_line_with_metric_values_allowance_and_label(passed: Run, failed: Run) -> None:
    comparison = compare([measured(passed)] * 3, [measured(failed)] * 3)
    lines = regression_lines(comparison)
    assert len(lines) == len(comparison.regressions)
    assert any(
        re.fullmatch(
            r"p95 \d+ ms, was \d+ ms \(\+[\d,.]+ %\), allowed 10%, noise ± \d+ ms, "
            r"of too few samples for this percentile \(GET /tools\)",
            line,
        )
        for line in lines
    )


def test_what_cannot_be_told_says_how_many_runs_would_tell(passed: Run, failed: Run) -> None:
    comparison = compare([measured(passed)], [measured(passed)], [Threshold.parse("p50", "10%")])
    needed = comparison.runs_needed
    assert comparison.verdict == "inconclusive"
    assert needed is not None
    said = (
        f"{needed} runs on each side would decide ({needed - 1} more baseline and {needed - 1} more current)"
    )
    assert said in compared.headline(comparison)
    markdown = comparison_markdown(comparison)
    assert markdown.startswith("## ➖ INCONCLUSIVE: ")
    assert f"➖ inconclusive&#58; {needed} runs a side" in markdown
    assert "- noise assumed between runs, one standard deviation&#58; p50 19 %" in markdown


def test_what_is_not_comparable_says_in_what() -> None:
    markdown = not_comparable_markdown(["scale: ci against full"])
    assert markdown.startswith("## ⚠️ NOT COMPARABLE")
    assert "- scale&#58; ci against full" in markdown


def test_junit_has_a_case_for_each_label_and_metric(passed: Run, failed: Run, hostile: Run) -> None:
    worse = compare([measured(passed)] * 3, [measured(failed)] * 3)
    suite = etree.fromstring(junit.comparison_xml(worse)).find("testsuite")
    assert suite is not None
    judged = compared.judged(worse)
    assert int(suite.get("tests", 0)) == len(judged) == len(suite.findall("testcase"))
    messages = [failure.get("message") for failure in suite.iter("failure")]
    assert messages == regression_lines(worse)
    unsure = compare([measured(hostile)], [measured(passed)])
    cases = etree.fromstring(junit.comparison_xml(unsure)).iter("testcase")
    assert any(case.find("failure") is not None and HOSTILE in case.get("name", "") for case in cases)


def test_a_missing_label_is_a_line_too(passed: Run, hostile: Run) -> None:
    lines = regression_lines(compare([measured(hostile)], [measured(passed)]))
    assert f"no samples of {HOSTILE}, which the baseline has" in lines


def test_a_label_that_may_be_missing_by_chance_is_a_note_and_skipped(passed: Run) -> None:
    one = measured(passed)
    rare = compare([one] * 3, [one] * 3).model_copy(update={"rare": [HOSTILE], "verdict": "inconclusive"})
    assert f"{HOSTILE}: {compared.RARE}" in compared.all_notes(rare)
    cases = etree.fromstring(junit.comparison_xml(rare)).iter("testcase")
    (case,) = (case for case in cases if HOSTILE in case.get("name", ""))
    assert case.find("skipped") is not None


def test_a_label_that_only_the_current_runs_have_is_skipped(passed: Run, hostile: Run) -> None:
    fuller = compare([measured(passed)] * 3, [measured(hostile)] * 3)
    suite = etree.fromstring(junit.comparison_xml(fuller)).find("testsuite")
    assert suite is not None
    (case,) = (case for case in suite.iter("testcase") if HOSTILE in case.get("name", ""))
    skipped = case.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == compared.NEW
    assert int(suite.get("skipped", 0)) == len(list(suite.iter("skipped")))
    assert HOSTILE in fuller.new


def test_what_is_inconclusive_is_not_headed_as_nothing_worse(passed: Run) -> None:
    one = measured(passed)
    threshold = [Threshold.parse("p95", "10%")]
    single = compare([one], [one], threshold)
    assert re.match(
        r"Cannot tell: with one run a side, changes below ± [\d,]+ % of p95 are not seen; \d inconclusive",
        compared.headline(single),
    )
    several = compare([one] * 3, [one] * 2, [Threshold.parse("error", "0.01%")])
    assert re.match(
        r"Cannot tell: with 2 and 3 runs a side, changes below ± [\d.]+ points of errors",
        compared.headline(several),
    )
    brief = one.between(one.window.from_s, one.window.from_s + 5)
    few = compare([brief], [brief], threshold)
    assert compared.headline(few).startswith("Cannot tell; ")
    tools = [one.only("GET /tools")] * 3
    assert compared.headline(compare(tools, tools, threshold)) == "Nothing worse."
