"""A line of a log, as the services of a gateway's stack write them, without what is secret."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pacemark.gateway.token import redact

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
MOST_CHARACTERS = 4_000
"""Of a message that is kept."""

_LEVELS: dict[str, Level] = {
    **dict.fromkeys(("DEBUG", "TRACE", "DEBUG1", "DEBUG2"), "DEBUG"),
    **dict.fromkeys(("INFO", "LOG", "NOTICE", "STATEMENT", "DETAIL", "HINT"), "INFO"),
    **dict.fromkeys(("WARNING", "WARN"), "WARNING"),
    **dict.fromkeys(("ERROR", "ERR"), "ERROR"),
    **dict.fromkeys(("CRITICAL", "FATAL", "PANIC", "EMERG", "ALERT", "CRIT"), "CRITICAL"),
}
WORSE: frozenset[Level] = frozenset({"CRITICAL", "ERROR", "WARNING"})
_REDIS: dict[str, Level] = {".": "DEBUG", "-": "DEBUG", "*": "INFO", "#": "WARNING"}

_NAMES = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token(?!s)|(?:api|access|private)[_-]?key|authorization|cookie)"
)
_SECRETS = re.compile(
    rf"""(?ix)
    (?P<name>
        (?:bearer|basic)\s+ (?=[\w.+/=~-]*\d | [\w.+/=~-]{{20}})   # and not: a bearer token
        | {_NAMES} [\w-]{{0,20}} (?:\\?['"])? \s*[:=]\s* (?:(?:bearer|basic)\s+)?
        | password\s+ (?=')                                        # SQL
    )
    (?P<quote>\\?['"])?
    (?(quote) [^\n]*? (?:(?P=quote) | $ | (?=\n)) | [^\s'",;&}}\\]+)
    """
)
"""What is called a secret, to the end of its quotes or of the word."""
_IN_URL = re.compile(r"(\w+://[^\s:/@]*:)[^\s/]+@")
_STEERING = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal or a page would obey, or could not show: escape sequences, control characters, changes of
the writing's direction, halves of characters."""

_DATE = r"(?P<date>\d{4}[-/]\d\d[-/]\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:[.,](?P<part>\d{1,9}))?\d*"
_ZONE = r"\s?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?"
_STAMP = rf"(?:ts=|time=)?\"?{_DATE}{_ZONE}\"?\s*"
_TEXT = re.compile(rf"^{_STAMP}(?P<rest>.*)$", re.DOTALL)
_REDIS_LINE = re.compile(
    r"^\d+:[A-Z] (?P<when>\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}) (?P<mark>[.\-*#]) (?P<rest>.*)$",
    re.DOTALL,
)
_BEFORE_LEVEL = r"(?:\[[^\]]*\]\s*|\S*\s-\s[\w.]+\s-\s|-\s[\w.]+\s-\s|caller=\S+\s)?\W*(?:level=|lvl=)?"
_LEVEL = re.compile(rf"^{_BEFORE_LEVEL}(?P<level>{'|'.join(_LEVELS)})\b", re.IGNORECASE)

_LEVEL_WITHIN = 200
_SLOW = re.compile(r"\bLOG:\s+(?:duration: [\d.]+ ms|process \d+ still waiting for )")
"""PostgreSQL's words for a statement that took long (``log_min_duration_statement``), or waits for a lock
(``log_lock_waits``): to it they are no warnings, to who looks for what was slow they are."""

_WORSE_WORDS = "|".join(word for word, level in _LEVELS.items() if level in WORSE)
WORSE_LINE = "|".join(
    (
        rf"(?i)^(?:{_STAMP})?{_BEFORE_LEVEL}(?:{_WORSE_WORDS})\b",
        rf"\"level(?:name)?\"\s*:\s*\"(?:{_WORSE_WORDS})\"",
        r"\"status\"\s*:\s*\"?[4-9]\d\d",  # nginx's
        r"^\d+:[A-Z] \d{1,2} [A-Z]{3} \d{4} [\d:.]+ # ",  # Redis's
        _SLOW.pattern,
    )
)
"""What each line has that is read as a warning or worse, as some others have: a regular expression for Loki,
whose RE2 knows no lookaround."""
WORSE_LABEL = rf"(?i)\W*(?:{_WORSE_WORDS})\b.*"
"""A label that says so, whole."""


@dataclass(frozen=True)
class LogLine:
    """One line, or several that are one message. ``at`` in epoch seconds."""

    at: float
    service: str
    level: Level
    message: str
    trace_id: str = ""
    """What was sent as X-Correlation-ID, where the line tells it."""

    def as_json(self) -> str:
        """A line of ``logs.jsonl``."""
        return json.dumps(asdict(self), ensure_ascii=False)


def parse(text: str, service: str) -> LogLine | None:
    """Read a line; None where it has no time of its own, and so belongs to the line before it."""
    try:
        line = _parsed(text.rstrip("\r\n"), service)
    except (ValueError, OverflowError, RecursionError):
        return None  # what looks like a time, a number or JSON need not be one
    return line if line and math.isfinite(line.at) else None


def _parsed(text: str, service: str) -> LogLine | None:
    if text.startswith("{"):
        return _of_json(text, service)
    if match := _REDIS_LINE.match(text):
        at = datetime.strptime(match["when"], "%d %b %Y %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
        return LogLine(at, service, _REDIS[match["mark"]], cleaned(match["rest"]))
    if match := _TEXT.match(text):
        at = _instant(f"{match['date'].replace('/', '-')}T{match['time']}", match["part"], match["zone"])
        rest = match["rest"].strip()
        return LogLine(at, service, level_of(rest), cleaned(rest))
    return None


def gathered(lines: Iterable[str], service: str) -> Iterator[LogLine]:
    """The lines of one log, those without a time joined to the one before; without any they are dropped."""
    held: LogLine | None = None
    more: list[str] = []
    for text in lines:
        if (line := parse(text, service)) is None:
            if sum(map(len, more)) < MOST_CHARACTERS:
                more.append(cleaned(text.rstrip("\r\n")))
            continue
        if held:
            yield _joined(held, more)
        held, more = line, []
    if held:
        yield _joined(held, more)


def level_of(text: str) -> Level:
    """The level that a message begins with; INFO where it names none; WARNING of slow statements."""
    if _SLOW.search(text, 0, _LEVEL_WITHIN):
        return "WARNING"
    match = _LEVEL.match(text)
    return _LEVELS[match["level"].upper()] if match else "INFO"


def cleaned(text: str) -> str:
    """Without secrets, control characters and what is too long."""
    is_long = len(text) > MOST_CHARACTERS
    text = _STEERING.sub(" ", text[: MOST_CHARACTERS + 1000])  # a secret that is cut off is one too
    text = _IN_URL.sub(r"\1***@", _SECRETS.sub(_hidden, redact(text, ())))
    return f"{text[:MOST_CHARACTERS]} ..." if is_long else text


def _hidden(match: re.Match[str]) -> str:
    quote = match["quote"] or ""
    return f"{match['name']}{quote}***{quote}"


def _joined(line: LogLine, more: list[str]) -> LogLine:
    if not more:
        return line
    return LogLine(
        line.at, line.service, line.level, cleaned("\n".join([line.message, *more])), line.trace_id
    )


def _of_json(text: str, service: str) -> LogLine | None:
    given = json.loads(text)
    if not isinstance(given, dict):
        return None
    if "upstream_status" in given:
        return _of_nginx(given, service)
    when = given.get("@timestamp") or given.get("timestamp") or given.get("asctime") or given.get("time")
    match = _TEXT.match(str(when))
    if match is None:
        return None
    at = _instant(f"{match['date'].replace('/', '-')}T{match['time']}", match["part"], match["zone"])
    level = _LEVELS.get(str(given.get("levelname") or given.get("level") or "INFO").upper(), "INFO")
    message = str(given.get("message") or given.get("msg") or "")
    if failure := given.get("exc_info") or given.get("exception") or given.get("error"):
        message = f"{message}\n{failure}"
    if isinstance(duration := given.get("duration_ms"), int | float):
        message += f" ({duration:.0f} ms)"
    trace = str(given.get("correlation_id") or given.get("request_id") or "")
    return LogLine(at, service, level, cleaned(message), cleaned(trace))


def _of_nginx(given: dict[str, Any], service: str) -> LogLine | None:
    """A request, as the native stack's nginx logs it."""
    try:
        status, at = int(given["status"]), float(given["msec"])
        seconds = float(given["seconds"])
    except (KeyError, TypeError):
        return None
    level: Level = "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO"
    asked, upstream = f"{given.get('method')} {given.get('path')}", given.get("upstream")
    message = f"{asked} {status} in {1000 * seconds:.0f} ms by {upstream}"
    return LogLine(at, service, level, cleaned(message), cleaned(str(given.get("correlation_id") or "")))


def _instant(text: str, part: str | None, zone: str | None) -> float:
    """Epoch seconds; without a zone it is UTC, as all of ours are."""
    offset = {None: "+00:00", "Z": "+00:00", "UTC": "+00:00", "GMT": "+00:00"}.get(zone, zone)
    return datetime.fromisoformat(f"{text}{offset}").timestamp() + (float(f"0.{part}") if part else 0.0)
