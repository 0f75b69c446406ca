import re

import pytest
from report_examples import HOSTILE, Run

from pacemark.report import numerals
from pacemark.report.markdown import escaped, summary_markdown


def table_rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ") and ":--" not in line]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a|b", "a&#124;b"),
        ("`x`", "&#96;x&#96;"),
        (HOSTILE, r"&#60;script&#62;alert\(1\)&#60;/script&#62;"),
        ("one\ntwo\r\n three", "one two three"),
        ("&amp;", "&amp;amp;"),
        ("[a](b) *c* _d_ #1 @me", r"\[a\]\(b\) \*c\* \_d\_ \#1 &#64;me"),
        ("back\\slash", "back\\\\slash"),
        ("https://example.org", "https&#58;//example.org"),
    ],
)
def test_text_stays_text(text: str, kept: str) -> None:
    assert escaped(text) == kept


def test_the_summary_tells_verdict_objectives_and_figures(failed: Run) -> None:
    markdown = summary_markdown(failed.record, failed.summary, title="REST API baseline")
    assert markdown.startswith("## ❌ FAIL: REST API baseline\n\n2 of 4 objectives missed.\n")
    rows = {row[0]: row for row in table_rows(markdown)}
    total = failed.summary.total
    assert rows["**All labels**"][1:3] == [f"**{total.count:,}**", f"**{total.errors:,}**"]
    assert rows["GET /tools"][7] == numerals.latency(failed.summary.labels["GET /tools"], "p95")
    assert rows["Errors"][4] == "❌ missed"
    assert rows["Response p99.9"][4].startswith("➖ not judged: 5 samples")


def test_hostile_labels_make_no_columns_and_no_markup(hostile: Run) -> None:
    markdown = summary_markdown(hostile.record, hostile.summary, title=HOSTILE)
    assert markdown.startswith("## ⚠️ INVALID: ")
    assert "<script" not in markdown
    tables = re.findall(r"(?:^\|.*\n?)+", markdown, re.MULTILINE)
    assert len(tables) == 5
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_a_bare_jtl_is_not_judged(passed: Run) -> None:
    markdown = summary_markdown(None, passed.summary, title="samples.jtl")
    assert "NO VERDICT: samples.jtl" in markdown
    assert "| Objective |" not in markdown
