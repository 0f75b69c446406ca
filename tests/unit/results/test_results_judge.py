"""Objectives: what is met, missed, and what cannot be judged."""

from pathlib import Path

import pytest

from pacemark.results.digest import Digest
from pacemark.results.judge import judge, one_line
from pacemark.results.record import LEAST_BEYOND, JudgedObjective, Window, too_few
from pacemark.results.statistics import PERCENTS, samples_beyond
from pacemark.workloads.objective import Objective

T0 = 1_769_767_200_000
WINDOW = Window(from_s=0, to_s=10)


def _digest(tmp_path: Path, count: int, *, late: str = "3", failed: int = 0, label: str = "A") -> Digest:
    """``count`` samples of 1 to ``count`` ms over ten seconds, the first ``failed`` of them failed."""
    rows = [
        f"{T0 + i * 10_000 // count},{i + 1},{label},{'false' if i < failed else 'true'},{late}"
        for i in range(count)
    ]
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join(["timeStamp,elapsed,label,success,late_ms", *rows, ""]))
    return Digest.from_jtl(path).between(0, 10)


def _judge(digest: Digest, text: str, due: float | None = None) -> JudgedObjective:
    (judged,) = judge([Objective.parse(text)], digest, window=WINDOW, due=due)
    return judged


@pytest.mark.parametrize(
    ("count", "outcome", "why"),
    [(400, "met", ""), (399, "not judged", "19 of 399 samples lie beyond p95, it takes 20")],
)
def test_a_percentile_needs_twenty_samples_beyond_it(
    tmp_path: Path, count: int, outcome: str, why: str
) -> None:
    judged = _judge(_digest(tmp_path, count), "p95 < 900ms")
    assert (judged.outcome, judged.why, judged.value) == (outcome, why, 383.0)


@pytest.mark.parametrize("metric", PERCENTS)
def test_what_figures_mark_is_what_is_not_judged(metric: str) -> None:
    least = next(count for count in range(30_000) if metric not in too_few(count))
    assert samples_beyond(least, PERCENTS[metric]) == LEAST_BEYOND
    assert samples_beyond(least - 1, PERCENTS[metric]) < LEAST_BEYOND


def test_response_is_the_basis_where_it_is_known_of_all(tmp_path: Path) -> None:
    judged = _judge(_digest(tmp_path, 400), "p50 < 203ms")
    assert (judged.value, judged.basis, judged.outcome) == (203.0, "response", "missed")


def test_elapsed_is_the_basis_where_response_is_unknown(tmp_path: Path) -> None:
    judged = _judge(_digest(tmp_path, 400, late="null"), "p50 < 203ms")
    assert (judged.value, judged.basis, judged.outcome) == (200.0, "elapsed", "met")


def test_elapsed_is_the_basis_where_it_is_asked_for(tmp_path: Path) -> None:
    assert _judge(_digest(tmp_path, 400), "elapsed p50 <= 200").basis == "elapsed"


@pytest.mark.parametrize(
    ("text", "value", "outcome"),
    [
        ("mean < 9", 8.5, "met"),
        ("min >= 4", 4, "met"),
        ("max < 13", 13, "missed"),
        ("errors < 10%", 10, "missed"),
        ("errors <= 10%", 10, "met"),
        ("rate >= 1", 1, "met"),
        ("rate >= 95%", 80, "missed"),
        ("A: max <= 13", 13, "met"),
        ("A: rate >= 1/s", 1, "met"),
    ],
)
def test_these_are_judged_on_any_data(tmp_path: Path, text: str, value: float, outcome: str) -> None:
    judged = _judge(_digest(tmp_path, 10, failed=1), text, due=12.5)
    assert (judged.value, judged.outcome) == (value, outcome)


def test_a_rate_is_over_the_slices_that_were_counted(tmp_path: Path) -> None:
    """A window of 1.5-9.5 s counts the samples of 1-10 s."""
    digest, window = _digest(tmp_path, 100).between(1.5, 9.5), Window(from_s=1.5, to_s=9.5)
    objectives = [Objective.parse("rate >= 10"), Objective.parse("rate >= 100%")]
    judged = judge(objectives, digest, window=window, due=80)
    assert [(one.value, one.outcome) for one in judged] == [(10, "met"), (100, "met")]


@pytest.mark.parametrize(
    ("text", "due", "why"),
    [
        ("B: max < 13", 10, "no samples of 'B' in the window"),
        ("rate >= 95%", None, "no rate was asked for in the window"),
        ("rate >= 95%", 0, "no rate was asked for in the window"),
        ("A: rate >= 95%", 10, "the rate that was asked for is of all requests, not of one label"),
    ],
)
def test_what_cannot_be_judged_says_why(tmp_path: Path, text: str, due: float | None, why: str) -> None:
    judged = _judge(_digest(tmp_path, 10), text, due)
    assert (judged.outcome, judged.value, judged.why) == ("not judged", None, why)


@pytest.mark.parametrize("text", ["p95 < 1", "errors < 100%", "rate >= 0%", "max < 5"])
def test_no_data_never_passes(tmp_path: Path, text: str) -> None:
    judged = _judge(_digest(tmp_path, 10).between(20, 30), text, due=5)
    assert (judged.outcome, judged.why) == ("not judged", "no samples in the window")


@pytest.mark.parametrize(
    ("text", "value", "line"),
    [
        ("GET /tools: p95 < 200ms", 231.0, "p95 231 ms, limit < 200 ms (GET /tools)"),
        ("errors < 0.1%", 0.10004, "errors 0.1 %, limit < 0.1 % (all samples)"),
        ("errors <= 0.1%", 0.100004, "errors 0.100004 %, limit <= 0.1 % (all samples)"),
        ("rate >= 95%", 94.99999, "rate 94.99999 %, limit >= 95 % (all samples)"),
        ("rate >= 900", 812.3456, "rate 812.3/s, limit >= 900/s (all samples)"),
        ("p99 < 12345", 12346, "p99 12346 ms, limit < 12345 ms (all samples)"),
        ("p50 > 0", 0, "p50 0 ms, limit > 0 ms (all samples)"),
        ("mean < 20000", 23456.7, "mean 23457 ms, limit < 20000 ms (all samples)"),
    ],
)
def test_one_line_tells_on_which_side_of_the_limit_the_value_is(text: str, value: float, line: str) -> None:
    missed = JudgedObjective(objective=Objective.parse(text), value=value, outcome="missed")
    assert one_line(missed) == line


def test_one_line_of_what_was_not_judged(tmp_path: Path) -> None:
    judged = _judge(_digest(tmp_path, 10), "B: p95 < 200ms")
    assert one_line(judged) == "p95 not judged, limit < 200 ms (B): no samples of 'B' in the window"
