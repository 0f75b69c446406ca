"""Named baselines: kept, listed, and found again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacemark.errors import Exit, InputError, RunError
from pacemark.results import baselines
from pacemark.results.digest import Digest
from pacemark.results.record import GatewayFacts, Reason, RunRecord, Verdict, Window
from pacemark.results.statistics import summarize
from pacemark.workloads.load import Load


def _run(directory: Path, verdict: Verdict = "pass") -> Path:
    directory.mkdir(parents=True)
    rows = [f"{1_769_767_200_000 + second * 1000},{second},A,true" for second in range(10)]
    (directory / "samples.jtl").write_text("\n".join(["timeStamp,elapsed,label,success", *rows, ""]))
    digest = Digest.of(directory)
    digest.save(directory / "digest.parquet")
    window = Window(from_s=4, to_s=9)
    (directory / "summary.json").write_text(summarize(digest, window=window).model_dump_json())
    instant = datetime(2026, 1, 30, 10, tzinfo=UTC)
    RunRecord(
        pacemark="0.1.0",
        workload="rest_api_baseline",
        title="REST",
        scale="smoke",
        started=instant,
        ended=instant,
        load=Load(threads=1, ramp_up_s=4, duration_s=9, rate_per_s=1),
        window=window,
        verdict=verdict,
        exit_status=0,
        reasons=[Reason(level="invalid", text="429 answers")] if verdict == "invalid" else [],
        gateway=GatewayFacts(url="http://127.0.0.1:4444"),
    ).save_to(directory)
    return directory


def test_a_run_is_kept_whole_and_shown(tmp_path: Path) -> None:
    root = tmp_path / "baselines"
    kept = baselines.save(_run(tmp_path / "run"), "main", root)
    assert sorted(path.name for path in kept.path.iterdir()) == ["digest.parquet", "run.json", "summary.json"]
    assert baselines.list_all(root) == [kept] == [baselines.show("main", root)]
    assert kept.summary().total.count == 5
    assert baselines.measured(kept.path).window == Window(from_s=4, to_s=9)
    assert [path.name for path in root.iterdir()] == ["main"]


def test_a_jtl_is_measured_whole(tmp_path: Path) -> None:
    assert baselines.measured(_run(tmp_path / "run") / "samples.jtl").count == 10


def test_a_taken_name_is_kept_unless_asked(tmp_path: Path) -> None:
    run, root = _run(tmp_path / "run"), tmp_path / "baselines"
    baselines.save(run, "main", root)
    with pytest.raises(InputError, match="'main' exists"):
        baselines.save(run, "main", root)
    baselines.save(_run(tmp_path / "newer", "fail"), "main", root, overwrite=True)
    assert baselines.show("main", root).record.verdict == "fail"


def test_an_invalid_run_is_no_baseline(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="429 answers") as caught:
        baselines.save(_run(tmp_path / "run", "invalid"), "main", tmp_path / "baselines")
    assert caught.value.exit_status == Exit.INVALID
    assert not (tmp_path / "baselines").exists()


@pytest.mark.parametrize("name", ["", ".", "..", "../main", "a/b", ".hidden", "a b", "x" * 65, "a\n"])
def test_names_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a baseline"):
        baselines.save(_run(tmp_path / "run"), name, tmp_path / "baselines")


def test_a_run_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    run = _run(tmp_path / "run")
    (run / "summary.json").unlink()
    with pytest.raises(InputError, match=r"has no summary\.json"):
        baselines.save(run, "main", tmp_path / "baselines")


@pytest.mark.parametrize("text", ["{", "{}", '{"pacemark": 1}'])
def test_a_broken_record_is_refused_with_one_line(tmp_path: Path, text: str) -> None:
    run = _run(tmp_path / "run")
    (run / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json is no run's record") as caught:
        baselines.save(run, "main", tmp_path / "baselines")
    assert "\n" not in str(caught.value)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*run\.json: No such file"):
        baselines.save(tmp_path, "main", tmp_path / "baselines")


def test_an_unknown_baseline_names_those_there_are(tmp_path: Path) -> None:
    baselines.save(_run(tmp_path / "run"), "main", tmp_path)
    with pytest.raises(InputError, match="there are: main"):
        baselines.show("other", tmp_path)


def test_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [_run(Path(f"results/rest_api_baseline/2026013{day}T100000Z")) for day in (0, 1)]
    baselines.save(runs[0], "main")
    assert baselines.resolve("main") == [Path("baselines/main")]
    assert baselines.resolve(str(runs[1])) == [runs[1]]
    assert baselines.resolve(str(runs[1] / "samples.jtl")) == [runs[1] / "samples.jtl"]
    assert baselines.resolve("results") == runs


@pytest.mark.parametrize(
    ("text", "complaint"), [("none", "neither a file nor a baseline"), (".", "holds no runs")]
)
def test_resolve_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=complaint):
        baselines.resolve(text)
