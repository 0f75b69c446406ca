"""The CSV files that a plan reads: what to call, and with what."""

import csv
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pacemark.workloads.fixtures import EMBEDDED, Fixtures
from pacemark.workloads.model import Feed

TIMEZONES = (
    "UTC", "America/New_York", "America/Los_Angeles", "America/Sao_Paulo", "Europe/London",
    "Europe/Berlin", "Africa/Lagos", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip

TEST_MESSAGES = (
    "ping",
    "The quick brown fox jumps over the lazy dog",
    "comma, semicolon; colon: and a 'single quote'",
    "Grüße aus Köln, こんにちは, שלום",
    "0123456789 " * 20 + "end",
)


def rows(feed: Feed, fixtures: Fixtures) -> list[list[str]]:
    """A data file's rows, the first of them naming the plan's variables."""
    match feed:
        case "timezones":
            return [["timezone"], *([zone] for zone in TIMEZONES)]
        case "test_messages":
            return [["message"], *([message] for message in TEST_MESSAGES)]
        case "tool_names":
            calls = ([tool.name, _compact(tool.arguments)] for tool in fixtures.tools)
            return [["tool_name", "tool_arguments"], *calls]
        case "resource_uris":
            return [["resource_uri"], *([uri] for uri in fixtures.resources)]


def write_data(folder: Path, feeds: Iterable[Feed], fixtures: Fixtures = EMBEDDED) -> None:
    """Write ``<feed>.csv`` for each feed into ``folder``, which is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for feed in feeds:
        with (folder / f"{feed}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows(feed, fixtures))


def fingerprint(feeds: Iterable[Feed], fixtures: Fixtures) -> str:
    """Equal where ``write_data`` writes the same."""
    written = json.dumps({feed: rows(feed, fixtures) for feed in feeds}, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _compact(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, separators=(",", ":"))
