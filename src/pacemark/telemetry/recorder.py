"""What Prometheus says during a run, read on while it runs: what was read stays, if Prometheus goes."""

import math
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from pacemark.telemetry.prometheus import Line, Prometheus, PrometheusError, QueryError, Target
from pacemark.telemetry.queries import BY_NAME, HISTOGRAM, QUERIES
from pacemark.telemetry.query import WINDOW, Query, worst_between
from pacemark.telemetry.snapshot import Snapshot, snapshot
from pacemark.workloads.objective import Worst

TELEMETRY_FILE = "telemetry.parquet"
BEFORE_S = 60.0
"""How much of the time before the first sample is read too: what was already so is not the load's doing."""
POINTS = 2_000
"""Of a series over a run, about: enough for a chart of any width, few enough for a run of a day."""
SCRAPES_A_RATE = 4
"""A rate over fewer has none where one scrape fails."""
_LAST_SCRAPE = "max(timestamp(up))"
"""Prometheus repeats a value for five minutes after its last scrape; so one must ask when that was."""
_POLL_S = 10.0
NO_VALUES = "no values: a ratio of nothing"
"""Of a query that had series all the time and never a number, such as a share of hits without a look-up."""
_SELECTOR = re.compile(r"\b[a-z]++[_:][a-z0-9_:]*+(?:\{[^}]*\})?+(?!\()")
"""A metric's name and its labels: no function, and no word without an underscore, as PromQL's own are."""

SCHEMA = {"at_s": pl.Float64, "name": pl.String, "series": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class Telemetry:
    """What was recorded. Seconds are from the first sample."""

    step_s: float
    """Between two values."""
    values: pl.DataFrame
    """Rows of ``SCHEMA``: a value of a query's series at an instant; null for a ratio of nothing."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Queries that gave nothing in the run, and why: ``NO_VALUES`` of those that never gave a number."""
    gaps: Sequence[tuple[float, float]] = ()
    """When nothing was scraped, or could be read."""
    lost: str = ""
    """Why Prometheus could not be asked at the end, empty when it could."""
    snapshot: Snapshot = field(default_factory=Snapshot)
    """Every series that was scraped, with its value at the end of the measured window."""
    rate_s: float = 0.0
    """How far a rate looks back."""
    buckets: Sequence[tuple[float, float]] = ()
    """The gateway's own histogram over the measured window: upper bounds in ms, and how many requests took at
    most that long. Empty where it has none."""
    worst_of: Mapping[tuple[str, Worst], str] = field(default_factory=dict)
    """In a long run, by an objective's expression and which of its values is the worst, the name under which
    the worst of each step is."""

    def lines(self, name: str) -> dict[str, list[tuple[float, float | None]]]:
        """By series, the values of one query in the order of time."""
        rows = self.values.filter(pl.col("name") == name).sort("series", "at_s")
        found: dict[str, list[tuple[float, float | None]]] = {}
        for at_s, series, value in rows.select("at_s", "series", "value").iter_rows():
            found.setdefault(series, []).append((at_s, value))
        return found


class Recorder:
    """Reads what Prometheus has of a run, every few seconds, in a thread of its own."""

    def __init__(
        self, prometheus: Prometheus, run_s: float, others: Iterable[tuple[str, Worst]] = ()
    ) -> None:
        """``run_s`` is how long the run will take; ``others`` are the objectives' expressions, which may be
        names of the table's, each with which of its values is the worst.

        Raises:
            PrometheusError: it does not answer, or scrapes nothing.
        """
        self._prometheus = prometheus
        self.targets = prometheus.targets()
        if not self.targets:
            raise PrometheusError(f"{prometheus.url} scrapes nothing")
        interval_s = self._scraped_s = scrape_interval_s(prometheus, self.targets)
        self.step_s = max(interval_s, math.ceil(run_s / POINTS))
        self.rate_s = max(SCRAPES_A_RATE * interval_s, self.step_s)
        self._queries: dict[str, tuple[str, Query | None]] = {
            query.name: (self._asked(query, interval_s), query) for query in QUERIES
        }
        self._worst_of: dict[tuple[str, Worst], str] = {}
        for promql, worst in others:
            self._ask_too(promql, worst)
        self._stale_s = 2.5 * interval_s
        self.missing: dict[str, str] = {}
        self._rows: list[tuple[float, str, str, float | None]] = []
        self._scrapes: list[tuple[float, float]] = []
        self._from = self._next = 0.0
        self._failure = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="telemetry", daemon=True)

    def _asked(self, query: Query, interval_s: float) -> str:
        kept = query.kept(f"{self.step_s:g}s", f"{interval_s:g}s") if self.step_s > interval_s else None
        return kept or query.over(f"{self.rate_s:g}s")

    def _ask_too(self, promql: str, worst: Worst) -> None:
        """What the table does not ask in this way: between two values of a long run counts what was worst.

        A rate of the table's looks back over all of a step by itself.
        """
        query = BY_NAME.get(promql)
        if self.step_s <= self._scraped_s or (query and (query.is_rate or query.worst == worst)):
            if query is None:
                self._queries[promql] = (promql, None)
            return
        # No expression of a user's can be called so: it takes a range.
        name = self._worst_of[promql, worst] = f"{worst}_over_time({promql})"
        self._queries[name] = (self._kept(query.promql if query else promql, worst), query)

    def _kept(self, promql: str, worst: Worst) -> str:
        return worst_between(promql, worst, f"{self.step_s:g}s", f"{self._scraped_s:g}s")

    @property
    def asked(self) -> list[str]:
        """The names of all queries."""
        return list(self._queries)

    def check(self) -> None:
        """Ask each query once; ``missing`` then says which gave nothing, and why.

        A series without a number is there: before the load a share of look-ups is one of nothing.

        Raises:
            PrometheusError: it does not answer any more.
        """
        for name, (promql, _) in self._queries.items():
            try:
                if not self._prometheus.now(promql):
                    self.missing[name] = "no such series"
            except QueryError as error:
                self.missing[name] = error.message
        for (promql, worst), name in self._worst_of.items():
            if name in self.missing and promql not in BY_NAME:
                self._ask_scalar(promql, worst, name)

    def _ask_scalar(self, promql: str, worst: Worst, name: str) -> None:
        """Prometheus refuses a range of a scalar, and takes one of a vector made of it."""
        asked = self._kept(f"vector({promql})", worst)
        try:
            is_there = bool(self._prometheus.now(asked))
        except QueryError:
            return  # it is none: what was said of the expression itself stays
        if is_there:
            self._queries[name] = (asked, None)
            del self.missing[name]

    def start(self) -> None:
        """Begin to read, from ``BEFORE_S`` before now."""
        self._from = self._next = self._on_grid(time.time() - BEFORE_S)
        self._thread.start()

    def stop(self, first_sample: float, window: tuple[float, float]) -> Telemetry:
        """Read the rest; what was recorded, with ``first_sample`` (epoch seconds) as its zero.

        ``window`` is the measured one, in seconds from there.
        """
        self._stop.set()
        self._thread.join()
        self._read(time.time())
        buckets = self._buckets(first_sample, window)
        at = first_sample + window[1]
        everything = Snapshot(at, why_not=self._failure) if self._failure else snapshot(self._prometheus, at)
        self._prometheus.close()
        # A value that a query gave later is there, whatever it gave before.
        seen = {name for _, name, _, value in self._rows if value is not None}
        self.missing |= {name: NO_VALUES for _, name, _, _ in self._rows if name not in seen}
        gaps = self._gaps()
        rows = [row for row in self._rows if not any(start <= row[0] < end for start, end in gaps)]
        values = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        return Telemetry(
            step_s=self.step_s,
            values=values.with_columns((pl.col("at_s") - first_sample).round(3)),
            missing={name: why for name, why in self.missing.items() if name not in seen},
            gaps=[
                (round(max(start - first_sample, 0), 1), round(end - first_sample, 1))
                for start, end in gaps
                if end - first_sample > self.step_s  # else it is of the time before
            ],
            lost=self._failure,
            rate_s=self.rate_s,
            buckets=buckets,
            snapshot=everything,
            worst_of=self._worst_of,
        )

    def _buckets(self, first_sample: float, window: tuple[float, float]) -> list[tuple[float, float]]:
        if self._failure:
            return []
        promql = HISTOGRAM.replace(WINDOW, f"{max(1, round(1000 * (window[1] - window[0])))}ms")
        try:
            found = self._prometheus.now(promql, first_sample + window[1])
        except PrometheusError:
            return []  # beside the point: all else is there
        counts = [(1000 * float(line.labels["le"]), line.points[0].value) for line in found]
        # Fewer than at the start are those of a gateway that was started anew.
        is_whole = all(count >= 0 for _, count in counts) and any(count > 0 for _, count in counts)
        return sorted(counts) if is_whole else []

    def abandon(self) -> None:
        """End without reading the rest."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._prometheus.close()

    def _follow(self) -> None:
        while not self._stop.wait(max(_POLL_S, self.step_s)):
            self._read(time.time())

    def _read(self, until: float) -> None:
        """All since the last time; nothing of it counts where Prometheus goes in the midst of it."""
        end = self._on_grid(until)
        if end < self._next:
            return
        rows: list[tuple[float, str, str, float | None]] = []
        try:
            scrapes = self._prometheus.over(_LAST_SCRAPE, self._next, end, self.step_s)
            for name, (promql, query) in self._queries.items():
                try:
                    lines = self._prometheus.over(promql, self._next, end, self.step_s)
                    for series, line in zip(series_names(query, lines), lines, strict=True):
                        rows += [
                            (at, name, series, None if math.isnan(value) else value)
                            for at, value in line.points
                        ]
                except QueryError as error:
                    self.missing[name] = error.message
        except PrometheusError as error:
            self._failure = error.message
            return
        self._failure = ""
        self._rows += rows
        self._scrapes += [(point.at, point.value) for line in scrapes for point in line.points]
        self._next = end + self.step_s

    def _gaps(self) -> list[tuple[float, float]]:
        """Stretches of the grid at which the last scrape was too long ago, or of which nothing was read."""
        fresh = {round(at, 3) for at, scraped in self._scrapes if at - scraped <= self._stale_s}
        end = self._on_grid(time.time()) if self._failure else self._next - self.step_s
        gaps: list[tuple[float, float]] = []
        for n in range(round((end - self._from) / self.step_s) + 1):
            at = self._from + n * self.step_s
            if round(at, 3) in fresh:
                continue
            if gaps and at - gaps[-1][1] < 0.001:
                at = gaps.pop()[0]
            gaps.append((at, self._from + (n + 1) * self.step_s))
        return [gap for gap in gaps if gap[1] - gap[0] > 1.5 * self.step_s]  # one may be a slow scrape

    def _on_grid(self, at: float) -> float:
        return math.floor(at / self.step_s) * self.step_s


def scrape_interval_s(prometheus: Prometheus, targets: Sequence[Target]) -> float:
    """The longest scrape interval of the jobs that have what is asked: others do not count.

    Raises:
        PrometheusError: it does not answer.
    """
    selectors = {selector for query in QUERIES for selector in _SELECTOR.findall(query.promql)}
    # Of minutes: a target may have missed its last scrape.
    there = " or ".join(f"present_over_time({selector}[5m])" for selector in sorted(selectors))
    ours = {line.labels.get("job", "") for line in prometheus.now(f"count by (job) ({there})")}
    return max(one.interval_s for one in [t for t in targets if t.job in ours] or targets)


def series_names(query: Query | None, lines: Sequence[Line]) -> list[str]:
    """What tells a query's series apart: its one label's value, or all labels where that is not enough."""
    if query is not None:
        names = [str(line.labels.get(query.by, "")) if query.by else "" for line in lines]
        if len(set(names)) == len(names):
            return names
    return [_all_labels(line) for line in lines]


def _all_labels(line: Line) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(line.labels.items()) if name != "__name__")
