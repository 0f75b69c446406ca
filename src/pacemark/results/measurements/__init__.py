"""What only some workloads measure: each measurement a module, named in the workload's file."""

from collections.abc import Callable

from pacemark.results.measurements import streams
from pacemark.results.measurements.model import Measurement, Subject

MEASUREMENTS: dict[str, Callable[[Subject], Measurement]] = {
    "streams": streams.measure,
}


def measure(subject: Subject) -> Measurement:
    """Everything that the subject's workload measures besides, one after another."""
    found = [MEASUREMENTS[name](subject) for name in subject.workload.measurements]
    return Measurement(
        own={key: value for one in found for key, value in one.own.items()},
        sections=[section for one in found for section in one.sections],
        reasons=[reason for one in found for reason in one.reasons],
    )
