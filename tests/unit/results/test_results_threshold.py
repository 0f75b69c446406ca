"""The grammar of thresholds."""

import pytest

from pacemark.errors import InputError
from pacemark.results.threshold import Threshold, parse_share


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


def test_noise_is_told_as_a_share() -> None:
    assert parse_share(" 12.5% ") == 0.125
    for text in ("12", "0%", "-1%", "1000%", "x"):
        with pytest.raises(InputError, match="cannot read the noise"):
            parse_share(text)
