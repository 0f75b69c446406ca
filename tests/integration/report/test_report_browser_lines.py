"""The comparison's and the history's pages in a real browser."""

import base64
from pathlib import Path

import pytest
from browsing import emulate, find, picture, put_out_and_on_again
from report_examples import HOSTILE, example, history_lines
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pacemark.report import comparison_page, history
from pacemark.results.compare import compare
from pacemark.results.sides import Side, Sides
from pacemark.results.statistics import percentile
from pacemark.results.trends import trends

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


@pytest.fixture
def past(fresh: Chrome, tmp_path: Path) -> Chrome:
    history.write_page(
        tmp_path / "history.html", trends(history_lines(24, "1.1<script>")), 2, title="History"
    )
    fresh.get((tmp_path / "history.html").as_uri())
    return fresh


@pytest.fixture(params=["shown", "past"])
def either(request: pytest.FixtureRequest) -> Chrome:
    """The comparison's page, or the history's."""
    found: Chrome = request.getfixturevalue(request.param)
    return found


def test_a_history_draws_its_runs_and_the_change_between_two_versions(past: Chrome) -> None:
    assert past.get_log("browser") == []
    assert len(past.find_elements(By.CSS_SELECTOR, ".plot canvas")) == 3
    text = find(past, "body").text
    assert "p95 101 → 134 ms (+32.7 %) from 2026-02-11 10:00 on, gateway 1.0 → 1.1<script>" in text
    plot = find(past, "[data-chart=latency] .plot")
    live = find(past, "[data-chart=latency] .live")
    plot.send_keys(Keys.ARROW_LEFT)
    read = live.get_attribute("textContent")
    assert read == "2026-02-22 10:00, 1.1<script>: p50 10 ms, p95 135 ms, p99 300 ms"


def test_a_change_point_is_drawn(fresh: Chrome, tmp_path: Path) -> None:
    """The same runs without the line that marks it are another picture."""
    found = trends(history_lines(24, "1.1<script>"))
    drawn = []
    for steps in (found[0].steps, []):
        trend = found[0].model_copy(update={"steps": steps})
        history.write_page(tmp_path / "history.html", [trend], 0, title="History")
        fresh.get((tmp_path / "history.html").as_uri())
        drawn.append(picture(fresh, "latency"))
    assert drawn[0] != drawn[1]


def test_a_history_of_one_run_is_a_page_too(fresh: Chrome, tmp_path: Path) -> None:
    history.write_page(tmp_path / "history.html", trends(history_lines(1, "1.1")), 0, title="History")
    fresh.get((tmp_path / "history.html").as_uri())
    assert len(fresh.find_elements(By.CSS_SELECTOR, ".plot canvas")) == 3
    assert fresh.get_log("browser") == []


def test_hovering_a_chart_shows_its_values(either: Chrome) -> None:
    over = find(either, "[data-chart=latency] .u-over")
    ActionChains(either).scroll_to_element(over).move_to_element(over).perform()
    legend = find(either, "[data-chart=latency] .legend")
    WebDriverWait(either, 5).until(lambda _: " ms" in legend.text)


def test_a_line_is_put_out_and_on_again(either: Chrome) -> None:
    put_out_and_on_again(either, lambda button: button.send_keys(Keys.SPACE))


def test_a_drag_zooms_and_reset_undoes_it(either: Chrome) -> None:
    over = find(either, "[data-chart=latency] .u-over")
    actions = ActionChains(either).scroll_to_element(over).move_to_element_with_offset(over, -200, 0)
    actions.click_and_hold().move_by_offset(300, 0).release().perform()
    reset = find(either, "[data-chart=latency] .reset")
    WebDriverWait(either, 5).until(lambda _: reset.is_displayed())
    reset.click()
    WebDriverWait(either, 5).until(lambda _: not reset.is_displayed())
    assert either.get_log("browser") == []


def test_in_dark_mode_it_has_other_colours(either: Chrome) -> None:
    background = "return getComputedStyle(document.body).backgroundColor"
    seen = []
    for scheme in ("light", "dark"):
        emulate(either, prefers_color_scheme=scheme)
        seen.append((either.execute_script(background), picture(either, "latency")))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_it_prints_and_asks_for_nothing(either: Chrome) -> None:
    pdf = base64.b64decode(either.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF-")
    asked = either.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert asked == []
    assert either.get_log("browser") == []


def test_it_draws_without_an_error_and_hostile_labels_stay_text(shown: Chrome) -> None:
    assert shown.get_log("browser") == []
    assert len(shown.find_elements(By.CSS_SELECTOR, ".plot canvas")) == 3
    assert HOSTILE in [option.text for option in Select(shown.find_element(By.ID, "view")).options]


def test_the_keyboard_reads_both_sides_exact_percentiles(shown: Chrome, sides: Sides) -> None:
    plot = find(shown, "[data-chart=curve] .plot")
    live = find(shown, "[data-chart=curve] .live")
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
    find(shown, "[data-chart=curve] details summary").click()
    cells = "[data-chart=curve] tbody tr"
    WebDriverWait(shown, 5).until(lambda browser: browser.find_elements(By.CSS_SELECTOR, cells))
    rows = [row.text for row in shown.find_elements(By.CSS_SELECTOR, cells)]
    p95 = [percentile(side.digests[0], "95") for side in (sides.baseline, sides.current)]
    assert f"95 % {p95[0]} ms {p95[1]} ms" in rows


def test_plus_and_minus_zoom(shown: Chrome) -> None:
    plot = find(shown, "[data-chart=latency] .plot")
    reset = find(shown, "[data-chart=latency] .reset")
    assert not reset.is_displayed()
    plot.send_keys("+")
    assert reset.is_displayed()
    plot.send_keys("-")
    assert not reset.is_displayed()
    assert shown.get_log("browser") == []
