"""What went wrong, by outcome and label."""

from dataclasses import dataclass

from pacemark.results.outcomes import OK
from pacemark.results.statistics import Summary


@dataclass(frozen=True)
class Failure:
    """Samples of one label that ended in one outcome other than ``ok``."""

    outcome: str
    label: str
    count: int
    share: float
    """Of the label's samples, as a share of one."""


def failures(summary: Summary) -> list[Failure]:
    """Every outcome but ``ok`` of every label, the most frequent first."""
    found = [
        Failure(outcome, label, count, count / figures.count)
        for label, figures in summary.labels.items()
        for outcome, count in figures.outcomes.items()
        if outcome != OK and count
    ]
    return sorted(found, key=lambda failure: (-failure.count, failure.outcome, failure.label))
