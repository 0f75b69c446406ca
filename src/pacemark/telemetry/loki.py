"""Loki's HTTP API (https://grafana.com/docs/loki/latest/reference/loki-http-api/), directly or by Grafana."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import httpx

from pacemark.errors import InputError, PacemarkError
from pacemark.gateway.client import checked_url, http_client, json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.telemetry.log_lines import LogLine, level_of, parse

PAGE = 5_000
"""Lines in one answer; more is refused unless Loki's ``max_entries_limit_per_query`` says otherwise."""
_TIMEOUT_S = 30.0
_TRIES = 4
_WAIT_S = 1.0
"""Before the second try; twice as long before each further one."""
_TRY_AGAIN = (429, 500, 502, 503, 504)
_SERVICES = ("service_name", "service", "compose_service", "container", "container_name", "app", "job")
"""Labels by which agents name what a stream is of, the most telling first."""


class LokiError(PacemarkError):
    """It could not be asked, or did not answer as it should."""


class _Entry(NamedTuple):
    at_ns: int
    labels: tuple[tuple[str, str], ...]
    text: str


class Loki:
    """Asks one Loki. ``url`` is Loki's own, or a Grafana's data source proxy; ``token`` a bearer's."""

    def __init__(self, url: str, token: str = "", connection: Connection = DIRECT) -> None:
        try:
            self.url = checked_url(url)
        except InputError:
            raise InputError("LOKI_URL is no URL", "write http://HOST:PORT, without a password") from None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http_client(
            connection, self.url, timeout_s=_TIMEOUT_S, headers=headers, base_url=self.url
        )

    @classmethod
    def by_grafana(cls, url: str, token: str = "", connection: Connection = DIRECT) -> Self:
        """The Loki that is a data source of a Grafana, through its proxy.

        Raises:
            LokiError: Grafana does not answer, or has no such data source.
        """
        grafana = cls(url, token, connection)
        sources = grafana._asked("/api/datasources", {})
        found = next((one for one in sources if isinstance(one, dict) and one.get("type") == "loki"), None)
        if found is None:
            raise LokiError(f"{url} has no data source of type loki", "add it, or set LOKI_URL")
        grafana._http.close()
        return cls(f"{grafana.url}/api/datasources/proxy/uid/{found['uid']}", token, connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def labels(self) -> list[str]:
        """The names of the labels of what it has received lately.

        Raises:
            LokiError: no answer came.
        """
        data = self._asked("/loki/api/v1/labels", {}).get("data")
        return [str(name) for name in data] if isinstance(data, list) else []

    def lines(self, query: str, start: float, end: float) -> Iterator[LogLine]:
        """What matches ``query`` from ``start`` to ``end`` (epoch seconds), in the order of time, each once.

        Loki gives a page of lines, and none of what follows its last one's instant may be lost: the next page
        begins at that instant, and what was there already is left out. Where a whole page is of one instant,
        pages become longer.

        Raises:
            LokiError: an answer did not come, after several tries, or more lines are of one instant than Loki
                gives at once.
        """
        at_ns, end_ns, limit = round(start * 1e9), round(end * 1e9), PAGE
        seen: dict[_Entry, int] = {}
        while True:
            page = self._page(query, at_ns, end_ns, limit)
            met: dict[_Entry, int] = {}
            for entry in page:
                met[entry] = met.get(entry, 0) + 1
                if met[entry] > seen.get(entry, 0):
                    yield _line(entry)
            if len(page) < limit:
                return
            last_ns = page[-1].at_ns
            if last_ns == at_ns and page[0].at_ns == last_ns:
                limit *= 2
            seen = {entry: count for entry, count in met.items() if entry.at_ns == last_ns}
            at_ns = last_ns

    def _page(self, query: str, start_ns: int, end_ns: int, limit: int) -> list[_Entry]:
        given = {"query": query, "start": str(start_ns), "end": str(end_ns), "limit": str(limit)}
        data = self._asked("/loki/api/v1/query_range", given | {"direction": "forward"}).get("data")
        if not isinstance(data, dict) or data.get("resultType") != "streams":
            raise LokiError(f"{self.url} answered no log lines", "the query must select streams: {job=...}")
        entries = [
            _Entry(int(value[0]), tuple(sorted(stream.get("stream", {}).items())), str(value[1]))
            for stream in data.get("result", [])
            for value in stream.get("values", [])
        ]
        return sorted(entries, key=lambda entry: entry.at_ns)

    def _asked(self, path: str, given: dict[str, str]) -> Any:
        why = ""
        for n in range(_TRIES):
            if n:
                time.sleep(_WAIT_S * 2 ** (n - 1))
            try:
                response = self._http.get(path, params=given)
            except httpx.TimeoutException:
                why = f"no answer within {_TIMEOUT_S:g} s"
                continue
            except httpx.HTTPError as error:
                why = str(error)
                continue
            answer = json_of(response)
            if response.status_code == 200 and answer is not None:
                return answer
            # Errors come as plain text.
            why = f"HTTP {response.status_code}: {response.text.strip()[:200]}"
            if response.status_code not in _TRY_AGAIN:
                break
        raise LokiError(f"{self.url}{path}: {why}", "see Loki")


def _line(entry: _Entry) -> LogLine:
    labels = dict(entry.labels)
    service = next((labels[name] for name in _SERVICES if labels.get(name)), "unknown")
    at = entry.at_ns / 1e9
    # Its own time is when it was written; Loki's may be when it was read.
    if line := parse(entry.text, service):
        return LogLine(at, service, line.level, line.message, line.trace_id)
    return LogLine(at, service, level_of(labels.get("level", "") or entry.text), entry.text)
