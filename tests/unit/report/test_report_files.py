import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from report_examples import Run

from pacemark.report.atomic import write_text
from pacemark.report.files import write_all
from pacemark.results.statistics import summarize


def test_a_run_gets_all_four_files(passed: Run, tmp_path: Path) -> None:
    write_all(tmp_path, *passed)
    assert {path.name for path in tmp_path.iterdir()} == {
        "summary.json",
        "summary.md",
        "junit.xml",
        "index.html",
    }
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["total"]["p95"] == passed.summary.total.p95
    assert summary["total"]["response"]["p95"] == passed.summary.total.response.p95
    assert summary["labels"].keys() == passed.summary.labels.keys()


def test_a_bare_jtl_gets_no_junit(passed: Run, tmp_path: Path) -> None:
    write_all(tmp_path, None, passed.digest, passed.summary, title="samples.jtl")
    assert {path.name for path in tmp_path.iterdir()} == {"summary.json", "summary.md", "index.html"}


def test_what_reading_noticed_stands_in_all_of_them(passed: Run, tmp_path: Path) -> None:
    digest = replace(passed.digest, notes=("a partial last line was left out: 1769|x",))
    write_all(tmp_path, None, digest, summarize(digest), title="samples.jtl")
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["notes"] == list(digest.notes)
    assert "- a partial last line was left out&#58; 1769&#124;x" in (tmp_path / "summary.md").read_text()
    assert digest.notes[0] in (tmp_path / "index.html").read_text()


def test_a_file_is_replaced_whole_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    path.write_text("old")
    write_text(path, "new ü \ud800")
    assert path.read_text(encoding="utf-8") == "new ü ?"
    assert stat.S_IMODE(path.stat().st_mode) & 0o400
    assert [entry.name for entry in tmp_path.iterdir()] == ["index.html"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.mkdir()
    with pytest.raises(OSError, match="taken"):
        write_text(path, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]
