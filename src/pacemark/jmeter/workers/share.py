"""One worker's part of a load, and how it fared."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from pacemark.jmeter.health import CpuReading, Pauses, cpu_between, pauses_between
from pacemark.jmeter.run import Execution
from pacemark.workloads.load import Load


def share_of(total: int, worker: int, workers: int) -> int:
    """How many of ``total`` are worker number ``worker``'s (from 0), when each takes every ``workers``-th.

    The shares of all differ by one at most and add up to ``total``.
    """
    return (total - worker + workers - 1) // workers


def share_properties(load: Load, worker: int, workers: int) -> dict[str, str]:
    """What makes one engine's plan its share: it has its own threads, and of all slots its own."""
    return {
        "WORKERS": str(workers),
        "WORKER": str(worker),
        "WORKER_THREADS": str(share_of(load.threads, worker, workers)),
    }


class Share(BaseModel):
    """What one worker did. Instants in epoch seconds of the controller's clock."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    worker: str
    """``host:port``."""
    number: int
    """From 0."""
    samples: str
    """Its own samples, below the run's directory; times in them are of its own clock. Empty without any."""
    digest: str = ""
    """Their digest by the controller's clock, where the worker made it."""
    unfetched: str = ""
    """Why the samples that the digest counts are not here, empty when they are."""
    machine: dict[str, str]
    java: str
    threads: int
    cores: float
    cpu: list[CpuReading]
    gc_log: str
    """The pauses; times in it are of the worker's clock."""
    offset_ms: int
    """How far the worker's clock is ahead of the controller's."""
    offset_within_ms: float
    clock_step_s: float
    """By how much that changed until the end."""
    started: int
    """Samples that the controller knows of, in a JTL or a digest."""
    errors: int
    slots: list[tuple[int, int]]
    reported: tuple[int, int] | None
    exit_code: int | None
    lost: str
    """How it was lost, empty when it was not."""
    trouble: list[str]
    """What its engine logged as errors."""

    def cpu_share(self, start: float, end: float) -> float | None:
        """Of the processor time that its engine could get."""
        seconds = cpu_between(self.cpu, start, end)
        return None if seconds is None else seconds / (self.cores * (end - start))

    def pauses(self, start: float, end: float) -> Pauses:
        """Garbage collection pauses of its engine."""
        ahead = self.offset_ms / 1000
        return pauses_between(self.gc_log, start + ahead, end + ahead)


class SharedExecution(Execution):
    """How the engines of all workers fared. Health is that of the worst: one is enough to spoil a run."""

    shares: list[Share]

    def cpu_seconds(self, start: float, end: float) -> float | None:
        """Of all engines; None when one of them is not known."""
        each = [cpu_between(share.cpu, start, end) for share in self.shares]
        known = [seconds for seconds in each if seconds is not None]
        return sum(known) if len(known) == len(each) else None

    def cpu_share(self, start: float, end: float) -> float | None:
        known = [share.cpu_share(start, end) for share in self.shares]
        return max((one for one in known if one is not None), default=None)

    def pauses(self, start: float, end: float) -> Pauses:
        return max((share.pauses(start, end) for share in self.shares), key=lambda pauses: pauses.total_ms)


def slots_together(shares: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Slots planned and taken by stage, of all engines; empty when one did not say."""
    if not all(shares) or len({len(one) for one in shares}) != 1:
        return []
    return [
        (sum(planned for planned, _ in stage), sum(taken for _, taken in stage))
        for stage in zip(*shares, strict=True)
    ]
