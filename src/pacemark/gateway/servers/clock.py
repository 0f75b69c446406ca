"""Time in any zone: the answers that both servers give, over MCP and over REST."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

CITIES = {
    "New York": "America/New_York",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
    "Mumbai": "Asia/Kolkata",
    "Tokyo": "Asia/Tokyo",
    "Sydney": "Australia/Sydney",
}


def zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name; an empty name is UTC.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown timezone: {name}") from None


def now_in(name: str) -> datetime:
    """This instant in a zone, to the second."""
    return datetime.now(UTC).astimezone(zone(name)).replace(microsecond=0)


def convert(time: str, source_timezone: str, target_timezone: str) -> datetime:
    """An ISO 8601 time in another zone. One without an offset is read as a time of the source zone.

    Raises:
        ValueError: the time or a zone cannot be read.
    """
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        raise ValueError(f"not an ISO 8601 time: {time}") from None
    source = zone(source_timezone)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=source)
    return moment.astimezone(zone(target_timezone))


def described(name: str) -> dict[str, str | int]:
    """This instant in a zone, as the REST endpoints answer it; ``unix`` is in seconds."""
    moment = now_in(name)
    return {
        "time": moment.isoformat(),
        "timezone": name or "UTC",
        "unix": int(moment.timestamp()),
        "utc": moment.astimezone(UTC).isoformat(),
    }
