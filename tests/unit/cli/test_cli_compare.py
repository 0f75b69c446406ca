"""What `pacemark compare` leaves behind when there is nothing to compare."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from lxml import etree

from pacemark.commands.compare import BasisName, compare
from pacemark.errors import InputError, PacemarkError

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


def test_response_is_compared_where_it_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every request takes 20 ms; in the second file each starts 180 ms late."""
    paths = []
    for late_ms in (0, 180):
        rows = [f"{1_769_767_200_000 + n * 50},20,GET /tools,true,{late_ms}" for n in range(400)]
        path = tmp_path / f"late{late_ms}.jtl"
        path.write_text("\n".join(["timeStamp,elapsed,label,success,late_ms", *rows, ""]))
        paths.append(str(path))
    found, page = {}, tmp_path / "c.html"
    for basis in BasisName:
        compare(paths, p95="10%", noise="12%", basis=basis, as_json=True, html_file=page)
        found[basis] = json.loads(capsys.readouterr().out)
        (data,) = re.findall(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"))
        curve = json.loads(data)["views"][0]["charts"][0]
        assert max(curve["series"][1]["values"], key=lambda ms: ms or 0) == (
            20 if basis == "elapsed" else 200
        )
    assert [found[basis]["verdict"] for basis in ("elapsed", "response")] == ["inconclusive", "worse"]
    (p95,) = (c for c in found[BasisName.RESPONSE]["changes"] if not c["label"] and c["metric"] == "p95")
    assert (p95["baseline"], p95["current"]) == (20, 200)


def test_response_that_is_not_known_is_refused(runs: Path) -> None:
    with pytest.raises(InputError, match="base does not say when requests were due"):
        compare([str(runs / "base"), str(runs / "current")], basis=BasisName.RESPONSE)
