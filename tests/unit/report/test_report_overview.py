"""The page of all runs in a results folder."""

from pathlib import Path

import pytest
from lxml.html import HtmlElement, fromstring
from report_examples import HOSTILE, Run

from pacemark.errors import InputError
from pacemark.report.files import write_all
from pacemark.report.overview import is_results, write_overview


def _kept(folder: Path, name: str, run: Run) -> Path:
    directory = folder / "rest_api_baseline" / name
    directory.mkdir(parents=True)
    run.record.save_to(directory)
    write_all(directory, *run)
    return directory


def _rows(page: Path) -> dict[str, HtmlElement]:
    root = fromstring(page.read_text(encoding="utf-8"))
    return {row.get("data-run"): row for row in root.xpath("//tr[@data-run]")}


def test_every_run_is_a_row_the_newest_first(tmp_path: Path, passed: Run, hostile: Run) -> None:
    _kept(tmp_path, "20260101T000000Z", passed)
    _kept(tmp_path, "20260102T000000Z", hostile)
    rows = _rows(write_overview(tmp_path))
    assert list(rows) == ["rest_api_baseline/20260102T000000Z", "rest_api_baseline/20260101T000000Z"]
    invalid, ok = rows.values()
    assert (invalid.get("class"), ok.get("class")) == ("invalid", "pass")
    assert ok.xpath(".//a/@href") == ["rest_api_baseline/20260101T000000Z/index.html"]
    shown = [float(value) for value in ok.xpath("./td/@data-value")]
    total, response = passed.summary.total, passed.summary.total.response
    assert response is not None
    assert shown == [total.throughput, total.error_rate, response.p50, response.p95, response.p99]


def test_a_run_s_text_stays_text(tmp_path: Path, passed: Run) -> None:
    record = passed.record.model_copy(update={"scale": HOSTILE, "title": HOSTILE})
    _kept(tmp_path, HOSTILE.replace("/", "-"), passed._replace(record=record))
    source = write_overview(tmp_path).read_text(encoding="utf-8")
    assert "<script" not in source
    assert "&lt;script&gt;" in source


def test_a_run_without_samples_and_one_that_cannot_be_read_stand_there_too(
    tmp_path: Path, passed: Run
) -> None:
    directory = _kept(tmp_path, "1", passed)
    for name in ("summary.json", "index.html"):
        (directory / name).unlink()
    (tmp_path / "rest_api_baseline" / "2").mkdir()
    (tmp_path / "rest_api_baseline" / "2" / "run.json").write_text("[]")
    unread, empty = _rows(write_overview(tmp_path)).values()
    assert not empty.xpath(".//a")
    assert empty.xpath("./td/@data-value") == []
    assert "unreadable" in unread.text_content()
    assert "no run" in unread.text_content()


def test_a_page_that_is_not_ours_is_left_alone(tmp_path: Path, passed: Run) -> None:
    _kept(tmp_path, "1", passed)
    (tmp_path / "index.html").write_text("<p>my own")
    with pytest.raises(InputError, match=r"not Pacemark.s: move it away"):
        write_overview(tmp_path)
    assert (tmp_path / "index.html").read_text() == "<p>my own"


def test_it_is_written_anew(tmp_path: Path, passed: Run) -> None:
    _kept(tmp_path, "1", passed)
    write_overview(tmp_path)
    _kept(tmp_path, "2", passed)
    assert len(_rows(write_overview(tmp_path))) == 2


def test_a_folder_of_runs_is_told_from_a_run(tmp_path: Path, passed: Run) -> None:
    directory = _kept(tmp_path, "1", passed)
    assert is_results(tmp_path)
    assert not is_results(directory)
    assert not is_results(tmp_path / "rest_api_baseline")
    assert not is_results(directory / "run.json")
