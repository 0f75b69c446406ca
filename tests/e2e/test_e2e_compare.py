"""Runs put side by side: the same is the same, slower is named, different is refused."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_command import Ended, Pacemark, rows, write_rows
from fake_gateway import FakeGateway

pytestmark = pytest.mark.jmeter

LOAD = ("--duration", "10s", "--ramp-up", "1s", "--threads", "30", "--no-dashboard")
SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_jmeter_results.py"


@dataclass(frozen=True)
class Three:
    """Two runs of one kind, the second with the first as its baseline, and one at another rate."""

    pacemark: Pacemark
    first: Path
    saved: Ended
    second: Ended
    other: Path

    @property
    def samples(self) -> Path:
        return self.first / "samples.jtl"

    @property
    def many(self) -> Path:
        """The first run's samples ten times over: enough of each label to know its noise."""
        return write_rows(self.pacemark.folder / "many.jtl", rows(self.samples) * 10)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Three:
    folder = tmp_path_factory.mktemp("three")
    pacemark = Pacemark(folder, MCPGATEWAY_BEARER_TOKEN="a-token-of-no-meaning")
    with FakeGateway() as gateway:
        gateway.delay_s = lambda: 0.4  # long beside what a busy machine adds
        run = ("rest_api_baseline", *LOAD, "--gateway", gateway.url, "--rate")
        assert pacemark.load(*run, "30", out="first").status == 0
        (first,) = folder.glob("first/*/*")
        saved = pacemark("baseline", "save", first, "main")
        second = pacemark.load(*run, "30", "--baseline", "main", "--json", out="second")
        assert pacemark.load(*run, "20", "--duration", "3s", out="other").status == 0
    (other,) = folder.glob("other/*/*")
    return Three(pacemark, first, saved, second, other)


def slower(three: Three, label: str = "") -> Path:
    """Samples of the first run, each three times as slow, or only those of one label."""
    samples = rows(three.many)
    for row in samples:
        if label in ("", row["label"]):
            row["elapsed"] = str(int(row["elapsed"]) * 3)
    return write_rows(three.pacemark.folder / "slower.jtl", samples)


def test_a_run_against_its_own_kind(three: Three) -> None:
    assert three.second.status == 0, three.second.stderr
    (run,) = three.second.json["runs"]
    assert run["comparison"]["verdict"] in ("same", "better", "inconclusive")
    assert run["comparison"]["notes"] == []
    assert (three.pacemark.folder / run["directory"] / "comparison.html").is_file()
    by_hand = three.pacemark("compare", three.first, three.pacemark.folder / run["directory"], "--json")
    assert by_hand.status == 0
    assert by_hand.json["changes"] == run["comparison"]["changes"]


def test_the_same_samples_are_the_same(three: Three) -> None:
    ended = three.pacemark("compare", three.samples, three.samples, "--json")
    assert ended.status == 0
    assert ended.json["verdict"] in ("same", "inconclusive")
    assert {change["change"] for change in ended.json["changes"]} == {0.0}
    assert ended.errors == []


def test_slower_samples_are_a_regression_with_metric_and_label(three: Three) -> None:
    ended = three.pacemark("compare", three.many, slower(three, "GET /tools"))
    assert ended.status == 1
    assert "GET /tools" in ended.stdout
    (line,) = (line for line in ended.errors if "(GET /tools)" in line)
    assert line.startswith("pacemark: p95 ")
    assert "allowed 10%" in line
    assert not any("/health" in line for line in ended.errors)


def test_the_request_s_own_command_line(three: Three) -> None:
    thresholds = ("--threshold-p95=10%", "--threshold-error=0.5%")
    for current, status in ((three.many, 0), (slower(three), 1)):
        with three.pacemark.script(SCRIPT, three.many, current, *thresholds) as running:
            ended = running.ended()
        assert ended.status == status
        assert sum("allowed 10%" in line for line in ended.errors) == status * 7


def test_more_errors_are_a_regression(three: Three) -> None:
    samples = rows(three.samples)
    for row in samples[::7]:  # of every label some
        row["success"], row["responseCode"] = "false", "503"
    worse = write_rows(three.pacemark.folder / "errors.jtl", samples)
    ended = three.pacemark("compare", three.samples, worse, "--threshold-error", "0.5%", "--markdown")
    assert ended.status == 1
    assert any("error" in line and "All labels" in line for line in ended.errors)
    assert three.pacemark("compare", three.samples, worse, "--threshold-error", "60%").status == 0


def test_a_baseline_is_kept_listed_shown_and_enough_to_compare_with(three: Three, tmp_path: Path) -> None:
    assert three.saved.status == 0
    assert three.saved.stdout == "baselines/main\n"
    listed = three.pacemark("baseline", "list")
    assert "main" in listed.stdout
    assert "rest_api_baseline" in listed.stdout
    assert "GET /gateways" in three.pacemark("baseline", "show", "main").stdout
    again = three.pacemark("baseline", "save", three.first, "main")
    assert (again.status, "the baseline 'main' exists" in again.stderr) == (2, True)
    # In a checkout without the run.
    shutil.copytree(three.pacemark.folder / "baselines", tmp_path / "baselines")
    assert Pacemark(tmp_path)("compare", "main", slower(three)).status == 1


def test_runs_of_different_load_are_compared_by_force_only(three: Three) -> None:
    ended = three.pacemark("compare", three.first, three.other)
    assert ended.status == 3
    (line,) = ended.errors
    assert line.startswith("pacemark: not comparable: ")
    assert "TARGET_RPS=30 against " in line
    assert "TARGET_RPS=20" in line
    forced = three.pacemark(
        "compare", three.first, three.other, "--force", "--threshold-p95", "900%", "--json"
    )
    assert forced.status == 0
    assert any("compared by force" in note for note in forced.json["notes"])


def test_an_inconclusive_comparison_passes_unless_strict(three: Three) -> None:
    compare = ("compare", three.samples, three.samples, "--threshold-p95", "0.1%")
    ended = three.pacemark(*compare, "--json")
    assert (ended.status, ended.json["verdict"]) == (0, "inconclusive")
    assert three.pacemark(*compare, "--strict").status == 3


def test_a_comparison_is_written_as_a_page_and_for_those_who_read_test_results(three: Three) -> None:
    folder = three.pacemark.folder
    ended = three.pacemark("compare", three.many, slower(three), "--html", "page.html", "--junit", "page.xml")
    assert ended.status == 1
    assert "WORSE" in (folder / "page.html").read_text(encoding="utf-8")
    assert "<failure" in (folder / "page.xml").read_text(encoding="utf-8")


def test_runs_of_another_kind_say_so_as_json_too(three: Three) -> None:
    ended = three.pacemark("compare", three.first, three.other, "--json")
    assert (ended.status, ended.json["verdict"]) == (3, "not comparable")
    assert any("TARGET_RPS=20" in line for line in ended.json["differing"])


def test_every_run_is_in_the_history_of_its_folder(three: Three) -> None:
    for folder in ("first", "second", "other"):
        assert (three.pacemark.folder / folder / "history.sqlite").is_file()
    ended = three.pacemark(
        "history", "rest_api_baseline", "--out", "first", "--json", "--html", "history.html"
    )
    (trend,) = ended.json["trends"]
    (run,) = trend["runs"]
    stats = three.pacemark("stats", three.first, "--json").json
    assert run["total"]["p95"] == stats["total"]["p95"]
    assert run["labels"]["GET /tools"]["p99"] == stats["labels"]["GET /tools"]["p99"]
    assert "rest_api_baseline" in (three.pacemark.folder / "history.html").read_text(encoding="utf-8")
