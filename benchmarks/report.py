"""How big the report is and how fast it is drawn: an hour and a day of ten labels at 2,000 requests a second.

Exits with 1 where the hour's page is 3 MB or more, or Chromium takes 2 s or more to draw the day's. Making
the page from the digest is timed too, and no claim.
"""

import argparse
import math
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import NormalDist, median

import polars as pl
from harness import row, show, table_head

from pacemark.report import html
from pacemark.results.cells import CELL_SCHEMA, SUM_SCHEMA, add_cells, add_sums
from pacemark.results.digest import Digest
from pacemark.results.record import GatewayFacts, Recorded, RunRecord, Window
from pacemark.results.statistics import summarize
from pacemark.workloads.load import Load

# There is a websocket.py beside this file, which Selenium would take for the package of that name.
sys.path.append(sys.path.pop(0))
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

RATE_PER_S, LABELS, MEDIAN_MS, SIGMA = 2000, 10, 150, 0.6
SPANS = {"an hour": (3600, 1), "a day": (86_400, 60)}
"""Seconds, and the seconds of a slice."""
MOST_BYTES, MOST_DRAWING_S = 3_000_000, 2.0
OPENINGS = 5
START_MS = 1_769_767_200_000


def digest_of(seconds: int, slice_s: int) -> Digest:
    """Lognormal latencies as whole counts, rounded by chance, every second one late by 1 ms."""
    normal = NormalDist(math.log(MEDIAN_MS), SIGMA)
    shares = [normal.cdf(math.log(ms + 0.5)) - normal.cdf(math.log(ms - 0.5)) for ms in range(1, 4000)]
    kinds = pl.DataFrame({"elapsed_ms": range(1, 4000), "share": shares})
    labels = pl.DataFrame({"label": [f"GET /resource-{n}" for n in range(LABELS)]})
    parts = [_cells(slices, slice_s, kinds, labels) for slices in _stretches(seconds // slice_s)]
    cells, window = add_cells(parts), Window(from_s=0, to_s=seconds)
    return Digest(
        cells=cells,
        sums=_sums(cells),
        start_ms=START_MS,
        end_ms=START_MS + 1000 * seconds,
        slice_s=slice_s,
        window=window,
        seconds=seconds,
    )


def _stretches(slices: int) -> list[range]:
    return [range(first, min(first + 60, slices)) for first in range(0, slices, 60)]


def _cells(slices: range, slice_s: int, kinds: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    every = pl.DataFrame({"slice": slices}).join(labels, how="cross").join(kinds, how="cross")
    chance = pl.struct("slice", "label", "elapsed_ms").hash(7) / 2.0**64
    count = (pl.col("share") * (RATE_PER_S / LABELS * slice_s) + chance).floor()
    cells = every.with_columns(count=count).filter(pl.col("count") > 0)
    cells = cells.with_columns(
        outcome=pl.lit("ok"),
        response_ms=pl.col("elapsed_ms") + (pl.col("elapsed_ms") % 2),
        waited=pl.lit(1),
    )
    return cells.select(pl.col(name).cast(kind) for name, kind in CELL_SCHEMA.items())


def _sums(cells: pl.DataFrame) -> pl.DataFrame:
    by_label = cells.group_by("slice", "label", "outcome").agg(bytes=pl.col("count").sum() * 350)
    sums = by_label.with_columns(new_connections=pl.lit(0), all_threads=pl.lit(400))
    return add_sums([sums.select(pl.col(name).cast(kind) for name, kind in SUM_SCHEMA.items())])


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
