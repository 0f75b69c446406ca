"""Objectives on any PromQL expression."""

from pathlib import Path

import polars as pl
import pytest

from pacemark.errors import InputError
from pacemark.results.digest import Digest
from pacemark.results.judge import judge, one_line
from pacemark.results.record import Window
from pacemark.telemetry.objectives import own_figures
from pacemark.telemetry.prometheus import duration_s
from pacemark.telemetry.recorder import SCHEMA, Telemetry
from pacemark.workloads.objective import Objective

START_MS = 1_700_000_000_000
WINDOW = Window(from_s=10, to_s=20)
EXPRESSION = 'max by (state) (a{b="<"}) > bool 2'


def telemetry(*rows: tuple[float, str, float | None]) -> Telemetry:
    values = [(at_s, EXPRESSION, series, value) for at_s, series, value in rows]
    return Telemetry(5, pl.DataFrame(values, schema=SCHEMA, orient="row"), {"none": "no such series"})


@pytest.mark.parametrize(
    ("text", "expression", "comparison", "limit", "unit"),
    [
        ("promql gateway_cpu < 80%", "gateway_cpu", "<", 80, "%"),
        (f"promql {EXPRESSION} >= 0.5", EXPRESSION, ">=", 0.5, ""),
        ("promql a / b <= 12 MB", "a / b", "<=", 12, "MB"),
    ],
)
def test_what_is_asked_may_hold_comparisons_itself(
    text: str, expression: str, comparison: str, limit: float, unit: str
) -> None:
    objective = Objective.parse(text)
    assert (objective.promql, objective.comparison, objective.limit, objective.unit) == (
        expression,
        comparison,
        limit,
        unit,
    )
    assert Objective.parse(str(objective)) == objective


@pytest.mark.parametrize("text", ["promql < 80", "promql up", "promql up < many"])
def test_what_is_none_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InputError) as refused:
        Objective.parse(text)
    assert "promql EXPRESSION <|<=|>|>= LIMIT" in refused.value.hint


def judged(folder: Path, text: str, seen: Telemetry | None) -> tuple[str, str]:
    (folder / "samples.jtl").write_text(f"timeStamp,elapsed,label,success\n{START_MS},5,GET /tools,true\n")
    objective = Objective.parse(text)
    own = own_figures([objective], seen, WINDOW)
    digest = Digest.of(folder / "samples.jtl")
    (found,) = judge([objective], digest, window=WINDOW, due=None, promql=own)
    return found.outcome, one_line(found)


def test_the_worst_of_all_series_in_the_window_counts(tmp_path: Path) -> None:
    seen = telemetry((5, "a", 99), (10, "a", 3), (15, "b", 7), (20, "b", 99))
    below, above = f"promql {EXPRESSION} < 7%", f"promql {EXPRESSION} >= 3"
    assert judged(tmp_path, below, seen) == (
        "missed",
        f"promql 7 %, limit < 7 % ({EXPRESSION}): b, worst at 15 s",
    )
    assert judged(tmp_path, above, seen) == ("met", f"promql 3, limit >= 3 ({EXPRESSION}): a, worst at 10 s")


def test_a_limit_from_above_and_one_from_below_are_judged_by_the_highest_and_the_lowest(
    tmp_path: Path,
) -> None:
    (tmp_path / "samples.jtl").write_text(f"timeStamp,elapsed,label,success\n{START_MS},5,GET /tools,true\n")
    both = [Objective.parse(f"promql {EXPRESSION} {limit}") for limit in ("< 8", "> 4", "<= 7", ">= 3")]
    own = own_figures(both, telemetry((10, "", 3), (15, "", 7)), WINDOW)
    found = judge(both, Digest.of(tmp_path / "samples.jtl"), window=WINDOW, due=None, promql=own)
    assert [(one.value, one.outcome) for one in found] == [(7, "met"), (3, "missed"), (7, "met"), (3, "met")]


def test_no_value_is_no_pass(tmp_path: Path) -> None:
    for seen, why in (
        (None, "no Prometheus: set PROMETHEUS_URL"),
        (telemetry((5, "a", 1)), "no value in the measured window"),
        (telemetry((15, "a", None)), "no value in the measured window"),
    ):
        outcome, line = judged(tmp_path, f"promql {EXPRESSION} < 7", seen)
        assert outcome == "not judged"
        assert line.endswith(why)
    assert judged(tmp_path, "promql none < 7", telemetry())[1].endswith("Prometheus: no such series")


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("1m", 60), ("1m30s", 90), ("500ms", 0.5), ("?", 15)]
)
def test_scrape_intervals_as_prometheus_writes_them(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds
