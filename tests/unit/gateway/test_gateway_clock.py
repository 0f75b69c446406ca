import pytest

from pacemark.gateway.servers import clock


def test_a_time_without_an_offset_is_one_of_the_source_zone() -> None:
    converted = clock.convert("2026-01-30T10:00:00", "Europe/Berlin", "Asia/Tokyo")
    assert converted.isoformat() == "2026-01-30T18:00:00+09:00"


def test_an_offset_wins_over_the_source_zone() -> None:
    converted = clock.convert("2026-07-01T10:00:00Z", "Asia/Tokyo", "America/New_York")
    assert converted.isoformat() == "2026-07-01T06:00:00-04:00"


@pytest.mark.parametrize("name", ["No/pe", "../etc/passwd", "/etc/localtime", "a\0b"])
def test_an_unknown_zone_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="unknown timezone"):
        clock.zone(name)


def test_a_time_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 time: noon"):
        clock.convert("noon", "UTC", "UTC")


def test_described_agrees_with_itself() -> None:
    answer = clock.described("Asia/Kolkata")
    assert str(answer["time"]).endswith("+05:30")
    assert str(answer["utc"]).endswith("+00:00")
