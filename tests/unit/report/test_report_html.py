import base64
import hashlib
import json
import re
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree
from lxml.html import HtmlElement, document_fromstring
from report_examples import HOSTILE, Run

from pacemark.report import html, numerals, wording
from pacemark.report.charts import chart_data
from pacemark.report.markdown import summary_markdown
from pacemark.results.digest import Digest
from pacemark.results.omission import correct
from pacemark.results.record import JudgedObjective, LatencyFigures, RunRecord
from pacemark.results.statistics import Figures, Summary, summarize
from pacemark.workloads.objective import Objective

KEYS = ("mean", "p50", "p90", "p95", "p99", "p999", "max")


def page(run: Run, title: str | None = None) -> HtmlElement:
    return document_fromstring(html.render(*run, title=title or run.record.title))


def text_of(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def row(root: HtmlElement, label: str, basis: str) -> list[HtmlElement]:
    rows = root.xpath("//tr[@data-label=$label and @data-basis=$basis]", label=label, basis=basis)
    assert len(rows) == 1
    return [cell for cell in rows[0].iterchildren("td") if "n" in cell.get("class", "").split()]


def check_latencies(cells: list[HtmlElement], figures: Figures | LatencyFigures) -> None:
    for cell, key in zip(cells, KEYS, strict=True):
        value = getattr(figures, key)
        assert float(cell.get("data-value")) == value
        assert text_of(cell) == numerals.latency(figures, key)


def test_every_number_of_the_table_is_the_summary_s(failed: Run) -> None:
    root = page(failed)
    for label, figures in (*failed.summary.labels.items(), ("All labels", failed.summary.total)):
        assert figures.response is not None
        counts, latencies = row(root, label, "response")[:4], row(root, label, "response")[4:]
        values = (figures.count, figures.errors, figures.error_rate, figures.throughput)
        assert [float(cell.get("data-value")) for cell in counts] == list(values)
        assert [text_of(cell) for cell in counts] == [
            f"{figures.count:,}",
            f"{figures.errors:,}",
            numerals.percent(figures.error_rate),
            numerals.rate(figures.throughput),
        ]
        check_latencies(latencies, figures.response)
        check_latencies(row(root, label, "elapsed"), figures)


def test_the_page_says_what_the_record_says(failed: Run) -> None:
    root, record = page(failed), failed.record
    banner = root.xpath("//div[@class='verdict fail']")[0]
    assert text_of(banner.find("h2")) == "fail 2 of 4 objectives missed."
    for reason in record.reasons:
        assert reason.text in text_of(banner)
        assert reason.remedy in text_of(banner)
    objectives = root.xpath("//section[@id='objectives']//tbody/tr")
    assert [text_of(each[0]) for each in objectives] == [judged.outcome for judged in record.objectives]
    whole = text_of(root)
    assert record.generator is not None
    for shown in (
        record.gateway.url,
        record.gateway.version,
        record.generator.java,
        *record.machine.values(),
        *record.fingerprint.values(),
        *(finding.detail for finding in record.preflight),
        *(finding.remedy for finding in record.preflight),
        "+3",
    ):
        assert shown in whole


def test_server_text_stays_text(hostile: Run) -> None:
    source = html.render(*hostile, title=HOSTILE)
    assert HOSTILE not in source
    root = document_fromstring(source)
    assert len(root.xpath("//script")) == 3
    assert not root.xpath("//main//script")
    assert not root.xpath("//main//b")
    for label in hostile.summary.labels:
        assert root.xpath("//th[normalize-space()=$label]", label=label)
    assert text_of(root.xpath("//h1")[0]) == HOSTILE


def test_the_data_block_cannot_be_left(hostile: Run) -> None:
    data = chart_data(*hostile)
    text = html.embedded_json(data)
    assert not set("<>&") & set(text)
    assert HOSTILE in json.loads(text)["labels"]
    block = page(hostile).xpath("//script[@id='data']")[0].text
    assert json.loads(block) == json.loads(json.dumps(data))


def test_the_policy_allows_exactly_what_is_there(passed: Run) -> None:
    source = html.render(*passed, title="x")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)
    assert policy is not None
    allowed = document_fromstring(source).xpath("//meta[@http-equiv]/@content")[0]
    inline = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    inline += re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    assert len(inline) == 3
    digests = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline}
    assert set(re.findall(r"'sha256-([^']*)'", allowed)) == digests
    assert allowed.startswith("default-src 'none'")
    assert not re.search(r"""\s(?:style|on[a-z]+)=["']|(?:src|href)=["'](?!\#)|@import|url\(""", source)


def test_charts_carry_the_window_s_own_percentiles(failed: Run) -> None:
    data = chart_data(*failed)
    assert data["labels"] == ["All labels", *failed.summary.labels]
    assert data["window"] == (failed.record.window.from_s, failed.record.window.to_s)
    for basis, figures in (("elapsed", failed.summary.total), ("response", failed.summary.total.response)):
        curve = data["curve"][basis][0]
        at = dict(zip(curve["percent"], curve["ms"], strict=True))
        assert figures is not None
        assert (at[0], at[50], at[90], at[95], at[100]) == (
            figures.min,
            figures.p50,
            figures.p90,
            figures.p95,
            figures.max,
        )
        assert all(a <= b for a, b in pairwise(curve["ms"]))


def test_charts_count_every_sample_once(failed: Run) -> None:
    data = chart_data(*failed)
    step = data["step"]
    assert round(sum(data["rate"]["achieved"]) * step) == failed.digest.count
    assert round(sum(map(sum, data["errors"]["per_s"])) * step) == failed.digest.errors
    load = failed.record.load
    assert round(sum(data["rate"]["target"]) * step) == round(load.due_between(0, load.duration_s))


def test_charts_of_a_load_that_was_cut_short_end_with_it(passed: Run) -> None:
    """To be 0 up to the planned end would be a rate and errors that nobody saw."""
    digest = passed.digest.between(0, 30)
    assert passed.record.generator is not None
    stopped = passed.record.generator.model_copy(update={"stopped": "interrupted"})
    for generator, ends_s in ((passed.record.generator, 60), (stopped, 30)):
        record = passed.record.model_copy(update={"generator": generator})
        data = chart_data(record, digest, passed.summary)
        assert data["at"][-1] + data["step"] == pytest.approx(ends_s, abs=data["step"])


def test_a_bare_jtl_has_figures_and_no_verdict(passed: Run) -> None:
    root = document_fromstring(html.render(None, passed.digest, passed.summary, title="samples.jtl"))
    assert "no verdict" in text_of(root.xpath("//div[@class='verdict none']/h2")[0])
    assert not root.xpath("//section[@id='objectives']")
    assert text_of(row(root, "All labels", "elapsed")[3]) == numerals.latency(passed.summary.total, "p95")


def test_a_window_without_samples_is_a_page_of_dashes(passed: Run) -> None:
    digest = passed.digest.only("no such label")
    summary = empty_summary(passed.summary)
    record = RunRecord.model_validate(
        {**passed.record.model_dump(), "verdict": "invalid", "objectives": [], "stages": []}
    )
    root = document_fromstring(html.render(record, digest, summary, title="empty"))
    assert [text_of(cell) for cell in row(root, "All labels", "elapsed")] == ["0", "0", "–", "–", *"–––––––"]
    assert "There are no samples in the measured window." in text_of(root)


def test_samples_without_due_times_say_so(passed: Run) -> None:
    cells = passed.digest.cells.with_columns(response_ms=None)
    digest = Digest(
        **{
            **vars(passed.digest),
            "cells": cells.cast({"response_ms": passed.digest.cells["response_ms"].dtype}),
        }
    )
    total = passed.summary.total.model_copy(update={"response": None})
    labels = {
        name: figures.model_copy(update={"response": None}) for name, figures in passed.summary.labels.items()
    }
    summary = Summary(window=passed.summary.window, total=total, labels=labels)
    root = document_fromstring(html.render(None, digest, summary, title="foreign.jtl"))
    assert "is not in these figures" in text_of(root.xpath("//section[@id='requests']/p")[0])
    assert not root.xpath("//tr[@data-basis='response']")
    assert not root.xpath("//input[@name='basis']")


def test_the_chart_library_is_whole_and_has_its_licence() -> None:
    uplot = files("pacemark.report") / "vendor/uplot"
    version = (uplot / "VERSION").read_text(encoding="utf-8").strip()
    assert f"uPlot (v{version})" in (uplot / "uPlot.iife.min.js").read_text(encoding="utf-8")[:80]
    assert "MIT License" in (uplot / "LICENSE").read_text(encoding="utf-8")


def empty_summary(like: Summary) -> Summary:
    nothing = dict.fromkeys(("error_rate", "throughput", "mean", "min", "max", "bytes", "response"))
    percentiles = dict.fromkeys(("p50", "p90", "p95", "p99", "p999"))
    total = Figures.model_validate({"count": 0, "errors": 0, "outcomes": {}, **nothing, **percentiles})
    return Summary(window=like.window, total=total, labels={})


def test_corrected_latencies_are_labelled_and_stand_beside_the_measured(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    rows = (f"{1_769_767_200_000 + n * 100},{1000 if n == 5 else 10},a,true\n" for n in range(50))
    path.write_text("timeStamp,elapsed,label,success\n" + "".join(rows))
    digest = Digest.from_jtl(path)
    summary, correction = summarize(digest), correct(digest, 100)
    source = html.render(None, digest, summary, title="samples.jtl", correction=correction)
    root = document_fromstring(source)
    check_latencies(row(root, "a", "corrected")[4:], correction.figures.labels["a"])
    check_latencies(row(root, "a", "elapsed"), summary.labels["a"])
    assert "an estimate, not a measurement" in text_of(root.xpath("//section[@id='requests']/p")[0])
    assert root.xpath("//input[@name='basis']/@value") == ["corrected", "elapsed"]
    data = chart_data(None, digest, summary, correction)
    assert data["curve"]["corrected"][0]["count"] == 59
    assert data["curve"]["elapsed"][0]["count"] == 50
    assert {len(data["latency"][basis][0]["p95"]) for basis in data["bases"]} == {len(data["at"])}


def test_objectives_put_on_samples_name_what_they_were_counted_from(passed: Run) -> None:
    objective = Objective.parse("p95 < 200 ms")
    judged = JudgedObjective(objective=objective, value=2005, outcome="missed", basis="corrected")
    root = document_fromstring(
        html.render(None, passed.digest, passed.summary, title="samples.jtl", objectives=[judged])
    )
    (row,) = root.xpath("//section[@id='objectives']//tbody/tr")
    assert text_of(row) == "missed Corrected p95 all labels 2,005 ms < 200 ms"
    told = summary_markdown(None, passed.summary, title="samples.jtl", objectives=[judged])
    assert "| Corrected p95 | all | 2,005 ms | &#60; 200 ms | ❌ missed |" in told
    assert "without a run&#58; 1 of 1 objective missed" in told
    assert wording.headline(None, [judged]) in text_of(root.xpath("//div[@class='verdict none']/h2")[0])


def test_raw_and_corrected_stand_side_by_side_for_each_stage_of_constant_rate(failed: Run) -> None:
    (stage,) = page(failed).xpath("//tr[@data-stage]")
    elapsed, response = failed.summary.total, failed.summary.total.response
    assert response is not None
    expected = [getattr(of, key) for of in (elapsed, response) for key in ("p50", "p95", "p99", "max")]
    assert [float(value) for value in stage.xpath("./td/@data-value")] == [elapsed.count, *expected]
