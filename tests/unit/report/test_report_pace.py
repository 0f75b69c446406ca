"""A load that has think time and no rate: no form of the report speaks of a rate that was asked for."""

from io import StringIO

import pytest
from report_examples import Run
from rich.console import Console

from pacemark.jmeter.live import Progress
from pacemark.report import html, wording
from pacemark.report.charts import chart_data
from pacemark.report.progress import RunProgress
from pacemark.results.record import RunRecord
from pacemark.workloads.admin_ui_baseline import WORKLOAD
from pacemark.workloads.load import Load

LOAD = Load(threads=5, ramp_up_s=3, duration_s=15, think_s=(3, 5))


@pytest.fixture
def record(passed: Run) -> RunRecord:
    return passed.record.model_copy(update={"load": LOAD, "stages": []})


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (LOAD, "think time 3-5 s"),
        (LOAD.model_copy(update={"think_s": (0.5, 0.5)}), "think time 0.5 s"),
        (Load(threads=1, ramp_up_s=0, duration_s=1, rate_per_s=1000), "1,000 requests a second"),
    ],
)
def test_a_pace_is_a_rate_or_a_think_time(load: Load, said: str) -> None:
    assert wording.pace(load) == said


def test_the_page_has_no_rate_that_was_asked_for(passed: Run, record: RunRecord) -> None:
    page = html.render(record, passed.digest, passed.summary, title="Admin UI")
    assert "think time 3-5 s" in page
    assert "asked for" not in page.replace("no rate was asked for", "")
    assert chart_data(record, passed.digest, passed.summary)["rate"]["target"] is None
    assert wording.asked_rate(record) is None


def test_the_record_is_read_as_it_was_written(record: RunRecord) -> None:
    assert RunRecord.model_validate_json(record.model_dump_json()).load == LOAD


def test_the_progress_names_no_rate_to_reach() -> None:
    out = StringIO()
    shown = Console(file=out, width=120)
    with RunProgress(shown, WORKLOAD.name, LOAD) as progress:
        progress._told = -1e9
        progress.show(Progress(samples=7, errors=0, elapsed_s=4.0, rate_per_s=2.0, p95_ms=9.0, threads=5))
    assert "  2.0/s  p95" in out.getvalue()
