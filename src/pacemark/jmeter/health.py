"""The generator's own health: processor time, garbage collection, and what JMeter says it sent."""

import math
import re
from bisect import bisect_left
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

_SUMMARY = re.compile(r"summary =\s+(\d+) in .*? Err:\s+(\d+)")
_SLOTS = re.compile(r" pacing: stage \d+ of \d+: (\d+) slots, (\d+) taken")
_NEVER_SENT = re.compile(r"pacing: (\d+) slots were handed over and never sent")
_TROUBLE = re.compile(r"(?: ERROR \S+|Stopping Test: \S+?:) (.*)")
_JAVA_OPTIONS = re.compile(r"(?:NOTE: )?Picked up \w*JAVA\w*OPTIONS: ")
"""Java says so of every start where they are set. They can hold a secret."""
_PAUSE = re.compile(r"^\[(?P<at>[^]]+)\].*\bGC\(\d+\) Pause .* (?P<ms>\d+(?:\.\d+)?)ms\s*$")


class CpuReading(NamedTuple):
    """Processor seconds used until an instant, in epoch seconds."""

    at: float
    seconds: float


class Pauses(BaseModel):
    """Stop-the-world pauses of the garbage collector. Times in milliseconds."""

    model_config = ConfigDict(frozen=True)

    count: int
    total_ms: float
    max_ms: float


def cpu_between(readings: list[CpuReading], start: float, end: float) -> float | None:
    """Processor seconds used in [start, end], epoch seconds, by linear interpolation between readings.

    None when the readings do not reach over at least half of it.
    """
    readings = [reading for reading in readings if not math.isnan(reading.seconds)]
    if len(readings) < 2:
        return None
    covered = min(end, readings[-1].at) - max(start, readings[0].at)
    if covered < (end - start) / 2:
        return None
    return (_at(readings, end) - _at(readings, start)) / covered * (end - start)


def _at(readings: list[CpuReading], instant: float) -> float:
    index = bisect_left([reading.at for reading in readings], instant)
    if index == 0:
        return readings[0].seconds
    if index == len(readings):
        return readings[-1].seconds
    before, after = readings[index - 1], readings[index]
    share = (instant - before.at) / (after.at - before.at)
    return before.seconds + share * (after.seconds - before.seconds)


def pauses_between(gc_log: str, start: float, end: float) -> Pauses:
    """The pauses that a unified JVM log, decorated with UTC time, has in [start, end], epoch seconds."""
    found = [
        float(match["ms"])
        for line in gc_log.splitlines()
        if (match := _PAUSE.match(line)) and start <= _epoch(match["at"]) <= end
    ]
    return Pauses(count=len(found), total_ms=sum(found), max_ms=max(found, default=0.0))


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def reported_totals(jmeter_log: Path) -> tuple[int, int] | None:
    """Samples and errors of the whole test as JMeter's summariser last counted them; None without one."""
    if not jmeter_log.is_file():
        return None
    matches = _SUMMARY.findall(jmeter_log.read_text(encoding="utf-8", errors="replace"))
    return (int(matches[-1][0]), int(matches[-1][1])) if matches else None


def slots_taken(jmeter_log: Path) -> list[tuple[int, int]]:
    """Slots planned and slots taken by a thread, a pair a stage, as the plan's pacing logged at its end.

    What one thread handed over to others, which never came to it, counts as not taken in the last stage.
    """
    if not jmeter_log.is_file():
        return []
    return slots_of(jmeter_log.read_text(encoding="utf-8", errors="replace"))


def slots_of(log: str) -> list[tuple[int, int]]:
    """As ``slots_taken``, of a log's text."""
    pairs = [(int(slots), int(taken)) for slots, taken in _SLOTS.findall(log)]
    if pairs:
        slots, taken = pairs[-1]
        pairs[-1] = slots, taken - sum(map(int, _NEVER_SENT.findall(log)))
    return pairs


def log_errors(jmeter_log: Path, limit: int = 3) -> list[str]:
    """The first reasons that JMeter logged for trouble: errors, and what made a plan stop the test."""
    if not jmeter_log.is_file():
        return []
    lines = jmeter_log.read_text(encoding="utf-8", errors="replace").splitlines()
    return list(dict.fromkeys(match[1] for line in lines if (match := _TROUBLE.search(line))))[:limit]


def last_lines(output: Path, limit: int = 2) -> list[str]:
    """The last lines that JMeter printed, where it failed before it had a log."""
    lines = map(str.strip, output.read_text(encoding="utf-8", errors="replace").splitlines())
    return [line for line in lines if line and not _JAVA_OPTIONS.match(line)][-limit:]
