"""The history of a results folder: its lines, its writers, its trends."""

import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from run_directories import START, run_directory

from pacemark.errors import InputError
from pacemark.results import history
from pacemark.results.history import Line
from pacemark.results.record import RunRecord, Verdict
from pacemark.results.threshold import METRICS
from pacemark.results.trends import trends

WRITER = """
import sys
from pathlib import Path
from pacemark.results import history
history.add(Path(sys.argv[1]))
"""


def test_a_run_s_line_has_its_figures(tmp_path: Path) -> None:
    run = run_directory(tmp_path, 1, ms=30)
    history.add(run)
    history.add(run)
    (line,) = history.read(tmp_path).lines
    assert (line.run, line.gateway, line.verdict) == ("rest_api_baseline/run001", "1.0", "pass")
    assert line.total == line.labels["GET /tools"]
    assert set(line.total) == set(METRICS)
    assert (line.total["p95"], line.total["throughput"], line.total["error"]) == (30, 20, 0)


def test_a_run_without_samples_has_a_line_too(tmp_path: Path) -> None:
    run = run_directory(tmp_path, 1, verdict="invalid")
    (run / "summary.json").unlink()
    history.add(run)
    (line,) = history.read(tmp_path).lines
    assert (line.verdict, line.total, line.labels) == ("invalid", {}, {})


def test_it_is_the_same_when_made_anew_from_the_directories(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        history.add(run_directory(tmp_path, number, ms=20 + number))
    kept = history.read(tmp_path).lines
    assert [line.total["p95"] for line in kept] == [21, 22, 23]
    (tmp_path / history.HISTORY_FILE).write_bytes(b"no database")
    with pytest.raises(InputError, match=r"pacemark history --rebuild"):
        history.read(tmp_path)
    assert history.rebuild(tmp_path).lines == kept


def test_runs_that_are_gone_stay_and_those_that_came_otherwise_are_added(tmp_path: Path) -> None:
    gone = run_directory(tmp_path, 1)
    history.add(gone)
    shutil.rmtree(gone)
    run_directory(tmp_path, 2)
    broken = tmp_path / "rest_api_baseline" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    found = history.read(tmp_path)
    assert [line.run.rpartition("/")[2] for line in found.lines] == ["run001", "run002"]
    (why,) = found.unreadable
    assert "broken" in why
    assert [line.run for line in history.rebuild(tmp_path).lines] == ["rest_api_baseline/run002"]


def test_several_may_write_at_once(tmp_path: Path) -> None:
    runs = [run_directory(tmp_path, number) for number in range(6)]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(run)]) for run in runs]
    assert [writer.wait() for writer in writers] == [0] * 6
    with history._opened(tmp_path) as database:
        assert len(history._lines(database)) == 6


def test_earlier_runs_of_the_same_kind_tell_the_noise(tmp_path: Path) -> None:
    for number in range(5):
        history.add(run_directory(tmp_path, number, ms=20 + number))
    history.add(run_directory(tmp_path, 5, rate=40))
    history.add(run_directory(tmp_path, 6, verdict="invalid"))
    current = run_directory(tmp_path, 7)
    history.add(current)
    past = history.earlier(current, RunRecord.load_from(current), without={START})
    assert past[None, "p95"] == past["GET /tools", "p95"] == [21, 22, 23, 24]
    lonely = run_directory(tmp_path / "elsewhere", 1)
    assert history.earlier(lonely, RunRecord.load_from(lonely), without=()) == {}


def _line(
    number: int, p95: float, *, gateway: str = "1.0", verdict: Verdict = "pass", kind: str = "k"
) -> Line:
    return Line(
        run=f"w/{number}",
        workload="load_test",
        started=START + timedelta(days=number),
        verdict=verdict,
        scale="ci",
        gateway=gateway,
        kind=kind,
        total={"p95": p95},
        labels={"GET /tools": {"p95": p95}},
    )


def test_a_trend_marks_the_change_against_the_gateway_s_versions() -> None:
    lines = [_line(n, 100 + n % 3) for n in range(12)]
    lines += [_line(n, 999, verdict="invalid") for n in (12, 13)]
    lines += [_line(n, 130 + n % 3, gateway="1.1") for n in range(14, 26)]
    (trend,) = trends(lines, workload="load_test")
    assert len(trend.runs) == 24
    (step,) = trend.steps
    assert (step.metric, step.at, step.gateway_before, step.gateway_after) == ("p95", 12, "1.0", "1.1")
    assert (step.before, step.after) == (101, 131)
    (by_label,) = trends(lines, label="GET /tools")
    assert [(one.at, one.metric) for one in by_label.steps] == [(12, "p95")]


def test_runs_of_another_kind_have_a_trend_of_their_own() -> None:
    found = trends([_line(1, 10), _line(2, 50, kind="other"), _line(3, 11)])
    assert [[run.total["p95"] for run in trend.runs] for trend in found] == [[50], [10, 11]]


def test_what_the_history_does_not_have_is_said() -> None:
    with pytest.raises(InputError, match="no valid run of spike_test"):
        trends([_line(1, 10)], workload="spike_test")
    with pytest.raises(InputError, match="no run has the label 'X': there are GET /tools"):
        trends([_line(1, 10)], label="X")
