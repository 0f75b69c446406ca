"""``history.sqlite``: a line for each run of a results folder, made from the run's own files."""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from pacemark.errors import InputError
from pacemark.results.compare import Past
from pacemark.results.record import RunRecord, Verdict, run_directories
from pacemark.results.statistics import Figures, Summary
from pacemark.results.threshold import METRICS, ComparedMetric

HISTORY_FILE = "history.sqlite"
MOST_EARLIER = 30
"""Earlier runs that tell how much runs differ: older ones are of another machine in all but name."""
_PATIENCE_S = 30
_TABLE = (
    "CREATE TABLE IF NOT EXISTS runs "
    "(run TEXT PRIMARY KEY, workload TEXT NOT NULL, started TEXT NOT NULL, line TEXT NOT NULL)"
)

Values = dict[ComparedMetric, float]


class Line(BaseModel):
    """What the history keeps of a run: elapsed latencies in ms, ``throughput`` a second, ``error`` in %."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    """Its directory, below the results folder."""
    workload: str
    started: datetime
    verdict: Verdict
    scale: str
    gateway: str
    """The gateway's version; empty where it tells none."""
    kind: str
    """Equal for runs that may be compared: a hash of the fingerprint and the measured window."""
    total: Values
    """Empty for a run without samples."""
    labels: dict[str, Values]
    total_too_few: list[str] = []
    """Percentiles of too few samples."""
    too_few: dict[str, list[str]] = {}
    """Those of labels."""


class History(NamedTuple):
    """All lines, oldest first, and what of the folder could not be read."""

    lines: list[Line]
    unreadable: list[str]


def line_of(run: Path) -> Line:
    """The line of a run's directory.

    Raises:
        InputError: it is no run's directory.
    """
    record = RunRecord.load_from(run)
    summary = Summary.load_from(run)
    return Line(
        run=_name_of(run),
        workload=record.workload,
        started=record.started,
        verdict=record.verdict,
        scale=record.scale,
        gateway=record.gateway.version,
        kind=kind_of(record),
        total=_values(summary.total) if summary else {},
        labels={label: _values(figures) for label, figures in summary.labels.items()} if summary else {},
        total_too_few=summary.total.too_few if summary else [],
        too_few={label: figures.too_few for label, figures in summary.labels.items()} if summary else {},
    )


def kind_of(record: RunRecord) -> str:
    """A hash of all that makes runs comparable."""
    window = [record.window.from_s, record.window.to_s]
    kind = json.dumps([record.workload, window, record.fingerprint], sort_keys=True)
    return hashlib.sha256(kind.encode()).hexdigest()[:16]


def add(run: Path) -> None:
    """Put a run's line into the history of its results folder, or replace it there.

    Several runs may do so at once: each waits for the others.

    Raises:
        InputError: it is no run's directory, or the history is damaged.
    """
    with _opened(_folder_of(run)) as database:
        _put(database, [line_of(run)])


def read(folder: Path) -> History:
    """The history of a results folder, with all runs that lie in it.

    Runs that it does not know, of an older Pacemark or copied there, are added; lines of runs whose directory
    is gone stay.

    Raises:
        InputError: there is no such folder, or the history is damaged.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of results", "give the --out of your runs")
    with _opened(folder) as database:
        known = {run for (run,) in database.execute("SELECT run FROM runs").fetchall()}
        added, unreadable = _unknown(folder, known)
        if added:
            _put(database, added)
        return History(_lines(database), unreadable)


def rebuild(folder: Path) -> History:
    """Make the history anew from the directories alone: lines of runs that are gone go too.

    Raises:
        InputError: there is no such folder.
    """
    (folder / HISTORY_FILE).unlink(missing_ok=True)
    return read(folder)


def earlier(run: Path, record: RunRecord, *, without: Collection[datetime]) -> Past:
    """Figures of valid runs of the same kind before ``run``, the newest ``MOST_EARLIER``, oldest first.

    Empty where the run lies in no results folder with a history.
    """
    folder = _folder_of(run)
    if not (folder / HISTORY_FILE).is_file():
        return {}
    kind = kind_of(record)
    with _opened(folder) as database:
        every = _lines(database, record.workload)
    lines = [
        line
        for line in every
        if line.kind == kind and line.verdict != "invalid" and line.started < record.started
    ]
    lines = [line for line in lines if line.started not in without][-MOST_EARLIER:]
    past: dict[tuple[str | None, ComparedMetric], list[float]] = {}
    for line in lines:
        for label, values in ((None, line.total), *line.labels.items()):
            for metric, value in values.items():
                past.setdefault((label, metric), []).append(value)
    return past


@contextmanager
def _opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database, its changes kept together when all went well."""
    path = folder / HISTORY_FILE
    try:
        with (
            closing(sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level="IMMEDIATE")) as database,
            database,
        ):
            database.execute(_TABLE)
            yield database
    except (sqlite3.DatabaseError, ValidationError) as error:
        raise InputError(
            f"{path}: {error}", "`pacemark history --rebuild` makes it anew from the runs"
        ) from error


def _put(database: sqlite3.Connection, lines: Iterable[Line]) -> None:
    rows = [(line.run, line.workload, line.started.isoformat(), line.model_dump_json()) for line in lines]
    database.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", rows)


def _lines(database: sqlite3.Connection, workload: str = "") -> list[Line]:
    """Oldest first; of every workload where none is named."""
    query = "SELECT line FROM runs WHERE ?1 IN ('', workload) ORDER BY started, run"
    return [Line.model_validate_json(line) for (line,) in database.execute(query, (workload,)).fetchall()]


def _unknown(folder: Path, known: Collection[str]) -> tuple[list[Line], list[str]]:
    """The lines of runs that are not known, and why some have none."""
    lines, unreadable = [], []
    for path in run_directories(folder):
        if _name_of(path) not in known:
            try:
                lines.append(line_of(path))
            except InputError as error:
                unreadable.append(error.message)
    return lines, unreadable


def _name_of(run: Path) -> str:
    return f"{run.parent.name}/{run.name}"


def _folder_of(run: Path) -> Path:
    return run.resolve().parent.parent


def _values(figures: Figures) -> Values:
    found = {metric: _value(figures, metric) for metric in METRICS}
    return {metric: value for metric, value in found.items() if value is not None}


def _value(figures: Figures, metric: ComparedMetric) -> float | None:
    if metric == "error":
        return None if figures.error_rate is None else 100 * figures.error_rate
    value: float | None = getattr(figures, metric)
    return value
