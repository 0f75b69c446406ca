"""How big the report is and how fast it is drawn: an hour and a day of ten labels at 2,000 requests a second.

Exits with 1 where the hour's page is 3 MB or more, or Chromium takes 2 s or more to draw the day's. Making
the page from the digest is timed too, and no claim.
"""

import argparse
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from harness import row, show, table_head
from long_digest import RATE_PER_S, digest_of

from pacemark.report import html
from pacemark.results.record import GatewayFacts, Recorded, RunRecord, Window
from pacemark.results.statistics import summarize
from pacemark.workloads.load import Load

# There is a websocket.py beside this file, which Selenium would take for the package of that name.
sys.path.append(sys.path.pop(0))
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

SPANS = {"an hour": (3600, 1), "a day": (86_400, 60)}
"""Seconds, and the seconds of a slice."""
MOST_BYTES, MOST_DRAWING_S = 3_000_000, 2.0
OPENINGS = 5


def record_of(seconds: int, count: int) -> RunRecord:
    started = datetime(2026, 1, 30, 10, tzinfo=UTC)
    return RunRecord(
        pacemark="benchmark",
        workload="soak_test",
        title="Ten labels",
        scale="full",
        started=started,
        ended=started + timedelta(seconds=seconds),
        load=Load(threads=400, ramp_up_s=60, duration_s=seconds, rate_per_s=RATE_PER_S),
        window=Window(from_s=60, to_s=seconds),
        recorded=Recorded(count=count),
        verdict="pass",
        exit_status=0,
        gateway=GatewayFacts(url="http://127.0.0.1:4444"),
    )


def drawn_s(browser: Chrome, page: Path) -> float:
    """From the navigation to the end of loading, when every chart is drawn; the median of several."""
    taken = []
    for _ in range(OPENINGS):
        browser.get("about:blank")
        browser.get(page.as_uri())
        script = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
        taken.append(browser.execute_script(script) / 1000)
        canvases = browser.execute_script("return document.querySelectorAll('canvas').length")
        if canvases < 3:
            raise SystemExit(f"{canvases} charts were drawn")
    return median(taken)


def measured(browser: Chrome, folder: Path, span: str) -> tuple[str, bool]:
    seconds, slice_s = SPANS[span]
    digest = digest_of(seconds, slice_s)
    record = record_of(seconds, digest.count)
    summary = summarize(digest, window=record.window)
    page, started = folder / f"{seconds}.html", time.monotonic()
    html.write(page, record, digest, summary, title=record.title)
    made_s = time.monotonic() - started
    size, drawing_s = page.stat().st_size, drawn_s(browser, page)
    holds = size < MOST_BYTES and drawing_s < MOST_DRAWING_S
    cells = f"{digest.cells.height:,}"
    samples = f"{digest.count:,}"
    line = row(span, samples, cells, f"{size / 1e6:.2f} MB", f"{made_s:.1f} s", f"{drawing_s:.2f} s")
    return f"{line} {'yes' if holds else '**no**'} |", holds


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    options, chromium = Options(), shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("this needs Chromium")
    options.binary_location = chromium
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        for argument in ("--headless=new", "--no-sandbox", f"--user-data-dir={scratch}/profile"):
            options.add_argument(argument)
        browser = Chrome(options=options, service=Service(shutil.which("chromedriver")))
        try:
            print(table_head("ten labels", "samples", "cells", "page", "made in", "drawn in", "holds"))
            show(partial(measured, browser, Path(scratch), span) for span in SPANS)
        finally:
            browser.quit()


if __name__ == "__main__":
    main()
