"""The load over time: a value that answers "what rate at time t"."""

import math
from collections.abc import Iterator
from itertools import groupby
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Stage(BaseModel):
    """A stretch of the load: for ``seconds``, from one rate (requests a second) linearly to another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seconds: float = Field(gt=0)
    from_per_s: float = Field(ge=0)
    to_per_s: float = Field(ge=0)
    threads: int = Field(ge=1)

    @property
    def is_hold(self) -> bool:
        """Whether the rate is constant."""
        return self.from_per_s == self.to_per_s

    @property
    def slots(self) -> int:
        """Requests that the stage plans: one is due whenever the integral of the rate is a whole number."""
        return math.ceil(self.due_by(self.seconds) - 1e-9)

    def due_by(self, t: float) -> float:
        """Requests due in the first ``t`` seconds of this stage: the integral of the rate."""
        t = min(max(t, 0.0), self.seconds)
        reached = self.from_per_s + (self.to_per_s - self.from_per_s) * (t / self.seconds)
        return (self.from_per_s + reached) / 2 * t


class Load(BaseModel):
    """Stages one after another, starting with the ramp-up in which the threads start.

    Without a ``shape`` these are the ramp-up and a steady stage. With one, its stages are stretched so that
    they last ``duration_s`` in all, with ``rate_per_s`` the highest of their rates and ``threads`` the most
    threads: every scale of a workload has the same shape. The duration includes the ramp-up, as JMeter's
    does; both are whole seconds, as JMeter's are.

    Either a rate is asked for, or every user thinks before the next page and the rate is what comes of it:
    then ``rate_per_s`` is None, ``think_s`` has the least and the most seconds, and nothing is ever due.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int = Field(ge=1)
    ramp_up_s: int = Field(ge=0)
    duration_s: int = Field(ge=1)
    rate_per_s: float | None = Field(default=None, gt=0)
    think_s: tuple[float, float] | None = None
    shape: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _ramp_up_ends(self) -> Self:
        if self.ramp_up_s >= self.duration_s:
            raise ValueError(
                f"the ramp-up ({self.ramp_up_s} s) must be shorter than the duration ({self.duration_s} s)"
            )
        return self

    @model_validator(mode="after")
    def _has_one_pace(self) -> Self:
        if (self.rate_per_s is None) == (self.think_s is None):
            raise ValueError("a load has a rate or a think time, one of them")
        if self.think_s and not 0 < self.think_s[0] <= self.think_s[1]:
            raise ValueError(f"a think time of {self.think_s[0]:g} to {self.think_s[1]:g} s is none")
        return self

    @property
    def highest_per_s(self) -> float:
        """The rate asked for or, with think time, the pages a second when every pause is the shortest."""
        return self.threads / self.think_s[0] if self.think_s else self.rate_per_s or 0.0

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What the shape makes of this load, or the ramp-up, when there is one, and the steady stage.

        Without a rate there are none.
        """
        if self.rate_per_s is None:
            return ()
        if self.shape:
            return self._stretched(self.rate_per_s)
        steady = Stage(
            name="steady",
            seconds=self.duration_s - self.ramp_up_s,
            from_per_s=self.rate_per_s,
            to_per_s=self.rate_per_s,
            threads=self.threads,
        )
        if not self.ramp_up_s:
            return (steady,)
        ramp = Stage(
            name="ramp-up",
            seconds=self.ramp_up_s,
            from_per_s=0,
            to_per_s=self.rate_per_s,
            threads=self.threads,
        )
        return (ramp, steady)

    def _stretched(self, rate_per_s: float) -> tuple[Stage, ...]:
        time = self.duration_s / sum(stage.seconds for stage in self.shape)
        rate = rate_per_s / max(max(stage.from_per_s, stage.to_per_s) for stage in self.shape)
        threads = self.threads / max(stage.threads for stage in self.shape)
        return tuple(
            Stage(
                name=stage.name,
                seconds=stage.seconds * time,
                from_per_s=stage.from_per_s * rate,
                to_per_s=stage.to_per_s * rate,
                threads=math.ceil(stage.threads * threads - 1e-9),
            )
            for stage in self.shape
        )

    @property
    def turns_per_s(self) -> list[float]:
        """The rates that it holds, without those that it passes on its way up or down to another."""
        held = [rate for rate, _ in groupby(stage.to_per_s for stage in self.stages if stage.is_hold)]
        inner = [
            held[at]
            for at in range(1, len(held) - 1)
            if (held[at] > held[at - 1]) == (held[at] > held[at + 1])
        ]
        return [*held[:1], *inner, *held[1:][-1:]]

    def timeline(self) -> Iterator[tuple[float, Stage]]:
        """Each stage with the second at which it starts."""
        start = 0.0
        for stage in self.stages:
            yield start, stage
            start += stage.seconds

    def rate_at(self, t: float) -> float:
        """The target in requests a second, ``t`` seconds from the start; 0 outside the load."""
        for start, stage in self.timeline():
            if start <= t < start + stage.seconds:
                share = (t - start) / stage.seconds
                return stage.from_per_s + share * (stage.to_per_s - stage.from_per_s)
        return 0.0

    def threads_at(self, t: float) -> int:
        """The threads of the stage at ``t`` seconds from the start; all of them outside the load."""
        for start, stage in self.timeline():
            if start <= t < start + stage.seconds:
                return stage.threads
        return self.threads

    def due_between(self, from_s: float, to_s: float) -> float:
        """Requests due in [from_s, to_s), in seconds from the start."""
        return sum(
            stage.due_by(to_s - start) - stage.due_by(from_s - start) for start, stage in self.timeline()
        )

    def scaled(self, factor: float) -> Self:
        """The same shape, with rate, threads and times multiplied by ``factor``.

        Threads and seconds are rounded up, so at least one thread and one second are left of each. Think
        time stays as it is: people do not think faster where they are fewer.
        """
        ramp_up_s = math.ceil(self.ramp_up_s * factor)
        return type(self)(
            threads=math.ceil(self.threads * factor),
            ramp_up_s=ramp_up_s,
            duration_s=max(math.ceil(self.duration_s * factor), ramp_up_s + 1),
            rate_per_s=None if self.rate_per_s is None else self.rate_per_s * factor,
            think_s=self.think_s,
            shape=self.shape,
        )
