"""What `pacemark compare` leaves behind when there is nothing to compare."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from lxml import etree

from pacemark.commands.compare import compare
from pacemark.errors import PacemarkError

sys.path.insert(0, str(Path(__file__).parents[1] / "results"))

from run_directories import run_directory

REFUSED = {"other": "load: 20 against 40", "invalid": "JMeter was the limit", "missing": "neither a file nor"}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A baseline, one to compare with it, one of another load, an invalid one; no fourth."""
    for number, (name, options) in enumerate(
        {"base": {}, "current": {"ms": 30}, "other": {"rate": 40}, "invalid": {"verdict": "invalid"}}.items()
    ):
        shutil.move(run_directory(tmp_path, number, **options), tmp_path / name)  # type: ignore[arg-type]
    return tmp_path


@pytest.mark.parametrize(("name", "why"), REFUSED.items())
def test_what_is_refused_leaves_no_file_of_an_earlier_comparison(runs: Path, name: str, why: str) -> None:
    page, xml = runs / "c.html", runs / "c.xml"
    compare([str(runs / "base"), str(runs / "current")], html_file=page, junit_file=xml)
    assert "<error" not in xml.read_text(encoding="utf-8")
    with pytest.raises(PacemarkError):
        compare([str(runs / "base"), str(runs / name)], html_file=page, junit_file=xml)
    suite = etree.fromstring(xml.read_bytes()).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert [why in (error.get("message") or "") for error in suite.iter("error")] == [True]
    assert "not compared" in page.read_text(encoding="utf-8")
    assert why in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "why"), REFUSED.items())
def test_what_is_refused_says_so_in_json_and_markdown(
    runs: Path, name: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [str(runs / "base"), str(runs / name)]
    with pytest.raises(PacemarkError):
        compare(sources, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"].startswith("not compar")
    assert why in str(found)
    with pytest.raises(PacemarkError):
        compare(sources, markdown=True)
    said = capsys.readouterr().out
    assert said.startswith("## ⚠️ NOT COMPAR")
    assert why in said.replace("&#58;", ":")


def test_a_threshold_that_cannot_be_read_is_told_there_too(runs: Path) -> None:
    xml = runs / "c.xml"
    with pytest.raises(PacemarkError):
        compare([str(runs / "base"), str(runs / "current")], p95="ten", junit_file=xml)
    assert "<error" in xml.read_text(encoding="utf-8")
