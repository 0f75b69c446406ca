import base64
import json
from typing import Any

import pytest
from report_examples import HOSTILE
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

pytestmark = pytest.mark.browser

CHARTS = ("latency", "curve", "rate", "errors", "own-0")
COLOURS = """
const canvas = document.querySelector(`[data-chart="${arguments[0]}"] canvas`);
const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const seen = new Set();
for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] === 255) seen.add(pixels.slice(i, i + 3).join());
return seen.size;
"""


def picture(browser: Chrome, chart: str) -> str:
    """The chart's pixels, after whatever it has still to draw."""
    script = """
    const done = arguments[1];
    requestAnimationFrame(() => requestAnimationFrame(() =>
      done(document.querySelector(`[data-chart="${arguments[0]}"] canvas`).toDataURL())));
    """
    return str(browser.execute_async_script(script, chart))


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def emulate(browser: Chrome, **features: str) -> None:
    listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})


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
        assert opened.execute_script(COLOURS, chart) > 10


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
    script = "return document.querySelector('[data-chart=rate] canvas').clientWidth"
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


def test_the_legend_toggles_a_line(opened: Chrome) -> None:
    before = picture(opened, "latency")
    button = find(opened, "[data-chart=latency] .legend button")
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-pressed") == "false"
    assert picture(opened, "latency") != before
    button.click()
    assert picture(opened, "latency") == before


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
