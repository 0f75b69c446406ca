"""``run.json``: what was asked, on what, and what came of it. Everything a report needs beside the digest."""

from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from pacemark.errors import InputError
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

RECORD_FILE = "run.json"

Verdict = Literal["pass", "fail", "invalid"]
CountedFrom = Literal["response", "elapsed", "corrected"]
"""What a latency was counted from; ``corrected`` is an estimate of response (``omission``)."""


class Record(BaseModel):
    """The base of what ``run.json`` holds."""

    model_config = ConfigDict(extra="forbid")


class Reason(Record):
    """Why the verdict is what it is: one line a reader can act on.

    ``fail`` and ``invalid`` decide the verdict; a ``warning`` only stands beside it.
    """

    level: Literal["fail", "invalid", "warning"]
    text: str
    """Names the metric, its value, its limit and the label, as one line."""
    remedy: str = ""


class JudgedObjective(Record):
    """One objective and what the run made of it. ``value`` is in the objective's unit, None without data."""

    objective: Objective
    value: float | None
    outcome: Literal["met", "missed", "not judged"]
    basis: CountedFrom | None = None
    """What the value was counted from: None for errors and rate."""
    why: str = ""
    """For ``not judged``: the reason. Else what more there is to know of the value, if anything."""
    is_moot: bool = False
    """For ``not judged``: nothing is missing, for what the objective is of did not happen."""


class Window(Record):
    """The measured stretch [from_s, to_s) in seconds from the first sample."""

    from_s: float
    to_s: float

    @property
    def seconds(self) -> float:
        return self.to_s - self.from_s


class Finding(Record):
    """One answer of the preflight."""

    name: str
    level: Literal["ok", "warning", "error"]
    detail: str
    remedy: str = ""


LEAST_BEYOND = 20
"""Samples that must lie beyond a percentile's rank for its value to mean something."""

_LEAST_SAMPLES = {name: of * LEAST_BEYOND for name, of in (
    ("p50", 2), ("p90", 10), ("p95", 20), ("p99", 100), ("p999", 1000),
)}  # fmt: skip
"""So many leave ``LEAST_BEYOND`` beyond the percentile: of p99 one sample in a hundred is."""


def too_few(count: int) -> list[str]:
    """The percentiles beyond which fewer than ``LEAST_BEYOND`` of ``count`` samples lie."""
    return [name for name, least in _LEAST_SAMPLES.items() if count < least]


class LatencyFigures(BaseModel):
    """Latencies in milliseconds over ``count`` samples, failed ones included; None without samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    mean: float | None
    min: int | None
    max: int | None
    p50: int | None
    p90: int | None
    p95: int | None
    p99: int | None
    p999: int | None
    too_few: list[str] = Field(default_factory=lambda known: too_few(known["count"]))
    """Percentiles that are exact, but of too few samples to say much."""


class StageFigures(Record):
    """Offered against achieved in one stage of the load.

    Latencies are those of a stage of constant rate, over its whole slices in the measured window; None of
    any other. ``response`` is over the samples of which it is known, None where it is of none.
    """

    name: str
    from_s: float
    to_s: float
    due: int
    """Requests that the stage planned."""
    started: int
    missed: int
    """Planned requests that had not started when the stage ended; they were dropped."""
    waiting_share: float | None = None
    """How busy the threads were with waiting for replies while requests that were due did not start."""
    elapsed: LatencyFigures | None = None
    response: LatencyFigures | None = None

    @property
    def started_share(self) -> float:
        """Of the requests that were due; 1 where none was."""
        return self.started / self.due if self.due else 1.0


class Column(Record):
    """A column of a section's table."""

    name: str
    unit: str = ""
    has_bars: bool = False
    """Whether a bar beside each number shows its share of the column's highest."""
    link: str = ""
    """Where a cell leads, with ``{}`` for its text: a place on the page (``#log-{}``) or an http address."""
    linked_where: str = ""
    """The name of a column: only rows with something in it have the link. Empty: all have."""
    anchor: str = ""
    """What a cell's row is called as a place on the page, with ``{}`` for its text; the first of equals."""
    percentile: str = ""
    """Which one its numbers are, such as ``p95``; of too few samples they are marked."""
    counted_in: str = ""
    """The name of the column that says of how many samples such numbers are."""


class Series(Record):
    """A line of a chart: a value at each of the chart's instants, None where there is none."""

    name: str
    values: list[float | None]
    has_dots_only: bool = False


class Mark(Record):
    """A stretch of a chart's axis that is shaded and named, or a place on it where both ends are equal."""

    from_at: float
    to_at: float
    text: str


class Chart(Record):
    """Values over something: seconds from the first sample, requests a second, or percent of the samples."""

    title: str
    note: str = ""
    unit: str
    axis: Literal["time", "rate", "percentile"] = "time"
    at: list[float] = Field(validation_alias=AliasChoices("at", "at_s"))
    """Where on the axis; ``at_s`` in records of Pacemark's first reports."""
    series: list[Series]
    marks: list[Mark] = []


class Section(Record):
    """A part of the report that only some workloads have: what it found in a sentence, a table, charts.

    Numbers in a row stay numbers; None is shown as absent.
    """

    title: str
    summary: str
    """What a reader should take away."""
    note: str = ""
    """How the figures are to be read."""
    columns: list[Column] = []
    rows: list[list[str | int | float | None]] = []
    charts: list[Chart] = []
    is_background: bool = False
    """Whether it is of the system beside the load, and no answer to what the workload asks."""

    @property
    def has_picture(self) -> bool:
        """Whether there is more to see than numbers."""
        return bool(self.charts) or any(column.has_bars for column in self.columns)

    def link(self, row: list[str | int | float | None], at: int) -> str:
        """Where the row's cell in that column leads; empty: nowhere."""
        column = self.columns[at]
        is_linked = not column.linked_where or self._in(row, column.linked_where) is not None
        return column.link if is_linked else ""

    def is_of_too_few(self, row: list[str | int | float | None], at: int) -> bool:
        """Whether the row's number in that column is a percentile of too few samples."""
        column = self.columns[at]
        if not column.percentile:
            return False
        count = self._in(row, column.counted_in)
        return isinstance(count, int) and column.percentile in too_few(count)

    def _in(self, row: list[str | int | float | None], name: str) -> str | int | float | None:
        return row[[one.name for one in self.columns].index(name)]


class Generator(Record):
    """JMeter's own figures over the measured window: is the generator what was measured?"""

    jmeter: str
    java: str
    heap_mb: int | None = None
    cpu_seconds: float | None = None
    cpu_share: float | None = None
    """Of the processor time that JMeter could get: its cores (affinity, quota) times the window."""
    gc_pauses: int | None = None
    gc_pause_ms: float | None = None
    gc_pause_max_ms: float | None = None
    late_wake_up_p95_ms: float | None = None
    """How late waiting threads woke for their slot."""
    all_busy_share: float | None = None
    """Share of requests that were late because every thread was waiting for a reply."""
    waiting_share: float | None = None
    """How busy the threads were with waiting for replies while requests that were due did not start."""
    new_connection_share: float | None = None
    reported_count: int | None = None
    """Samples that JMeter itself counted; the file must hold as many."""
    reported_errors: int | None = None
    exit_code: int | None = None
    stopped: str = ""
    """Why the load ended before its time, empty when it did not."""

    @property
    def cut_short(self) -> bool:
        """Whether the load ended before its time."""
        return bool(self.stopped or self.exit_code)


class Recorded(Record):
    """Every sample of the run, inside the window or not."""

    count: int = 0
    errors: int = 0


class WorkerFigures(Record):
    """One machine's part of the load, where several made it."""

    worker: str
    """``host:port``."""
    machine: dict[str, str]
    java: str
    threads: int
    due: int
    """Requests that its share of the slots planned."""
    recorded: Recorded
    """Its samples that reached the controller."""
    clock_ahead_ms: int
    """Its clock against the controller's; its samples are put right by that."""
    clock_within_ms: float
    """How closely that is known."""
    clock_step_ms: float
    """By how much that changed until the end."""
    cpu_share: float | None
    """Of the processor time that its JMeter could get in the measured window."""
    gc_pause_ms: float | None
    gc_pause_max_ms: float | None
    lost: str = ""
    """How it was lost, empty when it was not."""


class GatewayFacts(Record):
    """What was under load."""

    url: str
    version: str = ""
    embedded: bool = False
    counted: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """By the gateway's handler: requests that the gateway counted, and samples that JMeter recorded."""


class RunRecord(Record):
    """``run.json``, whole."""

    pacemark: str
    workload: str
    title: str
    scale: str
    started: datetime
    ended: datetime
    load: Load
    window: Window
    recorded: Recorded = Recorded()
    verdict: Verdict
    exit_status: int
    reasons: list[Reason] = []
    objectives: list[JudgedObjective] = []
    stages: list[StageFigures] = []
    sections: list[Section] = []
    """What this workload measures besides."""
    gateway: GatewayFacts
    generator: Generator | None = None
    """Of several workers: the busiest one's processor and pauses."""
    workers: list[WorkerFigures] = []
    """Empty when this machine made the load."""
    preflight: list[Finding] = []
    machine: dict[str, str] = {}
    """Operating system, processor, cores, memory, Python: as shown to a reader."""
    fingerprint: dict[str, str] = {}
    """What must be equal for two runs to be comparable: plan, scale, rate, gateway, machine, JVM."""
    interrupted: bool = False
    """Whether the user ended it, by Ctrl-C or TERM."""
    notes: list[str] = []
    """What reading the samples noticed: a partial last line, a repeated header."""

    @classmethod
    def load_from(cls, run_dir: Path) -> Self:
        """Read ``run.json`` of a run's directory.

        Raises:
            InputError: there is none, or it is no run's record.
        """
        path = run_dir / RECORD_FILE
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise InputError(f"cannot read {path}: {why}", "give a run's directory") from error
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise InputError(
                f"{path} is no run's record: {where} {fault['msg']}", "give a run's directory"
            ) from error

    def save_to(self, run_dir: Path) -> None:
        """Write ``run.json``."""
        (run_dir / RECORD_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def run_directories(folder: Path) -> list[Path]:
    """The runs in a folder of results, by workload and start: ``WORKLOAD/STARTED`` below it."""
    return sorted(path.parent for path in folder.glob(f"*/*/{RECORD_FILE}"))
