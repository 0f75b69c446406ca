"""The vocabulary of a workload: requests and their weights, true answers, the load, the objectives."""

from abc import ABC, abstractmethod
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pacemark.errors import InputError
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

ScaleName = Literal["full", "ci", "local", "smoke"]
SCALES: tuple[ScaleName, ...] = ("full", "ci", "local", "smoke")

Feed = Literal["timezones", "tool_names", "test_messages", "resource_uris"]


class Vocabulary(BaseModel):
    """The base of what a workload file says."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Check(Vocabulary):
    """What a true answer looks like: the value that a JSONPath must have.

    The HTTP status needs no check here: JMeter fails every status from 400 on by itself.
    """

    name: str
    """What holds when it passes, as a reader of the plan would say it."""
    path: str
    """A JSONPath in Jayway's dialect, which is the one that JMeter's assertion speaks."""
    expect: str
    """The value as JSON or, with ``regex``, a regular expression that the whole value matches."""
    regex: bool = False


class Absence(Vocabulary):
    """What no true answer contains: text that a regular expression finds in its body."""

    name: str
    pattern: str


class Weighted(Vocabulary):
    """One of several that come in turn."""

    weight: float = Field(gt=0, le=100)
    """Percent of all of them."""


W = TypeVar("W", bound=Weighted)


def _add_up(items: tuple[W, ...]) -> tuple[W, ...]:
    if abs(sum(item.weight for item in items) - 100) > 1e-9:
        raise ValueError("the weights do not add up to 100 %")
    return items


Whole = Annotated[tuple[W, ...], AfterValidator(_add_up)]
"""Those that come in turn, with weights of 100 % together."""


class Request(Weighted):
    """One kind of request in the mix, and how a true answer to it is told from a false one."""

    label: str
    method: Literal["GET", "POST"]
    path: str
    """Below the gateway's URL."""
    body: str = ""
    check: Check
    """One, for JMeter parses the answer anew for each and writes only the first one's finding."""
    absences: tuple[Absence, ...] = ()
    feeds: tuple[Feed, ...] = ()
    """The data files whose next row this request takes."""


class Workload(Vocabulary, ABC):
    """One of the ten: everything that is said about it, said once. How its users act is its subclass's."""

    name: str
    title: str
    protocol: str
    summary: str
    objectives: tuple[Objective, ...]
    scales: dict[ScaleName, Load]
    calls_mcp: bool = False
    """Whether tools and resources must be there to call."""
    signs_in: bool = False
    """Whether its users sign in to the Admin UI, and do without a token."""
    measurements: tuple[str, ...] = ()
    """Its own measurements beside those of every run, by the names in ``results/measurements``."""

    @model_validator(mode="after")
    def _scales_are_whole(self) -> Self:
        if missing := set(SCALES) - set(self.scales):
            raise ValueError(f"{self.name} lacks the scales {sorted(missing)}")
        if len({load.shape for load in self.scales.values()}) > 1:
            raise ValueError(f"the scales of {self.name} differ in shape")
        return self

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """The labels that a run of this workload must show."""

    @property
    @abstractmethod
    def described(self) -> tuple[tuple[str, str, str], ...]:
        """For the reference page, of each label: itself, its share or how often, what a true answer is."""

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Every data file that is read, once."""
        return ()

    @property
    def handlers(self) -> dict[str, str]:
        """By label, the handler by which the gateway counts it, such as ``GET /tools``; where it does."""
        return {}

    def load_at(self, scale: str) -> Load:
        """The load at a named scale or at a number by which ``full`` is multiplied.

        Raises:
            InputError: the scale is neither a name nor a number above 0.
        """
        if scale in self.scales:
            return self.scales[scale]
        try:
            factor = float(scale)
        except ValueError:
            factor = 0.0
        if not 0 < factor <= 100:
            raise InputError(
                f"'{scale}' is no scale", f"use one of {', '.join(SCALES)}, or a number such as 0.1"
            )
        return self.scales["full"].scaled(factor)


class Mix(Workload):
    """Every user sends the request of the next slot: requests by weight, at the load's rate."""

    requests: Whole[Request]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(request.label for request in self.requests)

    @property
    def described(self) -> tuple[tuple[str, str, str], ...]:
        return tuple(
            (
                request.label,
                f"{request.weight:g} %",
                "; ".join([request.check.name, *(absence.name for absence in request.absences)]),
            )
            for request in self.requests
        )

    @property
    def feeds(self) -> tuple[Feed, ...]:
        return tuple(dict.fromkeys(feed for request in self.requests for feed in request.feeds))

    @property
    def handlers(self) -> dict[str, str]:
        return {request.label: f"{request.method} {request.path}" for request in self.requests}
