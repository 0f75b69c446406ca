"""What the tests of pages in a browser share."""

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement


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
