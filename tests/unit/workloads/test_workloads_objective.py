import pytest

from pacemark.errors import InputError
from pacemark.workloads.objective import Objective


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p95 < 200ms", "response p95 < 200 ms"),
        ("response p95<200", "response p95 < 200 ms"),
        ("elapsed p99.9 <= 1s", None),
        ("elapsed p999 <= 1.5s", "elapsed p999 <= 1500 ms"),
        ("errors < 0.1%", "errors < 0.1%"),
        ("errors<0.1", "errors < 0.1%"),
        ("rate >= 95%", "rate >= 95%"),
        ("rate >= 950", "rate >= 950/s"),
        ("GET /tools: p95 < 100ms", "GET /tools: response p95 < 100 ms"),
        ("MCP tools/call: errors <= 1%", "MCP tools/call: errors <= 1%"),
        ("errors < 5ms", None),
        ("rate >= 3ms", None),
        ("p95 < 5%", None),
        ("p95 = 200ms", None),
        ("p95 < fast", None),
        ("", None),
    ],
)
def test_an_objective_is_read_or_refused(text: str, said: str | None) -> None:
    if said is None:
        with pytest.raises(InputError) as refused:
            Objective.parse(text)
        assert text in refused.value.message
        assert refused.value.hint
    else:
        assert str(Objective.parse(text)) == said
        assert Objective.parse(said) == Objective.parse(text)


@pytest.mark.parametrize(
    ("text", "value", "kept"),
    [
        ("p95 < 200", 199.9, True),
        ("p95 < 200", 200, False),
        ("p95 <= 200", 200, True),
        ("rate >= 95%", 95, True),
        ("rate > 95%", 95, False),
        ("errors < 0.1", 0.1, False),
    ],
)
def test_a_limit_is_kept_or_not(text: str, value: float, kept: bool) -> None:
    assert Objective.parse(text).allows(value) is kept
