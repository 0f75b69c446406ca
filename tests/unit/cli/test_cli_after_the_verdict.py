"""What is made after the verdict: JMeter's own dashboard, the history, the page of all runs."""

import shlex
from pathlib import Path
from unittest.mock import patch

import pytest

from pacemark.commands import run
from pacemark.errors import PacemarkError
from pacemark.jmeter.engine import Engine
from pacemark.results.record import Recorded, RunRecord

FOLDER = Path("results/rest_api_baseline/20260130T100000Z")


def told(count: int, capsys: pytest.CaptureFixture[str], folder: Path = FOLDER) -> tuple[int, str]:
    """How often JMeter was started for a run of so many samples, and what was said."""
    record = RunRecord.model_construct(recorded=Recorded(count=count, errors=0))
    with patch.object(run, "write_dashboard") as written:
        run.make_dashboard(Engine.__new__(Engine), record, folder)
    return written.call_count, " ".join(capsys.readouterr().err.split())


def test_up_to_five_million_samples_it_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(5_000_000, capsys) == (1, "")


def test_above_the_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    made, said = told(5_000_001, capsys)
    assert made == 0
    assert f"pacemark jmeter -g {FOLDER}/samples.jtl -o {FOLDER}/jmeter-report" in said
    assert "-Jjmeter.reportgenerator.statistic_window=-1" in said


def test_the_command_can_be_pasted_where_a_path_has_a_space(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("my results; $(id)/rest_api_baseline/1")
    _, said = told(5_000_001, capsys, folder)
    words = shlex.split(said.partition("dashboard: ")[2])
    assert words[:6] == ["pacemark", "jmeter", "-g", f"{folder}/samples.jtl", "-o", f"{folder}/jmeter-report"]


def test_without_samples_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(0, capsys) == (0, "")


def test_that_it_failed_costs_a_line_and_not_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    record = RunRecord.model_construct(recorded=Recorded(count=1, errors=0))
    with patch.object(run, "write_dashboard", side_effect=PacemarkError("it failed", "look there")):
        run.make_dashboard(Engine.__new__(Engine), record, FOLDER)
    assert "it failed" in capsys.readouterr().err


def test_a_full_disk_costs_the_history_and_the_page_of_all_runs_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    full = OSError(28, "No space left on device")
    with patch.object(run.history, "add", side_effect=full):
        run._remembered(FOLDER)
    with patch.object(run, "write_overview", side_effect=full):
        run._overview(FOLDER.parent)
    said = " ".join(capsys.readouterr().err.split())
    assert "the run was not added to the history: [Errno 28] No space left on device" in said
    assert "the page of all runs was not written: [Errno 28] No space left on device" in said
