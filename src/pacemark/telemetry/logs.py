"""The logs of a run: how many lines of which level, what was wrong most, and the lines of single requests."""

import heapq
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pacemark.results.record import Chart, Column, Mark, Section, Series
from pacemark.results.slowest import ANCHOR
from pacemark.telemetry.log_lines import WORSE, Level, LogLine
from pacemark.telemetry.loki import Kind, NotAllError, how_far

LOGS_FILE = "logs.jsonl"
MOST_KEPT = 50_000
"""Lines in ``logs.jsonl`` that matter, those of single requests that are looked for and the earliest warnings
and what is worse; and as many others, the earliest too. Some 30 MB, in memory too."""
TOP = 15
CHART_POINTS = 480
LEVELS: tuple[Level, ...] = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_LINES_OF_A_TRACE = 20
_VARYING = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-f]{16,}\b|0x[0-9a-fA-F]+|'[^']*'|\"[^\"]*\"|\d+(?:\.\d+)*"
)


@dataclass(frozen=True)
class LokiAsked:
    """Where Loki is, and what it is asked."""

    url: str
    query: str
    token: str = field(default="", repr=False)
    is_grafana: bool = False
    """Whether the URL is that of a Grafana, which has Loki as a data source."""


@dataclass
class Group:
    """Messages that differ in numbers, ids and quoted texts only."""

    level: Level
    service: str
    example: str
    count: int = 0
    first: float = 0.0
    last: float = 0.0


@dataclass
class Logs:
    """What was found. Instants in epoch seconds."""

    counts: Counter[tuple[str, Level]] = field(default_factory=Counter)
    over_time: Counter[tuple[int, Level]] = field(default_factory=Counter)
    """By second of the epoch."""
    groups: dict[tuple[str, Level, str], Group] = field(default_factory=dict)
    of_traces: dict[str, list[LogLine]] = field(default_factory=dict)
    """The lines of the requests that were looked for."""
    kept: int = 0
    left_out: int = 0
    """Lines that were too many to be kept."""
    lost: str = ""
    """Why the lines were not read to their end, empty when they were."""
    read_to: Mapping[Kind, float] = field(
        default_factory=lambda: dict.fromkeys(("samples", "worse", "others"), math.inf)
    )
    """Up to when they were read; infinite where that was to their end."""

    @property
    def lines_by_trace(self) -> dict[str, int]:
        """How many lines each request that was looked for has."""
        return {trace: len(lines) for trace, lines in self.of_traces.items()}

    @property
    def has_all_of_traces(self) -> bool:
        """Whether a request without a line here has none."""
        return math.isinf(self.read_to["samples"])


def collect(lines: Iterable[LogLine], path: Path, traces: Collection[str]) -> Logs:
    """Count all ``lines``; keep them in ``path``, sorted by time, those of ``traces`` and what is worse than
    information before the others.

    Where they cannot be read to their end, what was read is told, and why that is not all.

    Raises:
        OSError: ``path`` cannot be written.
    """
    found, wanted = Logs(), frozenset(traces)
    kept = {True: _Kept(), False: _Kept()}
    for line in _until_lost(lines, found):
        found.counts[line.service, line.level] += 1
        found.over_time[math.floor(line.at), line.level] += 1
        is_wanted, is_worse = line.trace_id in wanted, line.level in WORSE
        if is_wanted:
            found.of_traces.setdefault(line.trace_id, []).append(line)
        if is_worse:
            _group(found, line)
        kept[is_wanted or is_worse].add(line, is_wanted=is_wanted)
    found.kept = sum(len(some.rows) for some in kept.values())
    found.left_out = sum(found.counts.values()) - found.kept
    with path.open("w", encoding="utf-8") as file:
        for _, text in heapq.merge(*(some.in_order() for some in kept.values())):
            file.write(text + "\n")
    return found


class _Kept:
    """The earliest of the lines that come, of those that are wanted all before any other.

    Files come one after another: the first that come would be those of the first file.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[bool, float, int, str]] = []
        """A heap: the first is the one to be given up."""
        self._came = 0

    def add(self, line: LogLine, *, is_wanted: bool) -> None:
        self._came += 1
        rank = (is_wanted, -line.at, -self._came)
        if len(self.rows) < MOST_KEPT:
            heapq.heappush(self.rows, (*rank, line.as_json()))
        elif rank > self.rows[0][:3]:
            heapq.heapreplace(self.rows, (*rank, line.as_json()))

    def in_order(self) -> list[tuple[float, str]]:
        return sorted((-at, text) for _, at, _, text in self.rows)


def _until_lost(lines: Iterable[LogLine], found: Logs) -> Iterator[LogLine]:
    try:
        yield from lines
    except NotAllError as error:
        found.lost, found.read_to = str(error), error.read_to


def pattern(message: str) -> str:
    """A message without what differs from one to the next: ids, numbers, quoted texts."""
    return _VARYING.sub("*", message.partition("\n")[0])[:200]


def _group(found: Logs, line: LogLine) -> None:
    key = (line.service, line.level, pattern(line.message))
    group = found.groups.setdefault(key, Group(line.level, line.service, line.message, first=line.at))
    group.count += 1
    group.first, group.last = min(group.first, line.at), max(group.last, line.at)


def sections(found: Logs, start: float, end_s: float) -> list[Section]:
    """The report's parts; ``start`` is the first sample's instant, ``end_s`` the load's end from there."""
    total = sum(found.counts.values())
    if not total:
        text = "No line was logged during the run."
        return [Section(title="Logs", summary=text, is_background=True)]
    groups = sorted(found.groups.values(), key=lambda one: (LEVELS.index(one.level), -one.count))
    shown = [
        Section(
            title="Logs",
            summary=_summary(found, total, groups, start),
            note="Warnings and errors, the worst first and then the most frequent. Messages that differ in "
            "numbers, ids and quoted texts only are one. Times are from the first sample.",
            columns=[
                Column(name="Service"),
                Column(name="Level"),
                Column(name="Lines"),
                Column(name="First", unit="s"),
                Column(name="Last", unit="s"),
                Column(name="Such as"),
            ],
            rows=[
                [
                    one.service,
                    one.level,
                    one.count,
                    round(one.first - start, 1),
                    round(one.last - start, 1),
                    one.example.partition("\n")[0][:300],
                ]
                for one in groups[:TOP]
            ],
            charts=_charts(found, start, end_s),
            is_background=True,
        )
    ]
    if found.of_traces:
        shown.append(_of_traces(found, start))
    return shown


def _summary(found: Logs, total: int, groups: list[Group], start: float) -> str:
    by_level: Counter[Level] = Counter()
    for (_, level), count in found.counts.items():
        by_level[level] += count
    counts = ", ".join(f"{by_level[level]:,} {level}" for level in LEVELS if by_level[level])
    left = f" {found.left_out:,} more than {LOGS_FILE} keeps." if found.left_out else ""
    often = max(groups, key=lambda one: one.count, default=None)
    most = f" Most often: {often.example.partition(chr(10))[0][:160]}" if often else ""
    more = f" The table has {TOP} of {len(groups)} kinds of messages." if len(groups) > TOP else ""
    return f"{total:,} lines: {counts}.{_how_far(found, start)}{left}{more}{most}"


def _how_far(found: Logs, start: float) -> str:
    if not found.lost:
        return ""
    return f" Read were {how_far(found.read_to, start)}: later ones are not known."


def _of_traces(found: Logs, start: float) -> Section:
    rows: list[list[str | int | float | None]] = []
    for trace, lines in found.of_traces.items():
        for line in sorted(lines, key=lambda one: one.at)[:_LINES_OF_A_TRACE]:
            rows.append([trace, round(line.at - start, 3), line.service, line.level, line.message[:1000]])
    return Section(
        title="Log lines of the slowest samples",
        summary=f"{len(rows)} lines of {len(found.of_traces)} samples, found by their X-Correlation-ID.",
        columns=[
            Column(name="Trace", anchor=ANCHOR),
            Column(name="At", unit="s"),
            Column(name="Service"),
            Column(name="Level"),
            Column(name="Message"),
        ],
        rows=rows,
        is_background=True,
    )


def _charts(found: Logs, start: float, end_s: float) -> list[Chart]:
    """The lines over time; none where no stretch of it was read whole."""
    step_s = max(1, math.ceil(end_s / CHART_POINTS))
    points = max(1, math.ceil(end_s / step_s))
    by_level: dict[Level, list[float | None]] = {}
    # A point of which some lines were not read is not known either; its last second is one of the epoch.
    none: dict[Kind, list[float | None]] = {
        kind: [0.0 if math.ceil(start + (n + 1) * step_s) <= to else None for n in range(points)]
        for kind, to in found.read_to.items()
    }
    for (second, level), count in found.over_time.items():
        n = math.floor((second - start) / step_s)
        known = none["worse" if level in WORSE else "others"]
        if 0 <= n < points and known[n] is not None:
            values = by_level.setdefault(level, known.copy())
            values[n] = (values[n] or 0.0) + count / step_s
    if not by_level:
        return []
    rounded = {
        level: [None if value is None else round(value, 3) for value in values]
        for level, values in by_level.items()
    }
    return [
        Chart(
            title="Lines logged, by level",
            unit="lines a second, /s",
            at=[float(n * step_s) for n in range(points)],
            series=[Series(name=level, values=rounded[level]) for level in LEVELS if level in rounded],
            marks=_unread(found, start, end_s),
        )
    ]


def _unread(found: Logs, start: float, end_s: float) -> list[Mark]:
    worse_s, others_s = (max(found.read_to[kind] - start, 0.0) for kind in ("worse", "others"))
    if worse_s == others_s:
        told = [(worse_s, "not read")]
    else:
        told = [(worse_s, "WARNING and worse not read"), (others_s, "INFO and DEBUG not read")]
    return [Mark(from_at=from_s, to_at=end_s, text=text) for from_s, text in told if from_s < end_s]
