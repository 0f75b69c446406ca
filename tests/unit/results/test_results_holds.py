"""Is a constant rate held, and if not, whose limit was it?"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulated_gateway import recorded

from pacemark.results.holds import Hold, first_breach, holds, windows
from pacemark.results.record import Window
from pacemark.workloads.load import Load, Stage

SHAPE = (
    Stage(name="climb", seconds=4, from_per_s=0, to_per_s=50, threads=20),
    Stage(name="low", seconds=10, from_per_s=50, to_per_s=50, threads=20),
    Stage(name="climb to high", seconds=4, from_per_s=50, to_per_s=100, threads=20),
    Stage(name="high", seconds=10, from_per_s=100, to_per_s=100, threads=20),
    Stage(name="down", seconds=12, from_per_s=50, to_per_s=50, threads=20),
)
LOAD = Load(threads=20, ramp_up_s=4, duration_s=40, rate_per_s=100, shape=SHAPE)


def found(tmp_path: Path, cpu_share: float | None = 0.3, **how: Any) -> dict[str, Hold]:
    digest = recorded(tmp_path / "samples.jtl", LOAD, **how)
    return {hold.name: hold for hold in holds(LOAD, digest, lambda _: cpu_share)}


def test_holds_are_the_stages_of_constant_rate_without_their_climbs(tmp_path: Path) -> None:
    every = found(tmp_path)
    assert {name: hold.window for name, hold in every.items()} == {
        "low": Window(from_s=4, to_s=14),
        "high": Window(from_s=18, to_s=28),
        "down": Window(from_s=28, to_s=40),
    }
    assert [hold.outcome for hold in every.values()] == ["held"] * 3
    assert every["high"].achieved_per_s == pytest.approx(100, rel=0.02)
    assert every["high"].response.p95 == 20
    assert every["high"].error_percent == 0


def test_a_gateway_that_serves_fewer_than_are_asked_breaks(tmp_path: Path) -> None:
    every = found(tmp_path, limit_per_s=70)
    high = every["high"]
    assert every["low"].outcome == "held"
    assert high.outcome == "broke"
    assert {breach.kind for breach in high.breaches} == {"P95", "rate"}
    assert "MCP tools/call" in high.why or "GET /tools" in high.why
    assert high.achieved_per_s == pytest.approx(70, rel=0.05)


def overloaded(at_s: float, in_flight: int) -> bool:
    return 20 <= at_s < 28


def test_a_gateway_that_answers_with_errors_breaks_by_their_kind(tmp_path: Path) -> None:
    high = found(tmp_path, fails=overloaded)["high"]
    assert high.outcome == "broke"
    assert [breach.kind for breach in high.breaches] == ["errors"]
    assert high.why == "80 % errors: HTTP 503 (800)"


def test_a_rate_missed_with_idle_threads_is_the_generators(tmp_path: Path) -> None:
    high = found(tmp_path, stalls=(20, 26))["high"]
    assert high.outcome == "generator"
    assert "of its threads were idle" in high.why


def test_threads_that_wait_since_the_climb_are_no_idle_threads(tmp_path: Path) -> None:
    """Every thread was stuck before the hold began, and nothing was sent in it."""
    digest = recorded(tmp_path / "samples.jtl", LOAD, limit_per_s=0.5)
    high = next(hold for hold in holds(LOAD, digest, lambda _: None) if hold.name == "high")
    assert high.achieved_per_s < 5
    assert high.outcome == "broke"


def test_a_hold_not_held_by_a_jmeter_without_processor_time_says_nothing(tmp_path: Path) -> None:
    every = found(tmp_path, cpu_share=0.97, limit_per_s=70)
    assert every["low"].outcome == "held"
    assert every["high"].outcome == "generator"
    assert "97%" in every["high"].why


def test_a_hold_of_few_requests_is_not_judged_however_bad(tmp_path: Path) -> None:
    short = LOAD.model_copy(update={"duration_s": 10, "rate_per_s": 20.0})
    digest = recorded(tmp_path / "samples.jtl", short, fails=lambda at_s, in_flight: True)
    assert {hold.outcome for hold in holds(short, digest, lambda _: None)} == {"too few"}


def test_edges_inside_a_slice_belong_to_no_hold(tmp_path: Path) -> None:
    odd = LOAD.model_copy(update={"duration_s": 42})
    digest = recorded(tmp_path / "samples.jtl", odd)
    low = holds(odd, digest, lambda _: None)[0]
    assert low.window == Window(from_s=5, to_s=14)  # of 4.2 to 14.7 s


@pytest.mark.parametrize(
    ("how", "kinds", "at_s"),
    [({"limit_per_s": 70}, {"rate", "P95"}, (14, 28)), ({"fails": overloaded}, {"errors"}, (14, 25))],
)
def test_what_broke_first_has_its_time(
    tmp_path: Path,
    how: dict[str, float | Callable[[float, int], bool]],
    kinds: set[str],
    at_s: tuple[float, float],
) -> None:
    digest = recorded(tmp_path / "samples.jtl", LOAD, **how)  # type: ignore[arg-type]
    low, high, _ = holds(LOAD, digest, lambda _: None)
    seen_s, first = first_breach(high, LOAD, digest, low.window.to_s)
    assert {breach.kind for breach in first} <= kinds
    assert first
    assert at_s[0] <= seen_s < at_s[1]


def test_windows_are_as_wide_as_their_samples_need(tmp_path: Path) -> None:
    slow = LOAD.model_copy(update={"rate_per_s": 20.0})
    digest = recorded(tmp_path / "samples.jtl", slow)
    # 10 a second: a hundred take 10 s, the last window takes what is left.
    assert [(one.window.from_s, one.window.to_s) for one in windows(digest, 4, 14)] == [(4, 14)]
    assert [(one.window.from_s, one.window.to_s) for one in windows(digest, 28, 40)] == [(28, 40)]
    fast = recorded(tmp_path / "fast.jtl", LOAD)
    edges = [one.window.from_s for one in windows(fast, 28, 40)]
    assert edges == [28, 33]
