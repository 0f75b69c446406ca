"""How big the report is and how fast it is drawn: an hour and a day of ten labels at 2,000 requests a second.

It has what a soak's page has: the slices with the gateways' memory, some errors, and what Prometheus saw of
the system as charts. Exits with 1 where the hour's page is 3 MB or more, or Chromium takes 2 s or more to
draw the day's. Making the page from the digest is timed too, and no claim.
"""

import argparse
import math
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

import polars as pl
from harness import row, show, table_head
from long_digest import RATE_PER_S, digest_of

from pacemark.report import html
from pacemark.results.cells import add_cells
from pacemark.results.digest import Digest
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import ProcessReading, Subject
from pacemark.results.record import Chart, GatewayFacts, Recorded, RunRecord, Section, Series, Window
from pacemark.results.statistics import summarize
from pacemark.telemetry.sections import CHART_POINTS
from pacemark.workloads import workload
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


GATEWAYS, PICTURES = 3, 12
"""Processes whose memory is watched, and charts of the system."""
FAILED = 1000
"""One cell of so many."""


def with_errors(digest: Digest) -> Digest:
    failed = pl.struct("slice", "label", "elapsed_ms").hash(11) % FAILED == 0
    outcome = pl.when(failed).then(pl.lit("HTTP 503")).otherwise(pl.lit("ok")).cast(pl.Categorical)
    return replace(digest, cells=add_cells([digest.cells.with_columns(outcome=outcome)]))


def sections_of(load: Load, window: Window, digest: Digest) -> list[Section]:
    """The soak's own, and of the system a chart a picture, with a line a gateway."""
    every_s = load.duration_s / 2000
    readings = [
        ProcessReading(n * every_s, f"gateway-{one}", 300_000_000 + 1000 * n, 40, n * every_s / 2)
        for n in range(2000)
        for one in range(GATEWAYS)
    ]
    own = measure(Subject(workload("soak_test"), load, window, digest, processes=readings)).sections
    at = [n * load.duration_s / CHART_POINTS for n in range(CHART_POINTS)]
    swings = [[round(50 + 40 * math.sin(n / 9 + one), 3) for n in range(len(at))] for one in range(GATEWAYS)]
    lines = [Series(name=f"gateway-{one}", values=list(values)) for one, values in enumerate(swings)]
    charts = [Chart(title=f"Picture {n}", unit="%", at=at, series=lines) for n in range(PICTURES)]
    return [*own, Section(title="System", summary="", charts=charts, is_background=True)]


def record_of(seconds: int, digest: Digest) -> RunRecord:
    started = datetime(2026, 1, 30, 10, tzinfo=UTC)
    load = Load(threads=400, ramp_up_s=60, duration_s=seconds, rate_per_s=RATE_PER_S)
    window = Window(from_s=60, to_s=seconds)
    return RunRecord(
        pacemark="benchmark",
        workload="soak_test",
        title="Ten labels",
        scale="full",
        started=started,
        ended=started + timedelta(seconds=seconds),
        load=load,
        window=window,
        recorded=Recorded(count=digest.count, errors=digest.errors),
        verdict="pass",
        exit_status=0,
        gateway=GatewayFacts(url="http://127.0.0.1:4444"),
        sections=sections_of(load, window, digest),
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
        if canvases < 4 + PICTURES:
            raise SystemExit(f"{canvases} charts were drawn")
    return median(taken)


def measured(browser: Chrome, folder: Path, span: str) -> tuple[str, bool]:
    seconds, slice_s = SPANS[span]
    digest = with_errors(digest_of(seconds, slice_s))
    record = record_of(seconds, digest)
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
