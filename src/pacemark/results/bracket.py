"""Between which rates a gateway breaks: what the stages of a load found, made narrower by probes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pacemark.results.holds import Hold

PRECISION = 0.1
"""How much higher than the highest rate held the lowest that was not may be."""

MOST_IN_VAIN = 2
"""Probes in a row that told nothing, after which no more are made."""


@dataclass(frozen=True)
class Bracket:
    """The highest rate held and the lowest that was not.

    Without ``broke`` all that was asked for was held; without ``held`` nothing was, but for ``untried``.
    """

    held: Hold | None = None
    broke: Hold | None = None
    untried: Hold | None = None
    """Where nothing was held: the highest rate below ``broke`` whose hold was too short to be judged."""
    unclear: str = ""
    """Why neither of both can be told, empty where they can."""
    is_fault: bool = False
    """Whether what made it unclear was JMeter or this machine, not the size of the load."""

    @classmethod
    def of(cls, levels: Sequence[Hold], probes: Sequence[Hold]) -> Self:
        """From holds of rising rate up to the first that was not held, and probes in the order they were
        made, each between the two that were known then.

        Where JMeter was the limit nothing is learnt. That is no harm below a rate that was held, nor in one
        probe, which is made again.
        """
        held: Hold | None = None
        broke: Hold | None = None
        lost: Hold | None = None
        for level in levels:
            if level.outcome == "held":
                held, lost = level, None
            elif level.outcome == "broke":
                broke = level
                break
            elif level.outcome == "generator":
                lost = lost or level
        if lost is not None and (held is None or broke is None):
            return cls(held, unclear=_unclear(lost), is_fault=True)
        if held is None and broke is None:
            return cls(unclear=f"every hold is too short: in {levels[-1].name} {levels[-1].why}")
        if broke is None and levels[-1].outcome == "too few":
            return cls(held, unclear=f"the hold of the highest rate is too short: {levels[-1].why}")
        in_vain = 0
        for probe in probes:
            in_vain = 0 if probe.outcome in ("held", "broke") else in_vain + 1
            if probe.outcome == "held":
                held = probe
            elif probe.outcome == "broke":
                broke = probe
        if in_vain >= MOST_IN_VAIN:
            return cls(held, broke, unclear=_unclear(probes[-1]), is_fault=True)
        return cls(held, broke, None if held else _untried(levels, broke))

    @property
    def is_open(self) -> bool:
        """Whether a probe between both would tell more."""
        if self.untried is not None:
            return True
        if self.held is None or self.broke is None or self.unclear:
            return False
        return self.broke.asked_per_s > self.held.asked_per_s * (1 + PRECISION) * (1 + 1e-9)

    @property
    def between_per_s(self) -> float:
        """The rate that halves the bracket: the geometric mean, for its precision is a ratio. Where nothing
        was held, the one that was not tried."""
        if self.untried is not None:
            return self.untried.asked_per_s
        assert self.held is not None
        assert self.broke is not None
        return math.sqrt(self.held.asked_per_s * self.broke.asked_per_s)


def _unclear(hold: Hold) -> str:
    return f"at {hold.asked_per_s:,.4g} requests a second {hold.why}"


def _untried(levels: Sequence[Hold], broke: Hold | None) -> Hold | None:
    below = [
        one for one in levels if one.outcome == "too few" and broke and one.asked_per_s < broke.asked_per_s
    ]
    return below[-1] if below else None
