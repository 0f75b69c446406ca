"""Comparison: thresholds, their grammar, and what counts as a change."""

from pathlib import Path

import pytest

from pacemark.errors import InputError
from pacemark.results.compare import Change, Comparison, Threshold, compare, differences
from pacemark.results.digest import Digest


def _digest(
    tmp_path: Path, latencies: list[int], *, failed: int = 0, label: str = "A", seconds: int = 10
) -> Digest:
    rows = [f"0,{value},{label},{'false' if i < failed else 'true'}" for i, value in enumerate(latencies)]
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join(["timeStamp,elapsed,label,success", *rows, ""]))
    return Digest.from_jtl(path).between(0, seconds)


def _change(comparison: Comparison, metric: str, label: str | None = None) -> Change:
    (found,) = (c for c in comparison.changes if (c.label, c.metric) == (label, metric))
    return found


@pytest.mark.parametrize(
    ("metric", "text", "shown"),
    [
        ("p95", "10%", "10%"),
        ("p99", " 20 ms ", "20 ms"),
        ("mean", "2.5%", "2.5%"),
        ("throughput", "5/s", "5/s"),
        ("throughput", "5%", "5%"),
        ("error", "0.5%", "0.5 percentage points"),
    ],
)
def test_thresholds_that_are_read(metric: str, text: str, shown: str) -> None:
    assert str(Threshold.parse(metric, text)) == shown


@pytest.mark.parametrize(
    ("metric", "text", "allowed"),
    [
        ("p95", "10", "5% or 5ms"),
        ("p95", "5/s", "5% or 5ms"),
        ("p95", "-5%", "5% or 5ms"),
        ("throughput", "20ms", "5% or 5/s"),
        ("error", "5ms", "5%"),
        ("p42", "5%", "p50, p90, p95, p99, mean, throughput, error"),
    ],
)
def test_thresholds_that_are_refused_say_what_would_be_allowed(metric: str, text: str, allowed: str) -> None:
    with pytest.raises(InputError) as caught:
        Threshold.parse(metric, text)
    assert caught.value.hint.endswith(allowed)


@pytest.mark.parametrize(
    ("before", "after", "threshold", "outcome"),
    [
        (100, 110, "10%", "same"),
        (100, 111, "10%", "regressed"),
        (100, 90, "10%", "same"),
        (100, 89, "10%", "improved"),
        (100, 120, "20ms", "same"),
        (100, 121, "20ms", "regressed"),
        (1, 2, "10%", "same"),
        (0, 1, "0%", "same"),
        (0, 2, "10%", "regressed"),
    ],
)
def test_latency(tmp_path: Path, before: int, after: int, threshold: str, outcome: str) -> None:
    found = compare(
        [_digest(tmp_path, [before] * 200)],
        _digest(tmp_path, [after] * 200),
        [Threshold.parse("p95", threshold)],
    )
    assert _change(found, "p95").outcome == outcome
    assert _change(found, "p95", "A").outcome == outcome
    assert found.verdict == {"same": "same", "regressed": "worse", "improved": "better"}[outcome]


def test_a_percentile_of_few_samples_may_be_chance(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [400] * 15), _digest(tmp_path, [400] * 14 + [494])
    found = compare([base], current)
    assert _change(found, "p95").change == 94
    assert _change(found, "p95").outcome == "inconclusive"
    assert (found.verdict, found.regressions) == ("inconclusive", [])
    many = compare([_digest(tmp_path, [400] * 150)], _digest(tmp_path, [400] * 140 + [494] * 10))
    assert _change(many, "p95").outcome == "inconclusive"
    more = compare([_digest(tmp_path, [400] * 150)], _digest(tmp_path, [400] * 130 + [494] * 20))
    assert _change(more, "p95").outcome == "regressed"


@pytest.mark.parametrize(
    ("before", "after", "outcome"), [(1, 6, "same"), (1, 7, "regressed"), (7, 1, "improved"), (3, 3, "same")]
)
def test_errors_are_in_percentage_points(tmp_path: Path, before: int, after: int, outcome: str) -> None:
    """0.1 % against 0.6 % is exactly 0.5 points: binary fractions would call it more."""
    base, current = (_digest(tmp_path, [5] * 1000, failed=failed) for failed in (before, after))
    assert _change(compare([base], current), "error").outcome == outcome


@pytest.mark.parametrize(
    ("count", "threshold", "outcome"),
    [(90, "10%", "same"), (89, "10%", "regressed"), (111, "10%", "improved"), (94, "0.5/s", "regressed")],
)
def test_throughput_regresses_downwards(tmp_path: Path, count: int, threshold: str, outcome: str) -> None:
    base, current = _digest(tmp_path, [5] * 100), _digest(tmp_path, [5] * count)
    found = compare([base], current, [Threshold.parse("throughput", threshold)])
    assert _change(found, "throughput").outcome == outcome


def test_pooled_baselines_have_their_mean_throughput(tmp_path: Path) -> None:
    runs = [_digest(tmp_path, [5] * 100), _digest(tmp_path, [15] * 300, seconds=20)]
    found = compare(runs, _digest(tmp_path, [5] * 100))
    assert _change(found, "throughput").baseline == pytest.approx(400 / 30)
    assert _change(found, "p50").baseline == 15
    assert (found.baseline_runs, found.baseline_count) == (2, 400)


def test_only_the_given_thresholds_apply(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [100] * 200), _digest(tmp_path, [300] * 200)
    found = compare([base], current, [Threshold.parse("throughput", "1%")])
    assert found.verdict == "same"
    assert {change.outcome for change in found.changes if change.metric != "throughput"} == {"shown"}
    assert compare([base], current).thresholds == ["p95 10%", "error 0.5 percentage points"]
    assert [change.label for change in compare([base], current).regressions] == [None, "A"]


def test_a_label_that_vanished_is_a_regression(tmp_path: Path) -> None:
    base, current = _digest(tmp_path, [5]), _digest(tmp_path, [5], label="B")
    found = compare([base], current)
    assert (found.verdict, found.missing, found.new) == ("worse", ["A"], ["B"])
    assert {change.label for change in found.changes} == {None}


def test_a_change_against_zero_has_no_percentage(tmp_path: Path) -> None:
    change = _change(compare([_digest(tmp_path, [0])], _digest(tmp_path, [7])), "p95")
    assert (change.baseline, change.current, change.change, change.change_percent) == (0, 7, 7, None)


def test_nothing_is_compared_with_no_samples(tmp_path: Path) -> None:
    digest = _digest(tmp_path, [5])
    with pytest.raises(InputError, match="the current has no samples"):
        compare([digest], digest.between(5, 8))


def test_a_comparison_is_plain_json(tmp_path: Path) -> None:
    found = compare([_digest(tmp_path, [5])], _digest(tmp_path, [9]))
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_differences_of_fingerprints() -> None:
    assert differences({"plan": "a", "scale": "ci", "jvm": "21"}, {"plan": "b", "scale": "ci"}) == [
        "jvm: 21 against unknown",
        "plan: a against b",
    ]
    assert differences({"plan": "a"}, {"plan": "a"}) == []
