import pytest

from pacemark.report import numerals
from pacemark.results.record import JudgedObjective
from pacemark.workloads.objective import Objective


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "<1"), (0.46, "<1"), (1, "1"), (12.34, "12.3"), (99.96, "100.0"), (1234, "1,234")],
)
def test_milliseconds(value: float | None, shown: str) -> None:
    assert numerals.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (1, "100"),
        (0.000001, "<0.001"),
        (0.00034, "0.034"),
        (0.123, "12.3"),
        (0.99999, ">99.9"),
    ],
)
def test_percent_is_never_a_false_nought_or_hundred(share: float | None, shown: str) -> None:
    assert numerals.percent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.4, "0.4 s"), (15, "15 s"), (59.99, "60 s"), (90, "1 min 30 s"), (3600, "1 h"), (86400, "24 h")],
)
def test_duration(seconds: float, shown: str) -> None:
    assert numerals.duration(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (67.9, "1:07"), (3723, "1:02:03")])
def test_clock(seconds: float, shown: str) -> None:
    assert numerals.clock(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(831, "831 B"), (12_340_000, "12.3 MB"), (1_000_000_000, "1 GB"), (0, "0 B")]
)
def test_size(count: int, shown: str) -> None:
    assert numerals.size(count) == shown


@pytest.mark.parametrize(
    ("rule", "value", "shown"),
    [
        ("errors < 0.1%", 0.09996, "0.09996 %"),
        ("errors < 0.1%", 0.1234, "0.123 %"),
        ("rate >= 950/s", 949.97, "949.97 /s"),
        ("rate >= 950/s", 1000.0, "1,000 /s"),
        ("p95 < 200ms", 0, "<1 ms"),
        ("p95 < 200ms", 199, "199 ms"),
        ("p95 < 200ms", 12345, "12,345 ms"),
    ],
)
def test_a_shown_value_never_contradicts_its_outcome(rule: str, value: float, shown: str) -> None:
    objective = Objective.parse(rule)
    outcome = "met" if objective.allows(value) else "missed"
    judged = JudgedObjective.model_validate({"objective": objective, "value": value, "outcome": outcome})
    assert numerals.judged_value(judged) == shown


def test_a_limit_is_written_as_it_was_asked_for() -> None:
    assert numerals.limit(Objective.parse("rate >= 95%")) == "≥ 95 %"
    assert numerals.limit(Objective.parse("p95 < 1.5s")) == "< 1,500 ms"
