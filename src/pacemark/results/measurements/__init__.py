"""What only some workloads measure: each measurement a module, named in the workload's file."""

from collections.abc import Callable

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements import (
    breaking_point,
    connections,
    journey,
    leak,
    recovery,
    servers,
    stages,
    streams,
    tax,
)
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.record import Window
from pacemark.workloads.model import Workload

MEASUREMENTS: dict[str, Callable[[Subject], Measurement]] = {
    "breaking_point": breaking_point.measure,
    "connections": connections.measure,
    "journey": journey.measure,
    "leak": leak.measure,
    "recovery": recovery.measure,
    "servers": servers.measure,
    "stages": stages.measure,
    "streams": streams.measure,
    "tax": tax.measure,
}


FROM_SAMPLES = frozenset({"connections", "servers", "streams"})
"""Measurements whose figures for objectives need no more than the samples and a window."""


def measure_samples(workload: Workload, digest: Digest, window: Window) -> dict[tuple[str, str], Own]:
    """The workload's own figures of samples that came without a run, as far as samples alone tell them."""
    subject = Subject(workload=workload, load=workload.scales["full"], window=window, digest=digest)
    names = FROM_SAMPLES.intersection(workload.measurements)
    return {key: value for name in names for key, value in MEASUREMENTS[name](subject).own.items()}


def measure(subject: Subject) -> Measurement:
    """Everything that the subject's workload measures besides, one after another."""
    found = [MEASUREMENTS[name](subject) for name in subject.workload.measurements]
    return Measurement(
        own={key: value for one in found for key, value in one.own.items()},
        sections=[section for one in found for section in one.sections],
        reasons=[reason for one in found for reason in one.reasons],
        judges_generator=any(one.judges_generator for one in found),
    )
