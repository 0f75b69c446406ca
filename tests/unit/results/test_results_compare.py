"""Comparison: what counts as a change, and what cannot be told."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pacemark.errors import InputError
from pacemark.results.compare import Change, Comparison, compare, differences
from pacemark.results.digest import NO_SLOT, Digest, merge
from pacemark.results.threshold import Threshold


def _digest(
    tmp_path: Path,
    latencies: list[int],
    *,
    failed: int = 0,
    label: str = "A",
    seconds: int = 10,
    paced: bool = False,
) -> Digest:
    """Samples spread evenly over the seconds, the failed ones evenly among them."""
    rows = []
    for i, value in enumerate(latencies):
        good = (i + 1) * failed // len(latencies) == i * failed // len(latencies)
        rows.append(
            f"{1_769_767_200_000 + i * seconds * 1000 // len(latencies)},{value},{label},{str(good).lower()}"
        )
    columns = "timeStamp,elapsed,label,success"
    if paced:
        columns, rows = f"{columns},late_ms,waited", [f"{row},0,1" for row in rows]
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join([columns, *rows, ""]))
    return Digest.from_jtl(path).between(0, seconds)


def _change(comparison: Comparison, metric: str, label: str | None = None) -> Change:
    (found,) = (c for c in comparison.changes if (c.label, c.metric) == (label, metric))
    return found


def _without_noise(base: Digest, current: Digest, *thresholds: tuple[str, str]) -> Comparison:
    """Three runs on each side that are alike: there is no noise, and the threshold alone decides."""
    given = [Threshold.parse(*threshold) for threshold in thresholds]
    return compare([base] * 3, [current] * 3, given)


@pytest.mark.parametrize(
    ("before", "after", "threshold", "outcome"),
    [
        (100, 110, "10%", "same"),
        (100, 111, "10%", "worse"),
        (100, 90, "10%", "same"),
        (100, 89, "10%", "better"),
        (100, 120, "20ms", "same"),
        (100, 121, "20ms", "worse"),
        (1, 2, "10%", "same"),
        (0, 1, "0%", "same"),
        (0, 2, "10%", "worse"),
    ],
)
def test_latency(tmp_path: Path, before: int, after: int, threshold: str, outcome: str) -> None:
    base, current = _digest(tmp_path, [before] * 200), _digest(tmp_path, [after] * 200)
    found = _without_noise(base, current, ("p95", threshold))
    assert _change(found, "p95").outcome == outcome
    assert _change(found, "p95", "A").outcome == outcome
    assert found.verdict == outcome
    assert found.noise == ["between runs: as the runs given differ among themselves"]


def test_a_change_beyond_the_threshold_counts_only_beyond_the_noise(tmp_path: Path) -> None:
    """Runs of 100, 110 and 120 ms and 112, 122 and 132: 11 % apart, but so are the runs of one side."""
    quiet = [_digest(tmp_path, [ms] * 200) for ms in (109, 110, 111)]
    noisy = [_digest(tmp_path, [ms] * 200) for ms in (100, 110, 120)]
    slower = [_digest(tmp_path, [ms] * 200) for ms in (121, 122, 123)]
    noisy_slower = [_digest(tmp_path, [ms] * 200) for ms in (112, 122, 132)]
    threshold = [Threshold.parse("p50", "8%")]
    sure = _change(compare(quiet, slower, threshold), "p50")
    assert (sure.baseline, sure.current, sure.outcome) == (110, 122, "worse")
    assert sure.noise is not None
    assert sure.noise < 12
    unsure = _change(compare(noisy, noisy_slower, threshold), "p50")
    assert (unsure.baseline, unsure.current, unsure.outcome) == (110, 122, "inconclusive")
    assert unsure.noise is not None
    assert unsure.noise > 12
    assert unsure.runs_needed is not None
    assert unsure.runs_needed > 3


def test_one_run_on_each_side_has_a_stated_default(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [100] * 400), _digest(tmp_path, [104] * 400)
    found = compare([base], [current], [Threshold.parse("p95", "1%")])
    change = _change(found, "p95")
    assert (change.outcome, found.verdict) == ("inconclusive", "inconclusive")
    assert change.runs_needed == found.runs_needed
    (said,) = found.noise
    assert said.startswith("assumed between runs, one standard deviation: p95 12 %, as of runs alone")
    threshold = [Threshold.parse("p95", "10%")]
    others = [_digest(tmp_path, [ms] * 400) for ms in (10, 200, 1000)]
    verdicts = [compare([base], [other], threshold).verdict for other in others]
    assert verdicts == ["better", "worse", "worse"]


def test_who_knows_how_much_runs_differ_may_tell(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [100] * 400), _digest(tmp_path, [160] * 400)
    threshold = [Threshold.parse("p95", "10%")]
    found = compare([base], [current], threshold, told=0.12)
    assert (found.verdict, found.noise) == (
        "worse",
        ["between runs, one standard deviation, as was told: 12 %"],
    )
    asked = compare([base], [_digest(tmp_path, [130] * 400)], threshold, told=0.12)
    assert (asked.verdict, asked.runs_needed) == ("inconclusive", 15)
    assert compare([base] * 3, [current] * 3, threshold, told=5).verdict == "worse"


def test_a_single_run_that_no_number_decides_says_that_three_tell_the_noise(tmp_path: Path) -> None:
    base = _digest(tmp_path, [100] * 800)
    change = _change(compare([base], [base], [Threshold.parse("p99", "2%")]), "p99")
    assert (change.outcome, change.why) == ("inconclusive", "take 3 runs a side")


def test_history_tells_the_noise_where_runs_do_not(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [100] * 400), _digest(tmp_path, [112] * 400)
    calm = {(label, "p95"): [100.0, 101.0] * 6 for label in (None, "A")}
    wild = {(label, "p95"): [80.0, 120.0] * 6 for label in (None, "A")}
    threshold = [Threshold.parse("p95", "5%")]
    sure, unsure = (compare([base], [current], threshold, past=past) for past in (calm, wild))  # type: ignore[arg-type]
    assert (sure.verdict, unsure.verdict) == ("worse", "inconclusive")
    assert sure.noise == ["between runs: as those of the history differ from one to the next"]


@pytest.mark.parametrize(
    ("latencies", "seconds", "why"),
    [
        ([400] * 50, 5, "too brief: noise takes 8 s"),
        ([400] * 50, 20, "too few samples: it takes 5 of each run beyond p95"),
    ],
)
def test_what_is_too_little_to_know_the_noise_is_inconclusive(
    tmp_path: Path, latencies: list[int], seconds: int, why: str
) -> None:
    base = _digest(tmp_path, latencies, seconds=seconds)
    found = compare([base], [base])
    assert (_change(found, "p95").outcome, found.verdict) == ("inconclusive", "inconclusive")
    assert _change(found, "p95").why.startswith(why)
    assert found.runs_needed is None


def test_a_percentile_of_too_few_samples_is_inconclusive_however_many_runs_there_are(tmp_path: Path) -> None:
    """Of 400 samples 4 lie beyond P99, of 500 samples 5."""
    threshold = [Threshold.parse("p99", "10%")]
    for count, outcome in ((400, "inconclusive"), (500, "worse")):
        base, current = (_digest(tmp_path, [ms] * count) for ms in (100, 200))
        change = _change(compare([base] * 5, [current] * 5, threshold), "p99")
        assert change.outcome == outcome
        assert change.why.startswith("too few samples") == (outcome == "inconclusive")
        past = {(label, "p99"): [100.0, 101.0] * 6 for label in (None, "A")}
        assert compare([base], [current], threshold, past=past).verdict == outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "outcome"), [(1, 6, "same"), (1, 7, "worse"), (7, 1, "better"), (3, 3, "same")]
)
def test_errors_are_in_percentage_points(tmp_path: Path, before: int, after: int, outcome: str) -> None:
    """0.1 % against 0.6 % is exactly 0.5 points: binary fractions would call it more."""
    base, current = (_digest(tmp_path, [5] * 1000, failed=failed) for failed in (before, after))
    assert _change(_without_noise(base, current), "error").outcome == outcome


@pytest.mark.parametrize(
    ("count", "runs", "needed"), [(60, 1, 31), (600, 1, 4), (2000, 1, None), (700, 3, None)]
)
def test_no_errors_in_few_samples_do_not_show_that_there_are_none(
    tmp_path: Path, count: int, runs: int, needed: int | None
) -> None:
    base = _digest(tmp_path, [5] * count, seconds=60)
    found = compare([base] * runs, [base] * runs, [Threshold.parse("error", "0.5%")])
    change = _change(found, "error")
    assert (change.outcome, change.runs_needed) == ("inconclusive" if needed else "same", needed)
    assert change.noise == pytest.approx(2.576 * 2**0.5 * 300 / count / runs, rel=0.01)


def test_errors_in_one_burst_are_less_sure_than_the_same_errors_spread(tmp_path: Path) -> None:
    base = _digest(tmp_path, [5] * 6000, seconds=60)
    spread = _digest(tmp_path, [5] * 6000, seconds=60, failed=100)
    path = tmp_path / "burst.jtl"
    rows = [
        f"{1_769_767_200_000 + i * 10},5,A,{'false' if 3000 <= i < 3100 else 'true'}" for i in range(6000)
    ]
    path.write_text("\n".join(["timeStamp,elapsed,label,success", *rows, ""]))
    burst = Digest.from_jtl(path).between(0, 60)
    assert burst.errors == spread.errors == 100
    assert _change(compare([base], [spread]), "error").outcome == "worse"
    assert _change(compare([base], [burst]), "error").outcome == "inconclusive"


@pytest.mark.parametrize(
    ("count", "threshold", "outcome"),
    [(90, "10%", "same"), (89, "10%", "worse"), (111, "10%", "better"), (94, "0.5/s", "worse")],
)
def test_throughput_gets_worse_downwards(tmp_path: Path, count: int, threshold: str, outcome: str) -> None:
    base, current = _digest(tmp_path, [5] * 100), _digest(tmp_path, [5] * count)
    found = _without_noise(base, current, ("throughput", threshold))
    assert _change(found, "throughput").outcome == outcome


@pytest.mark.parametrize(("paced", "outcome"), [(True, "worse"), (False, "inconclusive")])
def test_throughput_that_follows_from_latency_has_its_noise(
    tmp_path: Path, paced: bool, outcome: str
) -> None:
    """Users who wait for their replies make fewer requests of a slower run; a pacing does not."""
    base, current = (_digest(tmp_path, [100] * count, paced=paced) for count in (1000, 920))
    threshold = [Threshold.parse("throughput", "5%")]
    found = compare([base], [current], threshold)
    assert _change(found, "throughput").outcome == outcome
    assert f"throughput {0.1 if paced else 17:g} %" in found.noise[0]
    told = compare([base], [current], threshold, told=0.001)
    assert _change(told, "throughput").outcome == "worse"


def test_a_side_s_figure_is_the_mean_of_its_runs_own(tmp_path: Path) -> None:
    runs = [_digest(tmp_path, [5] * 100), _digest(tmp_path, [15] * 300, seconds=20, failed=30)]
    found = compare(runs, [_digest(tmp_path, [5] * 100)])
    figures = [_change(found, metric).baseline for metric in ("throughput", "p50", "mean", "error")]
    assert figures == [12.5, 10, 10, 5]
    assert (found.baseline_runs, found.current_runs, found.baseline_count) == (2, 1, 400)


def test_runs_without_a_label_are_no_part_of_its_latency(tmp_path: Path) -> None:
    with_b = [_digest(tmp_path, [ms] * 100, label="B") for ms in (10, 30)]
    found = compare([*with_b, _digest(tmp_path, [5] * 100)], with_b)
    figures = [_change(found, metric, "B").baseline for metric in ("p50", "throughput")]
    assert figures == [20, pytest.approx(20 / 3)]


def test_only_the_given_thresholds_apply(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [100] * 200), _digest(tmp_path, [300] * 200)
    found = _without_noise(base, current, ("throughput", "1%"))
    assert found.verdict == "same"
    assert {change.outcome for change in found.changes if change.metric != "throughput"} == {"shown"}
    by_default = _without_noise(base, current)
    assert by_default.thresholds == ["p95 10%", "error 0.5 percentage points"]
    assert [change.label for change in by_default.regressions] == [None, "A"]


def test_a_label_that_vanished_is_a_regression(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [5] * 9), _digest(tmp_path, [5] * 9, label="B")
    found = compare([base], [current])
    assert (found.verdict, found.missing, found.new) == ("worse", ["A"], ["B"])
    assert {change.label for change in found.changes} == {None}


@pytest.mark.parametrize(("count", "lost"), [(9, []), (10, ["B"])])
def test_a_label_that_may_be_missing_by_chance_is_inconclusive(
    tmp_path: Path, count: int, lost: list[str]
) -> None:
    """The current side has half as many samples: of 10 in the baseline 5 are expected."""
    rare = [_digest(tmp_path, [5] * 100), _digest(tmp_path, [5] * count, label="B")]
    before = merge(rare)
    after = _digest(tmp_path, [5] * ((100 + count + 1) // 2))
    found = compare([before], [after])
    assert found.missing == lost
    assert found.rare == ([] if lost else ["B"])
    assert found.verdict == ("worse" if lost else "inconclusive")


def test_lifetimes_are_no_latencies_to_compare(tmp_path: Path) -> None:
    base = _digest(tmp_path, [5] * 100, label="stream lifetime")
    base = replace(base, cells=base.cells.with_columns(waited=pl.lit(NO_SLOT, pl.Int8)))
    with pytest.raises(InputError, match="the baseline has no samples"):
        compare([base], [base])


def test_a_change_against_zero_has_no_percentage(tmp_path: Path) -> None:
    change = _change(compare([_digest(tmp_path, [0])], [_digest(tmp_path, [7])]), "p95")
    assert (change.baseline, change.current, change.change, change.change_percent) == (0, 7, 7, None)


def test_nothing_is_compared_with_no_samples(tmp_path: Path) -> None:
    digest = _digest(tmp_path, [5])
    with pytest.raises(InputError, match="the current has no samples"):
        compare([digest], [digest.between(5, 8)])


def test_a_comparison_is_plain_json(tmp_path: Path) -> None:
    found = compare([_digest(tmp_path, [5])], [_digest(tmp_path, [9])])
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_differences_of_fingerprints() -> None:
    assert differences({"plan": "a", "scale": "ci", "jvm": "21"}, {"plan": "b", "scale": "ci"}) == [
        "jvm: 21 against unknown",
        "plan: a against b",
    ]
    assert differences({"plan": "a"}, {"plan": "a"}) == []
