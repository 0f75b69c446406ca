"""The report of each workload in a real Chromium: its own pictures are drawn, and no error is logged."""

from pathlib import Path

import pytest
from browsing import picture
from report_examples import FIRST_PICTURE, Run, example, of_workload
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from pacemark.report import html
from pacemark.workloads import WORKLOADS

pytestmark = pytest.mark.browser

INK = """
const canvas = arguments[0];
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const seen = new Set();
for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] === 255) seen.add(pixels.slice(i, i + 3).join());
return seen.size;
"""


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
        picture(fresh, chart.get_attribute("data-chart") or "")
        assert fresh.execute_script(INK, chart.find_element(By.TAG_NAME, "canvas")) > 2
    headings = [one.text for one in fresh.find_elements(By.CSS_SELECTOR, "section h2")]
    assert FIRST_PICTURE.get(name, "Latency and rate") in headings
    assert fresh.get_log("browser") == []
