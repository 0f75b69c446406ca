"""A percentile of too few samples is shown as it is, with a mark and what that means, in every form."""

from io import StringIO
from pathlib import Path

import pytest
from lxml.html import document_fromstring
from report_examples import Run
from rich.console import Console, RenderableType

from pacemark.report import console, history, html, wording
from pacemark.report.comparison import comparison_markdown
from pacemark.report.document import summary_document
from pacemark.report.markdown import summary_markdown
from pacemark.results.compare import compare
from pacemark.results.digest import Digest
from pacemark.results.history import Line
from pacemark.results.measurements.model import latency_columns
from pacemark.results.omission import correct
from pacemark.results.record import Column, Section
from pacemark.results.statistics import Summary, summarize
from pacemark.results.trends import trends


@pytest.fixture
def sixty(tmp_path: Path) -> Digest:
    """60 samples: 30 lie beyond p50, 6 beyond p90."""
    path = tmp_path / "samples.jtl"
    rows = (f"{1_769_767_200_000 + n * 10},{n + 1},a,true\n" for n in range(60))
    path.write_text("timeStamp,elapsed,label,success\n" + "".join(rows))
    return Digest.from_jtl(path)


def _printed(renderable: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=80, color_system=None, legacy_windows=False).print(renderable)
    return " ".join(out.getvalue().split())


def test_of_earlier_runs() -> None:
    few = {"total": {"p50": 30, "p95": 57}, "total_too_few": ["p95"], "labels": {}}
    line = {
        "run": "w/1",
        "workload": "w",
        "started": "2026-01-30T10:00:00Z",
        "verdict": "pass",
        "scale": "ci",
    }
    found = trends([Line.model_validate({**line, "gateway": "1", "kind": "k", **few})])
    shown = _printed(history.trends_shown(found, 0))
    assert "30 57† –" in shown
    assert wording.TOO_FEW in shown
    page = document_fromstring(history.page(found, 0, title="x"))
    assert [cell.text for cell in page.findall(".//tbody/tr/td")[1:4]] == ["30", "57†", "–"]
    assert wording.TOO_FEW in page.text_content()


def test_in_the_terminal(sixty: Digest) -> None:
    shown = _printed(console.summary_table(summarize(sixty)))
    assert "30 57† 60†" in shown
    assert shown.endswith(wording.TOO_FEW)
    corrected = _printed(console.corrected_table(correct(sixty, 40).figures))
    assert "†" in corrected
    assert wording.TOO_FEW in corrected


def test_in_markdown(sixty: Digest) -> None:
    told = summary_markdown(None, summarize(sixty), title="samples.jtl")
    assert "| 30 | 57† | 60† | 60† | 60 |" in told
    assert told.count("† too few samples for this percentile") == 1


def test_on_the_page(sixty: Digest) -> None:
    root = document_fromstring(html.render(None, sixty, summarize(sixty), title="samples.jtl"))
    cells = root.xpath("//tr[@data-label='a']/td[@data-value]/text()")
    assert cells[-6:] == ["30", "54†", "57†", "60†", "60†", "60"]
    assert root.xpath("//dl[@id='figures']//dd[@data-value='57']/text()")[0].strip() == "57†"
    assert root.xpath("count(//p[starts-with(., '† too few samples')])") == 2


def test_in_a_workload_s_own_table(passed: Run) -> None:
    columns = [
        Column(name="Page"),
        Column(name="Requests"),
        *latency_columns(("P50", "P95", "Max"), counted_in="Requests"),
    ]
    rows: list[list[str | int | float | None]] = [["a", 399, 7, 9, 10], ["b", 400, 7, 9, 10]]
    section = Section(title="Pages", summary="Two.", columns=columns, rows=[*rows, ["c", 0, *[None] * 3]])
    record = passed.record.model_copy(update={"sections": [section]})
    root = document_fromstring(html.render(record, passed.digest, passed.summary, title="x"))
    (table,) = root.xpath("//section[h2='Pages']")
    shown = [[cell.text for cell in row.findall("td")] for row in table.findall(".//tbody/tr")]
    assert shown == [["399", "7", "9†", "10"], ["400", "7", "9", "10"], ["0", "–", "–", "–"]]
    assert table.findtext("p[@class='muted']") == wording.TOO_FEW
    told = summary_markdown(record, passed.summary, title="x")
    assert "| a | 399 | 7 | 9† | 10 |" in told


def test_in_a_comparison(sixty: Digest) -> None:
    found = compare([sixty], [sixty])
    few = {change.metric for change in found.changes if change.too_few == ["baseline", "current"]}
    assert few == {"p90", "p95", "p99"}
    told = comparison_markdown(found)
    assert "| p95 | 57† ms | 57† ms |" in told
    assert "| p50 | 30 ms | 30 ms |" in told
    assert "† too few samples for this percentile" in told
    shown = _printed(console.comparison_table(found))
    assert "57† ms 57† ms" in shown
    assert wording.TOO_FEW in shown


def test_in_json(sixty: Digest) -> None:
    document = summary_document(summarize(sixty), correct(sixty, 40).figures)
    few = ["p90", "p95", "p99", "p999"]
    assert document["total"]["too_few"] == document["labels"]["a"]["too_few"] == few
    assert document["corrected"]["total"]["too_few"] == few


def test_a_summary_of_before_says_it_too(sixty: Digest, tmp_path: Path) -> None:
    document = summarize(sixty).model_dump(mode="json")
    del document["total"]["too_few"]
    found = Summary.model_validate(document)
    assert found.total.too_few == ["p90", "p95", "p99", "p999"]


def test_nothing_is_marked_where_there_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "many.jtl"
    rows = (f"{1_769_767_200_000 + n},5,a,true\n" for n in range(20_000))
    path.write_text("timeStamp,elapsed,label,success\n" + "".join(rows))
    digest = Digest.from_jtl(path)
    summary = summarize(digest)
    told = summary_markdown(None, summary, title="many.jtl") + _printed(console.summary_table(summary))
    assert "†" not in told + html.render(None, digest, summary, title="many.jtl")
