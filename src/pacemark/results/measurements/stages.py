"""Figures of every hold of a load in stages: the request's table."""

from collections.abc import Iterable, Sequence

from pacemark.results.holds import Hold, holds
from pacemark.results.measurements.model import MB, Measurement, ProcessReading, Subject, latency_columns
from pacemark.results.record import Column, Section, Window

NOT_MEASURED = " The gateway's CPU and memory: not measured, Pacemark did not start its processes."

COLUMNS = (
    Column(name="Hold"),
    Column(name="Asked", unit="/s"),
    Column(name="Achieved", unit="/s"),
    *latency_columns(("P50", "P95", "P99"), counted_in="Samples"),
    Column(name="Errors", unit="%"),
    Column(name="CPU", unit="%"),
    Column(name="Memory", unit="MB"),
    Column(name="Samples"),
)


def reached(subject: Subject) -> list[Hold]:
    """The holds of the load; of one that was cut short, those that it came to the end of."""
    found = holds(subject.load, subject.digest, subject.cpu_share)
    end_s = subject.digest.window.to_s
    return [hold for hold in found if not subject.cut_short or hold.window.to_s <= end_s]


def measure(subject: Subject) -> Measurement:
    """The table, a row a hold in the order of time."""
    found = reached(subject)
    rows = [_row(hold, subject.processes) for hold in found]
    section = Section(
        title="Stages",
        summary=_summary(found) + ("" if subject.processes else NOT_MEASURED),
        note="Each row is a stage of constant rate, without the climb to it. Latencies are response times. "
        "CPU (of one core) and memory (the most) are those of the gateway's processes, where Pacemark "
        "started them or Prometheus has them.",
        columns=list(COLUMNS),
        rows=rows,
    )
    return Measurement(sections=[section])


def _summary(found: Sequence[Hold]) -> str:
    judged = [hold for hold in found if hold.outcome != "too few"]
    if not judged:
        return f"{len(found)} holds, each with too few requests to be judged."
    held = sum(hold.outcome == "held" for hold in judged)
    fastest = max(judged, key=lambda hold: hold.achieved_per_s)
    return (
        f"{held} of {len(judged)} holds were held. The most requests a second were "
        f"{fastest.achieved_per_s:,.4g}, of {fastest.asked_per_s:,.4g} asked for."
    )


def _row(hold: Hold, readings: Sequence[ProcessReading]) -> list[str | int | float | None]:
    response, inside = hold.response, _readings(readings, hold.window)
    return [
        hold.name,
        hold.asked_per_s,
        hold.achieved_per_s,
        response.p50,
        response.p95,
        response.p99,
        hold.error_percent,
        _cpu_percent(inside),
        _memory_mb(inside),
        response.count,
    ]


def _readings(readings: Iterable[ProcessReading], window: Window) -> list[ProcessReading]:
    return [
        reading for reading in readings if reading.is_gateways and window.from_s <= reading.at_s < window.to_s
    ]


def _memory_mb(readings: Iterable[ProcessReading]) -> float | None:
    """The most that the gateway's processes had together at one look; None without one."""
    together: dict[float, int] = {}
    for reading in readings:
        together[reading.at_s] = together.get(reading.at_s, 0) + reading.memory_bytes
    return max(together.values()) / MB if together else None


def _cpu_percent(readings: Iterable[ProcessReading]) -> float | None:
    """Processor seconds between each process's first look and its last, over the time between the first look
    and the last of all; None with fewer than two looks."""
    looks = sorted(readings, key=lambda one: one.at_s)
    if not looks or looks[0].at_s == looks[-1].at_s:
        return None
    first = {one.service: one.cpu_s for one in reversed(looks)}
    last = {one.service: one.cpu_s for one in looks}
    used = sum(last[service] - first[service] for service in last)
    return 100 * used / (looks[-1].at_s - looks[0].at_s)
