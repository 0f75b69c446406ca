"""Loki's HTTP API (https://grafana.com/docs/loki/latest/reference/loki-http-api/), directly or by Grafana."""

import json
import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple, Self

import httpx

from pacemark.errors import PacemarkError
from pacemark.gateway.client import json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.telemetry.client import client_of
from pacemark.telemetry.grafana import authorization
from pacemark.telemetry.log_lines import WORSE_LABEL, WORSE_LINE, LogLine, cleaned, level_of, parse

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


Kind = Literal["samples", "worse", "others"]
"""Lines of the samples that are looked for; at WARNING and worse; and those that are neither."""


class NotAllError(LokiError):
    """Lines were not read to their end; ``read_to`` tells up to when they were, in epoch seconds, and is
    infinite for a kind that was read whole."""

    def __init__(self, error: LokiError, read_to: Mapping[Kind, float]) -> None:
        super().__init__(error.message, error.hint)
        self.read_to = read_to


class _Entry(NamedTuple):
    at_ns: int
    labels: tuple[tuple[str, str], ...]
    text: str


class _Part(NamedTuple):
    """Lines that are asked for together. ``completes`` are the kinds of which nothing is left after it."""

    query: str
    spans: Sequence[tuple[int, int]]
    """Nanoseconds since 1970."""
    completes: Sequence[Kind] = ()
    is_of_samples: bool = False


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

    def lines(
        self, query: str, start: float, end: float, samples: Mapping[str, tuple[float, float]] | None = None
    ) -> Iterator[LogLine]:
        """What matches ``query`` from ``start`` to ``end`` (epoch seconds), in the order of time, each once.

        ``samples`` has trace ids, and from when to when each is looked for. With it, of more than
        ``MOST_LINES`` those of the samples come first, then those at WARNING and worse, then the others,
        each kind in the order of time.

        Raises:
            NotAllError: an answer did not come, after several tries, or there are more than ``MOST_LINES``;
                what was told until then is right.
        """
        whole = (round(start * 1e9), round(end * 1e9))
        count = None if samples is None else self._count(query, *whole)
        if samples is None or (count is not None and count <= MOST_LINES):
            parts = [_Part(query, [whole], ("samples", "worse", "others"))]
        else:
            parts = _parts(query, whole, samples)
        read_to: dict[Kind, float] = dict.fromkeys(("samples", "worse", "others"), start)
        # Of the samples', which may come again: the others are told apart by Loki.
        told: Counter[_Entry] = Counter()
        read = 0
        try:
            for part in parts:
                for entry in (entry for span in part.spans for entry in self._entries(part.query, *span)):
                    if part.is_of_samples:
                        told[entry] += 1
                    elif told and told[entry]:
                        told[entry] -= 1
                        continue
                    if read == MOST_LINES:
                        count = self._count(query, *whole) if count is None else count
                        raise _too_many(read_to, start, None if count is None else count - read)
                    read += 1
                    read_to.update(dict.fromkeys(part.completes, entry.at_ns / 1e9))
                    yield _line(entry)
                read_to.update(dict.fromkeys(part.completes, math.inf))
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
                quoted = _quoted(text)
                parts += [f"{part} |= {quoted}", f"{part} != {quoted}"]
            else:
                break
            if not parts:
                return
        at = f"{at_ns // 10**9}.{at_ns % 10**9:09}"
        remedy = "raise Loki's max_entries_limit_per_query"
        raise LokiError(f"more than {limit:,} lines are of the one instant {at}", remedy)

    def _count(self, query: str, start_ns: int, end_ns: int) -> int | None:
        """How many lines there are, about; None where Loki does not tell.

        Its ranges are of milliseconds, and have their end and not their start.
        """
        span_ms = math.ceil((end_ns - start_ns) / 1e6)
        given = {"query": f"sum(count_over_time({query}[{span_ms}ms]))", "time": str(end_ns - 1)}
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


def _parts(query: str, whole: tuple[int, int], samples: Mapping[str, tuple[float, float]]) -> list[_Part]:
    """What matters before the others; but for the samples' lines, none is of two parts."""
    parts = []
    if samples:
        ids = "|".join(map(re.escape, samples))
        spans = _merged(samples.values(), whole)
        in_line, in_label = _with(query, ids, _TRACES, ids)
        parts = [
            _Part(in_line, spans, is_of_samples=True),
            _Part(in_label, spans, ("samples",), is_of_samples=True),
        ]
    in_line, in_label = _with(query, WORSE_LINE, _LEVELS, WORSE_LABEL)
    # Few have it in a label alone. They come first: so how far the many were read is how far both were.
    parts += [_Part(in_label, [whole]), _Part(in_line, [whole], ("worse",))]
    return [*parts, _Part(_without(query, WORSE_LINE, _LEVELS, WORSE_LABEL), [whole], ("others",))]


def _with(query: str, in_line: str, labels: Sequence[str], in_label: str) -> tuple[str, str]:
    """Two queries: of what matches in the line, and of what does in a label alone."""
    given = " or ".join(f"{name}=~{_quoted(in_label)}" for name in labels)
    return f"{query} |~ {_quoted(in_line)}", f"{query} !~ {_quoted(in_line)} | {given}"


def _without(query: str, in_line: str, labels: Sequence[str], in_label: str) -> str:
    none = " and ".join(f"{name}!~{_quoted(in_label)}" for name in labels)
    return f"{query} !~ {_quoted(in_line)} | {none}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _merged(spans: Iterable[tuple[float, float]], whole: tuple[int, int]) -> list[tuple[int, int]]:
    """Epoch seconds as nanoseconds, within ``whole``, none over another."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted((round(start * 1e9), round(end * 1e9)) for start, end in spans):
        start, end = max(start, whole[0]), min(end, whole[1])
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged


def how_far(read_to: Mapping[Kind, float], start: float) -> str:
    """``up to 97 s``, or for each kind: up to when lines were read, in seconds from ``start``."""

    def to(kind: Kind) -> str:
        return "all" if math.isinf(read_to[kind]) else f"up to {max(read_to[kind] - start, 0):.0f} s"

    if read_to["worse"] == read_to["others"]:
        return to("others")
    return f"those at WARNING and worse {to('worse')}, the others {to('others')}"


def _too_many(read_to: Mapping[Kind, float], start: float, rest: int | None) -> LokiError:
    more = "more" if rest is None or rest <= 0 else f"{rest:,}"
    text = f"{MOST_LINES:,} lines were read, {how_far(read_to, start)}, and {more} were not"
    return LokiError(text, "let loki_query select fewer")


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
