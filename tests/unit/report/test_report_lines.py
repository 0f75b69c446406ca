"""The pages that lay lines over one another: what stands in them."""

import json
import re
from pathlib import Path
from typing import Any

from report_examples import HOSTILE, Run, history_lines

from pacemark.report import comparison_page
from pacemark.report import history as history_page
from pacemark.results.compare import compare
from pacemark.results.sides import Side, Sides
from pacemark.results.statistics import percentile
from pacemark.results.trends import trends


def _side(name: str, run: Run) -> Side:
    digest = run.digest.between(run.record.window.from_s, run.record.window.to_s)
    return Side([name], [Path(name)], [digest], [run.record], [], [])


def _sides(before: Run, after: Run) -> Sides:
    baseline, current = _side("before", before), _side("after", after)
    return Sides(baseline, current, compare(baseline.digests, current.digests))


def _data(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_both_sides_percentiles_lie_over_one_another(passed: Run, failed: Run) -> None:
    sides = _sides(passed, failed)
    views = _data(comparison_page.render(sides, title="x"))["views"]
    assert [view["name"] for view in views] == ["All labels", *sides.baseline.digests[0].labels]
    curve, latency, rate = views[0]["charts"]
    assert [line["name"] for line in curve["series"]] == ["baseline", "current"]
    at = curve["names"].index("95 %")
    for line, side in zip(curve["series"], (sides.baseline, sides.current), strict=True):
        assert line["values"][at] == percentile(side.digests[0], "95")
    assert {len(line["values"]) for chart in (latency, rate) for line in chart["series"]} == {len(rate["x"])}


def test_a_page_keeps_a_hostile_label_as_text_and_has_every_figure(hostile: Run, tmp_path: Path) -> None:
    sides = _sides(hostile, hostile)
    comparison_page.write(tmp_path / "page.html", sides)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert HOSTILE not in page
    assert page.count("<script") == 3
    shown = [float(number) for number in re.findall(r'data-value="([^"]+)"', page)]
    for change in sides.comparison.changes:
        assert change.baseline in shown
        assert change.current in shown


def test_a_history_draws_its_trend_with_marks_at_the_change_points() -> None:
    page = history_page.page(trends(history_lines(24, HOSTILE)), 2, title="x")
    assert HOSTILE not in page
    assert "2 invalid runs left out" in page
    (view,) = _data(page)["views"]
    latency = view["charts"][0]
    (mark,) = latency["marks"]
    assert (mark["x"], mark["text"]) == (11.5, f"p95: gateway 1.0 → {HOSTILE}")
    assert {line["name"]: len(line["values"]) for line in latency["series"]}["p95"] == 24
