"""What the tests of pages in a browser share."""

from collections.abc import Callable

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement


def picture(browser: Chrome, chart: str) -> str:
    """The chart's pixels, after whatever it has still to draw."""
    script = """
    const done = arguments[1];
    requestAnimationFrame(() => requestAnimationFrame(() =>
      done(document.querySelector(`[data-chart="${arguments[0]}"] canvas`).toDataURL())));
    """
    return str(browser.execute_async_script(script, chart))


def colours(browser: Chrome, chart: str) -> int:
    """How many different ones the chart has."""
    script = """
    const canvas = document.querySelector(`[data-chart="${arguments[0]}"] canvas`);
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const seen = new Set();
    for (let i = 0; i < pixels.length; i += 4)
      if (pixels[i + 3] === 255) seen.add(pixels.slice(i, i + 3).join());
    return seen.size;
    """
    return int(browser.execute_script(script, chart))


def find(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def emulate(browser: Chrome, **features: str) -> None:
    listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})


def put_out_and_on_again(browser: Chrome, again: Callable[[WebElement], None]) -> None:
    """A line of the latency chart, by the keyboard and then by ``again``, which is given its button."""
    before = picture(browser, "latency")
    button = find(browser, "[data-chart=latency] .legend button")
    button.send_keys(Keys.SPACE)
    assert button.get_attribute("aria-pressed") == "false"
    assert picture(browser, "latency") != before
    again(button)
    assert picture(browser, "latency") == before
