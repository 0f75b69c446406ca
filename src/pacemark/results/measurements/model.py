"""What a measurement is made from, and what it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pacemark.results.digest import Digest
from pacemark.results.holds import CpuShare
from pacemark.results.judge import Own
from pacemark.results.record import Column, Reason, Section, Window
from pacemark.results.statistics import PERCENTS
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload

GATEWAY = "gateway"
"""How the names of the services begin whose processes are the gateway's own."""
MB = 1e6
"""Bytes."""


def latency_columns(names: Iterable[str], *, counted_in: str, has_bars: bool = False) -> list[Column]:
    """A column of milliseconds for each name, such as ``P95`` or ``Max``; percentiles of the samples that the
    column ``counted_in`` counts."""
    return [
        Column(
            name=name,
            unit="ms",
            has_bars=has_bars,
            percentile=name.lower() if name.lower() in PERCENTS else "",
            counted_in=counted_in,
        )
        for name in names
    ]


@dataclass(frozen=True)
class ProcessReading:
    """One look at a process that Pacemark started."""

    at_s: float
    """Seconds from the first sample."""
    service: str
    memory_bytes: int
    """Resident set size, children's included."""
    connections: int | None
    """Established TCP connections; None where they were not counted."""
    cpu_s: float
    """Processor seconds used since the process started."""

    @property
    def is_gateways(self) -> bool:
        """Whether the service is the gateway, or one of several."""
        return self.service.startswith(GATEWAY)


@dataclass(frozen=True)
class Probe:
    """A short load of one rate, made after the main load to look closer at what that found."""

    load: Load
    digest: Digest
    cpu_share: CpuShare


@dataclass(frozen=True)
class PoolSeen:
    """What PgBouncer's gauges told of its pool during a load; a gateway's own pool has none."""

    waiting: float | None
    """Clients that waited for a connection at once, at most; None where that was not told."""
    use: float | None
    """Its connections at work, in percent, at most; None where that was not told."""
    waits_s: tuple[float, float] | None
    """From when to when clients waited first, where that lasted; seconds from the first sample."""
    is_whole: bool
    """Whether it was told from the load's start to its end."""


@dataclass(frozen=True)
class Subject:
    """A run, as far as measurements need it."""

    workload: Workload
    load: Load
    window: Window
    digest: Digest
    """All of it, lifetimes too."""
    processes: Sequence[ProcessReading] = ()
    """Empty where the gateway's processes are not ours to look at."""
    cut_short: bool = False
    """Whether the load ended before its time."""
    cpu_share: CpuShare = lambda _: None
    """JMeter's."""
    probes: Sequence[Probe] = ()
    """In the order in which they were made."""
    pool: PoolSeen | None = None
    """None where nothing told of it."""
    probing_failed: str = ""
    """Why there are fewer probes than it takes, empty when there are enough."""


@dataclass(frozen=True)
class Measurement:
    """What was found: figures for objectives by metric and unit, parts of the report, reasons."""

    own: dict[tuple[str, str], Own] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    """Warnings, and what makes the run ``fail`` or ``invalid`` beside its objectives."""
    judges_generator: bool = False
    """Whether JMeter's part was looked at rate by rate, so that what was found holds wherever else it was the
    limit."""
