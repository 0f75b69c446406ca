"""A real headless Chromium, and the pages it opens from disk."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

sys.path.insert(0, str(Path(__file__).parents[2] / "unit" / "report"))

from report_examples import HOSTILE, example

from pacemark.report.files import write_all
from pacemark.report.overview import write_overview

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--window-size=1280,1000",
)

# Without it a click can come while the page still scrolls smoothly to its target.
STILL = {"name": "prefers-reduced-motion", "value": "reduce"}


def program(*names: str) -> str:
    found = next(filter(None, map(shutil.which, names)), None)
    assert found, f"the browser tests need one of {', '.join(names)} on PATH"
    return found


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = Options()
    options.binary_location = program("chromium", "google-chrome", "chrome")
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(program("chromedriver")))
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A failed run with a label that is a script."""
    directory = tmp_path_factory.mktemp("page")
    run = example(directory, "fail", seconds=120, rate=40, extra=(HOSTILE,))
    write_all(directory, *run)
    return directory / "index.html"


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a run of each verdict, and one that cannot be read."""
    folder = tmp_path_factory.mktemp("results")
    for n, verdict in enumerate(("pass", "fail", "invalid"), 1):
        directory = folder / "rest_api_baseline" / str(n)
        directory.mkdir(parents=True)
        run = example(directory, verdict)
        run.record.save_to(directory)
        write_all(directory, *run)
    broken = folder / "rest_api_baseline" / "0"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    write_overview(folder)
    return folder


@pytest.fixture
def fresh(browser: Chrome) -> Chrome:
    """The browser at desktop width in light mode, with nothing opened and its logs emptied."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [STILL]})
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    return browser


@pytest.fixture
def opened(fresh: Chrome, page: Path) -> Chrome:
    """The page, freshly opened."""
    fresh.get(page.as_uri())
    return fresh
