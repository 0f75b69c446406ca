"""What only some workloads measure: each measurement a module, named in the workload's file."""

from collections.abc import Callable

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


def measure(subject: Subject) -> Measurement:
    """Everything that the subject's workload measures besides, one after another."""
    found = [MEASUREMENTS[name](subject) for name in subject.workload.measurements]
    return Measurement(
        own={key: value for one in found for key, value in one.own.items()},
        sections=[section for one in found for section in one.sections],
        reasons=[reason for one in found for reason in one.reasons],
    )
