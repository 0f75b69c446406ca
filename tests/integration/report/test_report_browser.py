import base64
import json
from pathlib import Path
from typing import Any

import pytest
from browsing import colours, emulate, find, picture, put_out_and_on_again
from report_examples import HOSTILE
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from pacemark.report import numerals
from pacemark.report.files import write_all
from pacemark.results.digest import Digest
from pacemark.results.statistics import summarize

pytestmark = pytest.mark.browser

CHARTS = ("latency", "curve", "rate", "errors", "own-0", "own-1", "own-2")
OF_TIME = ("latency", "rate", "errors", "own-0")
OF_A_COLOUR = """
const canvas = document.querySelector(`[data-chart="${arguments[0]}"] canvas`);
const context = document.createElement("canvas").getContext("2d");
context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(arguments[1]);
context.fillRect(0, 0, 1, 1);
const wanted = context.getImageData(0, 0, 1, 1).data.slice(0, 3).join();
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let found = 0;
for (let i = 0; i < pixels.length; i += 4) found += pixels.slice(i, i + 3).join() === wanted;
return found;
"""


def coloured(browser: Chrome, chart: str, color: str) -> int:
    """Pixels of the chart in one of the page's colours."""
    return int(browser.execute_script(OF_A_COLOUR, chart, color))


def requested(browser: Chrome) -> list[str]:
    events: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def test_it_opens_without_an_error_and_asks_no_network(opened: Chrome) -> None:
    for chart in CHARTS:
        picture(opened, chart)
    assert opened.get_log("browser") == []
    assert requested(opened) == [opened.current_url]


def test_every_chart_is_drawn(opened: Chrome) -> None:
    for chart in CHARTS:
        picture(opened, chart)
        assert colours(opened, chart) > 10


def test_a_label_that_is_a_script_stays_text(opened: Chrome) -> None:
    assert find(opened, f"tr[data-label='{HOSTILE}'] th").text == HOSTILE
    assert HOSTILE in [option.text for option in Select(find(opened, "#label")).options]
    assert HOSTILE in [name.text for name in opened.find_elements(By.CSS_SELECTOR, ".legend .name")]
    assert len(opened.find_elements(By.TAG_NAME, "script")) == 3


def test_a_section_s_text_stays_text(opened: Chrome) -> None:
    rows = opened.find_elements(By.CSS_SELECTOR, "#own-1 tbody tr")
    assert [row.text.split() for row in rows] == [
        ["by", "us", "23", "1,234", "–"],
        ["dropped", "1", "0.26", HOSTILE],
    ]
    assert opened.find_element(By.CSS_SELECTOR, "nav a[href='#own-1']").text == "Streams"


def test_the_policy_stops_what_is_not_the_page_s_own(opened: Chrome) -> None:
    opened.execute_script("""
    const script = document.createElement("script");
    script.textContent = "window.injected = 1";
    document.body.append(script);
    """)
    assert opened.execute_script("return window.injected") is None
    assert any("Content Security Policy" in entry["message"] for entry in opened.get_log("browser"))


@pytest.mark.parametrize("width", [320, 375])
def test_a_phone_does_not_scroll_sideways(opened: Chrome, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 2, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    opened.refresh()
    picture(opened, "latency")
    assert opened.execute_script("return document.documentElement.scrollWidth") == width
    assert opened.execute_script("return document.querySelector('#requests .scroll').scrollWidth") > width


def test_charts_follow_the_window_s_width(opened: Chrome) -> None:
    script = "return document.querySelector('[data-chart=latency] canvas').clientWidth"
    wide = opened.execute_script(script)
    metrics = {"width": 700, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    WebDriverWait(opened, 5).until(lambda browser: browser.execute_script(script) < min(wide, 700))


def test_dark_mode_recolours_page_and_charts(opened: Chrome) -> None:
    script = "return getComputedStyle(document.body).backgroundColor"
    emulate(opened, prefers_color_scheme="light")
    light, light_chart = opened.execute_script(script), picture(opened, "rate")
    emulate(opened, prefers_color_scheme="dark")
    assert (light, opened.execute_script(script)) == ("rgb(255, 255, 255)", "rgb(18, 21, 26)")
    assert picture(opened, "rate") != light_chart


def test_the_label_is_chosen_by_keyboard_alone(opened: Chrome) -> None:
    before = {chart: picture(opened, chart) for chart in CHARTS}
    focused = "return document.activeElement.id"
    for _ in range(40):
        if opened.execute_script(focused) == "label":
            break
        ActionChains(opened).send_keys(Keys.TAB).perform()
    assert opened.execute_script(focused) == "label"
    ActionChains(opened).send_keys(Keys.ARROW_DOWN).perform()
    assert Select(find(opened, "#label")).first_selected_option.text != "All labels"
    changed = {chart for chart in CHARTS if picture(opened, chart) != before[chart]}
    assert changed == {"latency", "curve"}


def test_basis_and_scale_redraw_the_latency_charts(opened: Chrome) -> None:
    pictures = [picture(opened, "latency")]
    for selector in ("input[value=elapsed]", "#log"):
        find(opened, selector).click()
        pictures.append(picture(opened, "latency"))
    assert len(set(pictures)) == 3


def test_one_percentile_of_each_label_over_time(opened: Chrome) -> None:
    before, curve = picture(opened, "latency"), picture(opened, "curve")
    over_time = Select(find(opened, "#each"))
    over_time.select_by_visible_text("p95 of each label")
    labels = [option.text for option in Select(find(opened, "#label")).options]
    lines = opened.find_elements(By.CSS_SELECTOR, "[data-chart=latency] .legend [aria-pressed]")
    assert [line.get_attribute("title") for line in lines] == labels
    every = picture(opened, "latency")
    lines[1].click()
    assert lines[1].get_attribute("aria-pressed") == "false"
    assert picture(opened, "latency") not in (before, every)
    over_time.select_by_visible_text("percentiles of the label")
    assert (picture(opened, "latency"), picture(opened, "curve")) == (before, curve)
    over_time.select_by_visible_text("p95 of each label")
    assert (
        find(opened, f"[data-chart=latency] [title='{labels[1]}']").get_attribute("aria-pressed") == "false"
    )


def test_the_legend_toggles_a_line(opened: Chrome) -> None:
    put_out_and_on_again(opened, lambda button: button.click())


def test_arrow_keys_read_a_chart_s_values(opened: Chrome) -> None:
    find(opened, "[data-chart=rate] .plot").send_keys(Keys.ARROW_RIGHT)
    first = find(opened, "[data-chart=rate] .live").get_attribute("textContent")
    assert first.startswith("at 0:00: achieved ")
    find(opened, "[data-chart=rate] .plot").send_keys(Keys.PAGE_DOWN)
    assert (
        find(opened, "[data-chart=rate] .live")
        .get_attribute("textContent")
        .startswith("at 0:30: achieved 40 /s")
    )


def test_hovering_shows_the_values_beneath(opened: Chrome) -> None:
    over = find(opened, "[data-chart=latency] .u-over")
    ActionChains(opened).scroll_to_element(over).move_to_element(over).perform()
    shown = "[data-chart=latency] .legend"
    WebDriverWait(opened, 5).until(lambda browser: " ms" in find(browser, shown).text)
    middle = find(opened, shown).text
    assert middle.endswith(("at 0:57", "at 1:00"))


def test_a_drag_zooms_all_charts_of_time_and_reset_undoes_it(opened: Chrome) -> None:
    before = {chart: picture(opened, chart) for chart in CHARTS}
    over = find(opened, "[data-chart=latency] .u-over")
    actions = ActionChains(opened).scroll_to_element(over).move_to_element_with_offset(over, -200, 0)
    actions.click_and_hold().move_by_offset(300, 0).release().perform()
    reset = find(opened, "[data-chart=rate] .reset")
    WebDriverWait(opened, 5).until(lambda _: reset.is_displayed())
    assert picture(opened, "errors") != before["errors"]
    reset.click()
    WebDriverWait(opened, 5).until(lambda _: not reset.is_displayed())
    opened.execute_script("document.activeElement.blur()")
    find(opened, "h1").click()
    assert {chart: picture(opened, chart) for chart in CHARTS} == before


def test_it_prints_and_comes_back_to_the_screen(opened: Chrome) -> None:
    before = picture(opened, "rate")
    opened.execute_script("""
    addEventListener("beforeprint", () => {
      const widths = [...document.querySelectorAll("canvas")].map((canvas) => canvas.clientWidth);
      window.printed = [document.documentElement.hasAttribute("data-paper"), widths];
    });
    """)
    pdf = base64.b64decode(opened.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF-")
    assert opened.execute_script("return window.printed") == [True, [680] * len(CHARTS)]
    assert opened.execute_script("return document.documentElement.hasAttribute('data-paper')") is False
    assert picture(opened, "rate") == before


def test_tables_and_landmarks_have_names(opened: Chrome) -> None:
    script = """
    const all = (selector) => [...document.querySelectorAll(selector)];
    return [
      all("table").filter((table) => !table.caption).length,
      all("section").filter((it) => !document.getElementById(it.getAttribute("aria-labelledby"))).length,
      all("nav a").filter((link) => !document.querySelector(link.getAttribute("href"))).length,
      all("main").length,
      all("h1").length,
    ];
    """
    assert opened.execute_script(script) == [0, 0, 0, 1, 1]


def stretch(browser: Chrome, chart: str) -> list[str]:
    """The first and the last instant of a chart's table."""
    script = """
    const details = document.querySelector(`[data-chart="${arguments[0]}"] details`);
    const done = arguments[1];
    details.open = true;
    setTimeout(() => {
      const rows = [...details.querySelectorAll("tbody th")].map((cell) => cell.textContent);
      details.open = false;
      done([rows[0], rows.at(-1)]);
    }, 50);
    """
    return list(browser.execute_async_script(script, chart))


def shown(browser: Chrome) -> str:
    return str(browser.execute_script("return location.hash"))


def test_a_link_to_a_moment_restores_the_stretch(opened: Chrome, page: Path) -> None:
    plot = find(opened, "[data-chart=rate] .plot")
    plot.send_keys("+")
    link = find(opened, "[data-chart=latency] .link")
    WebDriverWait(opened, 5).until(lambda _: link.is_displayed())
    address = shown(opened)
    assert address == link.get_attribute("href").partition("/index.html")[2]
    assert address.startswith("#t=")
    zoomed = {chart: picture(opened, chart) for chart in OF_TIME}
    opened.get("about:blank")
    opened.get(page.as_uri() + address)
    assert {chart: picture(opened, chart) for chart in OF_TIME} == zoomed
    assert opened.get_log("browser") == []
    find(opened, "[data-chart=rate] .reset").click()
    WebDriverWait(opened, 5).until(lambda browser: shown(browser) == "")


@pytest.mark.parametrize("address", ["#t=9,3", "#t=1e9,2e9", "#t=x,y", "#t=5000,6000", "#requests"])
def test_an_address_of_no_stretch_shows_all(opened: Chrome, page: Path, address: str) -> None:
    opened.get(page.as_uri() + address)
    picture(opened, "latency")
    assert not find(opened, "[data-chart=latency] .reset").is_displayed()
    assert opened.get_log("browser") == []


def test_plus_and_minus_zoom_and_escape_undoes_it(opened: Chrome) -> None:
    whole = picture(opened, "latency")
    plot = find(opened, "[data-chart=latency] .plot")
    last = opened.execute_script("return JSON.parse(document.getElementById('data').textContent).at.at(-1)")
    plot.send_keys("++")
    assert shown(opened) == f"#t={last * 3 / 8:g},{last * 5 / 8:g}"
    plot.send_keys("-")
    assert shown(opened) == f"#t={last / 4:g},{last * 3 / 4:g}"
    plot.send_keys(Keys.ESCAPE)
    assert shown(opened) == ""
    assert picture(opened, "latency") == whole


def test_every_chart_has_its_values_as_a_table(opened: Chrome) -> None:
    assert stretch(opened, "own-1") == ["100 /s offered", "400 /s offered"]
    assert stretch(opened, "own-2") == ["0 %", "slowest sample"]
    assert stretch(opened, "rate")[0] == "0:00"
    find(opened, "[data-chart=latency] details summary").click()
    cells = "[data-chart=latency] details tbody tr"
    WebDriverWait(opened, 5).until(lambda browser: browser.find_elements(By.CSS_SELECTOR, cells))
    heads = [head.text for head in opened.find_elements(By.CSS_SELECTOR, "[data-chart=latency] thead th")]
    assert heads == ["Time", "p50", "p95", "p99"]


def test_all_lines_go_off_and_on_together(opened: Chrome) -> None:
    before = picture(opened, "curve")
    every = find(opened, "[data-chart=curve] .every")
    for pressed in ("false", "true"):
        if pressed == "false":
            find(opened, "[data-chart=curve] .legend button").click()
            every.click()
            assert picture(opened, "curve") == before
        lines = opened.find_elements(By.CSS_SELECTOR, "[data-chart=curve] [aria-pressed]")
        every.click()
        assert {line.get_attribute("aria-pressed") for line in lines} == {pressed}


def test_tab_reaches_every_control(opened: Chrome) -> None:
    script = """
    const focusable = "a[href], button, select, input, summary, [tabindex='0']";
    const inside = "details:not([open]) > :not(summary)";
    const seen = (node) => node.getClientRects().length && !node.closest(inside);
    return [...document.querySelectorAll(focusable)].filter(seen).map((node) => {
      node.focus();
      return [document.activeElement === node, node.textContent.trim() || node.getAttribute("aria-label")
        || node.closest("label")?.textContent];
    });
    """
    reached = opened.execute_script(script)
    assert len(reached) > 40
    assert [name for is_focused, name in reached if not is_focused or not name] == []


def test_the_picture_that_answers_comes_first(opened: Chrome) -> None:
    script = "return document.querySelector('main section').id"
    assert opened.execute_script(script) == "own-1"


def numbers(browser: Chrome, cells: str) -> list[Any]:
    """Of each cell the exact value that it carries and the text that is seen."""
    script = """
    return [...document.querySelectorAll(arguments[0])].map((cell) =>
      [Number(cell.dataset.value), cell.innerText]);
    """
    return list(browser.execute_script(script, cells))


def of_counts(figures: dict[str, Any]) -> list[Any]:
    forms = {"count": numerals.count, "errors": numerals.count, "error_rate": numerals.percent}
    return [
        [figures[key], form(figures[key])] for key, form in (forms | {"throughput": numerals.rate}).items()
    ]


def of_latencies(figures: dict[str, Any], *keys: str) -> list[Any]:
    few = figures["too_few"]
    return [[figures[key], numerals.percentile(figures[key], is_of_too_few=key in few)] for key in keys]


def test_the_numbers_by_label_are_those_of_the_summary(opened: Chrome, page: Path) -> None:
    summary = json.loads((page.parent / "summary.json").read_text(encoding="utf-8"))
    keys = ("mean", "p50", "p90", "p95", "p99", "p999", "max")
    every = {**summary["labels"], "All labels": summary["total"]}
    rows = opened.find_elements(By.CSS_SELECTOR, "#requests tr[data-label]")
    assert [row.get_attribute("data-label") for row in rows] == [label for label in every for _ in range(2)]
    for label, figures in every.items():
        row = f"#requests tr[data-label='{label}']"
        response = [*of_counts(figures), *of_latencies(figures["response"], *keys)]
        assert numbers(opened, f"{row}[data-basis=response] [data-value]") == response
        assert numbers(opened, f"{row}[data-basis=elapsed] [data-value]") == of_latencies(figures, *keys)


def test_the_tiles_are_those_of_the_summary(opened: Chrome, page: Path) -> None:
    summary = json.loads((page.parent / "summary.json").read_text(encoding="utf-8"))
    total, keys = summary["total"], ("p50", "p95", "p99")
    count, errors, error_rate, throughput = of_counts(total)
    latencies = of_latencies(total["response"], *keys)
    tiles = [count, throughput, error_rate, *latencies]
    units = ["", " /s", " %", *[" ms"] * len(keys)]
    expected = [[value, text + unit] for (value, text), unit in zip(tiles, units, strict=True)]
    assert numbers(opened, "#figures [data-value]") == expected
    under = [note.text for note in opened.find_elements(By.CSS_SELECTOR, "#figures .under")]
    assert under == [
        f"in {numerals.duration(summary['window']['seconds'])} measured",
        "asked for 40.0 /s",
        f"{errors[1]} of {count[1]}",
        *(f"elapsed {text} ms" for _, text in of_latencies(total, *keys)),
    ]


def test_the_page_of_all_runs_lists_them_and_leads_to_each(opened: Chrome, results: Path) -> None:
    opened.get((results / "index.html").as_uri())
    rows = {
        row.get_attribute("data-run"): row for row in opened.find_elements(By.CSS_SELECTOR, "tr[data-run]")
    }
    verdicts = {name: row.find_element(By.CSS_SELECTOR, ".badge").text for name, row in rows.items()}
    assert verdicts == {
        "rest_api_baseline/3": "invalid",
        "rest_api_baseline/2": "fail",
        "rest_api_baseline/1": "pass",
        "rest_api_baseline/0": "unreadable",
    }
    assert opened.get_log("browser") == []
    rows["rest_api_baseline/2"].find_element(By.CSS_SELECTOR, "a").click()
    assert find(opened, ".verdict .word").text.lower() == "fail"


def test_a_value_without_neighbours_is_seen(browser: Chrome, tmp_path: Path) -> None:
    """Samples in the first and the last second alone: no line reaches either."""
    rows = [f"{1_769_767_200_000 + at_ms},20,GET /tools,OK,true" for at_ms in (0, 10, 9000, 9010)]
    jtl = tmp_path / "samples.jtl"
    jtl.write_text("\n".join(["timeStamp,elapsed,label,responseMessage,success", *rows, ""]))
    digest = Digest.from_jtl(jtl)
    write_all(tmp_path, None, digest, summarize(digest), title="two seconds")
    browser.get((tmp_path / "index.html").as_uri())
    picture(browser, "latency")
    assert coloured(browser, "latency", "--c3") > 0
    p99 = find(browser, "[data-chart=latency] .legend button:nth-child(3)")
    browser.execute_script("arguments[0].click()", p99)
    picture(browser, "latency")
    assert coloured(browser, "latency", "--c3") == 0
