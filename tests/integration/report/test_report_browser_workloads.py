"""The report of each workload in a real Chromium: its own pictures are drawn, and no error is logged."""

from pathlib import Path

import pytest
from browsing import colours, picture
from report_examples import FIRST_PICTURE, Run, example, of_workload
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from pacemark.report import html
from pacemark.workloads import WORKLOADS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return example(tmp_path_factory.mktemp("run"), "pass", seconds=60, rate=20)


@pytest.mark.parametrize("name", WORKLOADS)
def test_it_opens_with_every_picture_drawn_and_no_error(
    name: str, run: Run, fresh: Chrome, tmp_path: Path
) -> None:
    page = tmp_path / "index.html"
    record = of_workload(name, tmp_path, run)
    page.write_text(html.render(record, run.digest, run.summary, title=name), encoding="utf-8")
    fresh.get(page.as_uri())
    charts = fresh.find_elements(By.CSS_SELECTOR, "[data-chart]")
    assert len(charts) > 3
    for chart in charts:
        name_of_chart = chart.get_attribute("data-chart") or ""
        picture(fresh, name_of_chart)
        assert colours(fresh, name_of_chart) > 2
    headings = [one.text for one in fresh.find_elements(By.CSS_SELECTOR, "section h2")]
    assert FIRST_PICTURE.get(name, "Latency and rate") in headings
    assert fresh.get_log("browser") == []
