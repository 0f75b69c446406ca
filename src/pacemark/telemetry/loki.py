"""Loki's HTTP API (https://grafana.com/docs/loki/latest/reference/loki-http-api/), directly or by Grafana."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Self

import httpx

from pacemark.errors import PacemarkError
from pacemark.gateway.client import json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.telemetry.client import client_of
from pacemark.telemetry.grafana import authorization
from pacemark.telemetry.log_lines import LogLine, cleaned, level_of, parse

PAGE = 5_000
"""Lines in one answer; more is refused unless Loki's ``max_entries_limit_per_query`` says otherwise."""
MOST_LINES = 1_000_000
"""Of one run, at some 20,000 a second; a day's soak has more. How many more is asked, and told."""
_TIMEOUT_S = 30.0
_TRIES = 4
_WAIT_S = 1.0
"""Before the second try; twice as long before each further one, or as long as Loki itself says."""
_LONGEST_WAIT_S = 30.0
_TRY_AGAIN = (429, 500, 502, 503)
_TOO_MUCH = re.compile(
    "time range exceeds|too many bytes|too large|number of chunks|deadline exceeded|timed? ?out",
    re.IGNORECASE,
)
"""In what Loki says of a range that it would answer if it were shorter."""
_SHORTER, _SHORTEST_NS = 8, 1_000_000_000
"""A range that is too much is asked for in eighths, down to a second."""
_MOST_SPLITS = 200
"""Of the lines of one instant, by what they contain."""
_LOOKED_AT = 200
"""Lines, and characters of each, among which what splits them is looked for."""
_LEVELS = ("level", "detected_level", "severity")
_TRACES = ("correlation_id", "trace_id", "traceID")
_SERVICES = ("service_name", "service", "compose_service", "container", "container_name", "app", "job")
"""Labels by which agents name what a stream is of, the most telling first."""


class LokiError(PacemarkError):
    """It could not be asked, or did not answer as it should."""


class _TooMuchError(LokiError):
    """It would answer if less were asked for: fewer lines, where it says how many, or of a shorter time."""

    def __init__(self, message: str, most: int | None = None) -> None:
        super().__init__(message, "see Loki")
        self.most = most


class NotAllError(LokiError):
    """Lines were read up to ``read_to`` (epoch seconds), and not to their end."""

    def __init__(self, error: LokiError, read_to: float) -> None:
        super().__init__(error.message, error.hint)
        self.read_to = read_to


class _Entry(NamedTuple):
    at_ns: int
    labels: tuple[tuple[str, str], ...]
    text: str


class Loki:
    """Asks one Loki. ``url`` is Loki's own, or a Grafana's data source proxy; ``token`` a bearer's.

    Raises:
        InputError: the URL is none.
    """

    def __init__(self, url: str, token: str = "", connection: Connection = DIRECT) -> None:
        headers = authorization(token)
        self.url, self._http = client_of("LOKI_URL", url, headers, connection, _TIMEOUT_S)

    @classmethod
    def by_grafana(cls, url: str, token: str = "", connection: Connection = DIRECT) -> Self:
        """The Loki that is a data source of a Grafana, through its proxy.

        Raises:
            LokiError: Grafana does not answer, or has no such data source.
        """
        with cls(url, token, connection) as grafana:
            uid = grafana._data_source()
            return cls(f"{grafana.url}/api/datasources/proxy/uid/{uid}", token, connection)

    def _data_source(self) -> str:
        """Which one may be listed by an administrator only: else it is what ours is called."""
        try:
            sources = self._asked("/api/datasources", {})
        except LokiError as error:
            if "HTTP 403" in error.message:
                return "loki"
            raise
        found = [one for one in sources if isinstance(one, dict) and one.get("type") == "loki"]
        if not found:
            raise LokiError(f"{self.url} has no data source of type loki", "add it, or set LOKI_URL")
        return str(found[0]["uid"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def labels(self, since: float) -> list[str]:
        """The names of the labels of what it has received from ``since`` (epoch seconds) on.

        Raises:
            LokiError: no answer came.
        """
        data = self._asked("/loki/api/v1/labels", {"start": str(round(since * 1e9))}).get("data")
        return [str(name) for name in data] if isinstance(data, list) else []

    def lines(self, query: str, start: float, end: float) -> Iterator[LogLine]:
        """What matches ``query`` from ``start`` to ``end`` (epoch seconds), in the order of time, each once.

        Raises:
            NotAllError: an answer did not come, after several tries, or there are more than ``MOST_LINES``;
                what was told until then is right.
        """
        entries, read_to = self._entries(query, round(start * 1e9), round(end * 1e9)), start
        try:
            for count, entry in enumerate(entries):
                if count == MOST_LINES:
                    rest = self._count(query, entry.at_ns, round(end * 1e9))
                    raise LokiError(
                        f"{MOST_LINES:,} lines were read, up to {entry.at_ns / 1e9 - start:.0f} s, and "
                        f"{'more' if rest is None else f'{rest:,}'} were not",
                        "let loki_query select fewer",
                    )
                read_to = entry.at_ns / 1e9
                yield _line(entry)
        except LokiError as error:
            raise NotAllError(error, read_to) from None

    def _entries(self, query: str, at_ns: int, end_ns: int) -> Iterator[_Entry]:
        """Page by page, of as long a time as Loki takes.

        Where a page is full, some of its last instant's lines may be missing, and which ones need not be the
        same the next time: so that instant is left to the next page.
        """
        limit, whole_ns = PAGE, end_ns - at_ns
        span_ns = whole_ns
        while at_ns < end_ns:
            until_ns = min(end_ns, at_ns + span_ns)
            try:
                page, is_full = self._page(query, at_ns, until_ns, limit)
            except _TooMuchError as refused:
                if refused.most is not None and 0 < refused.most < limit:
                    limit = refused.most
                elif until_ns - at_ns > _SHORTEST_NS:
                    span_ns = max(_SHORTEST_NS, (until_ns - at_ns) // _SHORTER)
                else:
                    raise
                continue
            span_ns = min(whole_ns, 2 * span_ns)
            if not is_full:
                yield from page
                at_ns = until_ns
                continue
            last_ns = page[-1].at_ns
            before = [entry for entry in page if entry.at_ns < last_ns]
            yield from before
            at_ns = last_ns
            if not before:
                yield from self._instant(query, at_ns, limit)
                at_ns += 1

    def _instant(self, query: str, at_ns: int, limit: int) -> Iterator[_Entry]:
        """All lines of an instant that has a page of them or more: in longer pages as far as Loki gives them,
        and then in parts, by what they contain.

        Agents that take the time from a line may know it to the second only.
        """
        parts, is_most = [query], False
        for _ in range(_MOST_SPLITS):
            part = parts.pop()
            try:
                page, is_full = self._page(part, at_ns, at_ns + 1, limit)
            except _TooMuchError as refused:
                if refused.most is None or is_most:
                    raise
                limit, is_most = refused.most, True
                parts.append(part)
                continue
            if not is_full:
                yield from page
            elif not is_most:
                limit *= 2
                parts.append(part)
            elif (text := _dividing([entry.text for entry in page])) is not None:
                quoted = json.dumps(text, ensure_ascii=False)
                parts += [f"{part} |= {quoted}", f"{part} != {quoted}"]
            else:
                break
            if not parts:
                return
        at = f"{at_ns // 10**9}.{at_ns % 10**9:09}"
        remedy = "raise Loki's max_entries_limit_per_query"
        raise LokiError(f"more than {limit:,} lines are of the one instant {at}", remedy)

    def _count(self, query: str, start_ns: int, end_ns: int) -> int | None:
        """How many lines there are, about; None where Loki does not tell."""
        given = {"query": f"sum(count_over_time({query}[{end_ns - start_ns}ns]))", "time": str(end_ns)}
        with suppress(LokiError, KeyError, IndexError, TypeError, ValueError):
            return int(self._asked("/loki/api/v1/query", given)["data"]["result"][0]["value"][1])
        return None

    def _page(self, query: str, start_ns: int, end_ns: int, limit: int) -> tuple[list[_Entry], bool]:
        """The oldest lines in the order of time, and whether there may be more."""
        given = {"query": query, "start": str(start_ns), "end": str(end_ns), "limit": str(limit)}
        data = self._asked("/loki/api/v1/query_range", given | {"direction": "forward"}).get("data")
        if not isinstance(data, dict) or data.get("resultType") != "streams":
            raise LokiError(f"{self.url} answered no log lines", "the query must select streams: {job=...}")
        entries = [
            _Entry(int(value[0]), tuple(sorted(stream.get("stream", {}).items())), str(value[1]))
            for stream in data.get("result", [])
            for value in stream.get("values", [])
        ]
        # It happens that lines from before the start come too.
        inside = [entry for entry in entries if start_ns <= entry.at_ns < end_ns]
        is_full = len(entries) >= limit
        if is_full and not inside:
            raise LokiError(f"{self.url} answers with lines from outside of the time asked for", "see Loki")
        return sorted(inside, key=lambda entry: entry.at_ns), is_full

    def _asked(self, path: str, given: dict[str, str]) -> Any:
        why, wait_s = "", _WAIT_S
        for n in range(_TRIES):
            if n:
                time.sleep(min(wait_s, _LONGEST_WAIT_S))
                wait_s = 2 * wait_s
            try:
                response = self._http.get(path, params=given)
            except httpx.TimeoutException:
                raise _TooMuchError(f"{self.url}{path}: no answer within {_TIMEOUT_S:g} s") from None
            except httpx.HTTPError as error:
                why = str(error)
                continue
            answer = json_of(response)
            if response.status_code == 200 and answer is not None:
                return answer
            why = f"HTTP {response.status_code}: {_said(response)}"
            _check_too_much(response.status_code, f"{self.url}{path}: {why}")
            if response.status_code not in _TRY_AGAIN:
                break
            with suppress(KeyError, ValueError):
                wait_s = max(wait_s, float(response.headers["Retry-After"]))
        raise LokiError(f"{self.url}{path}: {why}", _remedy(why))


def _remedy(why: str) -> str:
    if why.startswith(("HTTP 401", "HTTP 403")):
        return "give LOKI_TOKEN, or GRAFANA_TOKEN for Grafana's, the right to read"
    if why.startswith("HTTP 404"):
        return "LOKI_URL must be Loki's own base URL, GRAFANA_URL Grafana's"
    return "see Loki"


def _said(response: httpx.Response) -> str:
    """Errors come as plain text, from newer ones and from Grafana as JSON with a message."""
    answer = json_of(response)
    told = answer.get("message") or answer.get("error") if isinstance(answer, dict) else None
    return cleaned(str(told or response.text).strip())[:200]


def _check_too_much(status: int, why: str) -> None:
    if status == 400 and (found := re.search(r"max entries limit.*\(\d+ > (\d+)\)", why)):
        raise _TooMuchError(why, int(found[1]))
    if status == 504 or (status in (400, 422, 500) and _TOO_MUCH.search(why)):
        raise _TooMuchError(why)


def _dividing(texts: Sequence[str]) -> str | None:
    """What about half of the texts contain; None where all are the same."""
    some = list(set(texts[:: max(1, len(texts) // _LOOKED_AT)]))
    counts: Counter[str] = Counter()
    for text in some:
        end = text[-_LOOKED_AT:]
        counts.update({end[at : at + width] for width in (1, 2, 3) for at in range(len(end) - width + 1)})
    for part, _ in sorted(counts.items(), key=lambda one: abs(one[1] - len(some) / 2))[:_LOOKED_AT]:
        # Loki sends U+FFFD for what is no text, and finds none.
        if part.isprintable() and "\ufffd" not in part and 0 < sum(part in one for one in some) < len(some):
            return part
    whole = sorted(set(texts), key=len)
    # Of two that differ, the longer is no part of the shorter.
    return whole[-1] if len(whole) > 1 else None


def _line(entry: _Entry) -> LogLine:
    labels = dict(entry.labels)

    def first(names: Sequence[str]) -> str:
        return next((labels[name] for name in names if labels.get(name)), "")

    service = cleaned(first(_SERVICES)) or "unknown"
    at, level, trace = entry.at_ns / 1e9, level_of(first(_LEVELS)), cleaned(first(_TRACES))
    # Its own time is when it was written; Loki's may be when it was read.
    if line := parse(entry.text, service):
        level = line.level if line.level != "INFO" else level
        return LogLine(at, service, level, line.message, line.trace_id or trace)
    if level == "INFO":
        level = level_of(entry.text)
    return LogLine(at, service, level, cleaned(entry.text.rstrip("\r\n")), trace)
