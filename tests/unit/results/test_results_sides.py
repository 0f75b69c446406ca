"""The sides of a comparison, as a command line names them."""

import shutil
from pathlib import Path

import pytest
from run_directories import run_directory

from pacemark.errors import InputError, RunError
from pacemark.results import history
from pacemark.results.record import RunRecord
from pacemark.results.sides import NotComparableError, compare_sides
from pacemark.results.threshold import Threshold

THRESHOLD = [Threshold.parse("p95", "5%")]


def test_a_folder_stands_for_its_valid_runs_on_either_side(tmp_path: Path) -> None:
    for number in range(3):
        run_directory(tmp_path / "base", number)
        run_directory(tmp_path / "head", 4 + number, ms=30)
    invalid = run_directory(tmp_path / "head", 8, ms=900, verdict="invalid")
    found = compare_sides([str(tmp_path / "base")], str(tmp_path / "head"), THRESHOLD)
    assert (found.comparison.baseline_runs, found.comparison.current_runs) == (3, 3)
    assert found.comparison.verdict == "worse"
    assert found.comparison.notes == [f"{invalid} is invalid and was left out"]


def test_several_baselines_may_be_named(tmp_path: Path) -> None:
    runs = [str(run_directory(tmp_path, number)) for number in range(3)]
    found = compare_sides(runs[:2], runs[2], THRESHOLD)
    assert (found.comparison.baseline_runs, found.comparison.current_runs) == (2, 1)


def test_an_invalid_run_that_is_named_is_refused(tmp_path: Path) -> None:
    base, invalid = run_directory(tmp_path, 1), run_directory(tmp_path, 2, verdict="invalid")
    samples = invalid / "samples.jtl"
    for sides in ((base, invalid), (invalid, base), (base, samples), (samples, base)):
        with pytest.raises(RunError, match=r"run002(/samples.jtl)? is invalid: JMeter was the limit"):
            compare_sides([str(sides[0])], str(sides[1]), THRESHOLD)


def test_runs_that_differ_in_kind_say_in_what_and_are_compared_by_force(tmp_path: Path) -> None:
    base, other = run_directory(tmp_path, 1), run_directory(tmp_path, 2, rate=40)
    with pytest.raises(NotComparableError) as caught:
        compare_sides([str(base)], str(other), THRESHOLD)
    assert caught.value.differing == ["load: 20 against 40"]
    forced = compare_sides([str(base)], str(other), THRESHOLD, force=True)
    assert forced.comparison.notes == ["compared by force, though they differ in load: 20 against 40"]


def test_the_history_beside_the_current_run_tells_the_noise(tmp_path: Path) -> None:
    for number in range(9):
        history.add(run_directory(tmp_path, number, ms=20 + number % 2))
    base, current = run_directory(tmp_path, 10), run_directory(tmp_path, 11, ms=30)
    found = compare_sides([str(base)], str(current), THRESHOLD).comparison
    assert found.noise == ["between runs: as those of the history differ from one to the next"]
    assert found.verdict == "worse"


def test_a_bare_jtl_is_compared_with_a_note(tmp_path: Path) -> None:
    run = run_directory(tmp_path, 1)
    jtl = run / "samples.jtl"
    found = compare_sides([str(run)], str(jtl), THRESHOLD)
    assert found.comparison.notes == [f"{jtl} has no fingerprint: is it of the same kind?"]


def test_one_run_given_twice_is_refused(tmp_path: Path) -> None:
    run, current = run_directory(tmp_path, 1), run_directory(tmp_path, 2, ms=30)
    copied = shutil.copytree(run, tmp_path / "copied")
    jtl = shutil.copyfile(run / "samples.jtl", tmp_path / "plain.jtl")
    same = shutil.copyfile(jtl, tmp_path / "same.jtl")
    for twice in (
        [run, run],
        [run, copied],
        [run.parent, run],
        [run, run / "samples.jtl"],
        [jtl, jtl],
        [jtl, same],
    ):
        with pytest.raises(InputError, match=r"given twice|the same run as"):
            compare_sides([str(path) for path in twice], str(current), THRESHOLD)


def test_a_run_that_is_compared_is_left_out_of_the_other_side_s_folder(tmp_path: Path) -> None:
    runs = [run_directory(tmp_path, number) for number in range(3)]
    folder = str(runs[0].parent)
    found = compare_sides([folder], str(runs[2]), THRESHOLD)
    assert found.baseline.paths == runs[:2]
    assert found.comparison.notes == [f"{runs[2]} is compared and was left out of {folder}"]
    found = compare_sides([str(runs[0])], folder, THRESHOLD)
    assert found.current.paths == runs[1:]
    assert found.comparison.notes == [f"{runs[0]} is a baseline and was left out of {folder}"]
    with pytest.raises(InputError, match="are the same runs"):
        compare_sides([folder], folder, THRESHOLD)


def test_a_folder_of_one_run_is_no_baseline_of_it(tmp_path: Path) -> None:
    run = run_directory(tmp_path, 1)
    with pytest.raises(InputError, match="are the same runs"):
        compare_sides([str(tmp_path)], str(run), THRESHOLD)


def test_a_record_of_an_older_pacemark_still_loads_and_says_what_it_does_not_tell(tmp_path: Path) -> None:
    runs = [run_directory(tmp_path, number) for number in range(2)]
    for run, kind in zip(runs, ("external", "stack"), strict=True):
        record = RunRecord.load_from(run)
        record.fingerprint["gateway"] = kind
        record.save_to(run)
    with pytest.raises(NotComparableError) as caught:
        compare_sides([str(runs[0])], str(runs[1]), THRESHOLD)
    assert caught.value.differing == ["gateway: external against stack"]
