"""The comparison's and the history's pages in a real browser."""

from pathlib import Path

import pytest
from report_examples import HOSTILE, example
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pacemark.report import comparison_page
from pacemark.results.compare import compare
from pacemark.results.sides import Side, Sides
from pacemark.results.statistics import percentile

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    found = []
    for verdict in ("pass", "fail"):
        directory = tmp_path_factory.mktemp(verdict)
        run = example(directory, verdict, seconds=60, rate=40, extra=(HOSTILE,))  # type: ignore[arg-type]
        digest = run.digest.between(run.record.window.from_s, run.record.window.to_s)
        found.append(Side([verdict], [directory], [digest], [run.record], [], []))
    return Sides(*found, compare(found[0].digests, found[1].digests))


@pytest.fixture
def shown(fresh: Chrome, sides: Sides, tmp_path: Path) -> Chrome:
    comparison_page.write(tmp_path / "comparison.html", sides)
    fresh.get((tmp_path / "comparison.html").as_uri())
    return fresh


def test_it_draws_without_an_error_and_hostile_labels_stay_text(shown: Chrome) -> None:
    assert shown.get_log("browser") == []
    assert len(shown.find_elements(By.CSS_SELECTOR, ".plot canvas")) == 3
    assert HOSTILE in [option.text for option in Select(shown.find_element(By.ID, "view")).options]


def test_the_keyboard_reads_both_sides_exact_percentiles(shown: Chrome, sides: Sides) -> None:
    plot = shown.find_element(By.CSS_SELECTOR, "[data-chart=curve] .plot")
    live = shown.find_element(By.CSS_SELECTOR, "[data-chart=curve] .live")
    for _ in range(60):
        plot.send_keys(Keys.ARROW_RIGHT)
        if live.get_attribute("textContent").startswith("95 %"):
            break
    p95 = [percentile(side.digests[0], "95") for side in (sides.baseline, sides.current)]
    assert live.get_attribute("textContent") == f"95 %: baseline {p95[0]} ms, current {p95[1]} ms"


def test_another_label_is_drawn_when_it_is_chosen(shown: Chrome) -> None:
    def picture() -> str:
        return str(
            shown.execute_script("return document.querySelector('[data-chart=curve] canvas').toDataURL()")
        )

    before = picture()
    Select(shown.find_element(By.ID, "view")).select_by_visible_text("GET /tools")
    assert picture() != before
    assert shown.get_log("browser") == []


def test_a_chart_is_read_as_a_table(shown: Chrome, sides: Sides) -> None:
    shown.find_element(By.CSS_SELECTOR, "[data-chart=curve] details summary").click()
    cells = "[data-chart=curve] tbody tr"
    WebDriverWait(shown, 5).until(lambda browser: browser.find_elements(By.CSS_SELECTOR, cells))
    rows = [row.text for row in shown.find_elements(By.CSS_SELECTOR, cells)]
    p95 = [percentile(side.digests[0], "95") for side in (sides.baseline, sides.current)]
    assert f"95 % {p95[0]} ms {p95[1]} ms" in rows


def test_plus_and_minus_zoom(shown: Chrome) -> None:
    plot = shown.find_element(By.CSS_SELECTOR, "[data-chart=latency] .plot")
    reset = shown.find_element(By.CSS_SELECTOR, "[data-chart=latency] .reset")
    assert not reset.is_displayed()
    plot.send_keys("+")
    assert reset.is_displayed()
    plot.send_keys("-")
    assert not reset.is_displayed()
    assert shown.get_log("browser") == []
