"""Users that sign in and go from page to page: steps as data, before the loop, in it, and after it."""

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from pacemark.workloads.model import Vocabulary, Workload

Part = Literal["text", "headers", "code"]

SIGNED_OUT = "signed out"
"""What is said of an answer that sends a user who had signed in back to the login page."""


class Look(Vocabulary):
    """What a true answer shows, or never shows."""

    name: str
    """What holds where it does, as a reader of the plan would say it."""
    otherwise: str
    """What is said of an answer where it does not hold: a kind of failure in the report."""
    part: Part = "text"
    pattern: str
    """A regular expression that is found there. Variables of the plan are filled in."""
    absent: bool = False
    """Whether a true answer is one where it is not found."""


class Take(Vocabulary):
    """A value that later steps need: one group's text, of a match taken at random where there are several."""

    variable: str
    pattern: str
    part: Literal["text", "headers"] = "text"
    keep: bool = False
    """Whether the variable stays as it was where nothing is found; else it becomes ``none``."""


class Step(Vocabulary):
    """One request of a user, and how a true answer to it is told from any other."""

    label: str
    path: str
    """A whole URL, by variables of the plan; those after its question mark are encoded."""
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    form: dict[str, str] = Field(default_factory=dict)
    """The fields of a form that is sent, encoded."""
    looks: tuple[Look, ...]
    takes: tuple[Take, ...] = ()
    remedy: str = ""
    """What to do about a gateway that never gives a true answer to it."""


class Page(Vocabulary):
    """What a user opens with one click: steps without a pause between them. The think time comes after."""

    name: str
    steps: tuple[Step, ...]
    once: bool = False
    """Whether a user opens it in the first round only."""


class Journey(Workload):
    """Every user signs in, goes round and round through the pages while the load lasts, and signs out.

    Who could not sign in tries again after a think time. A user signs out also when the time is up, and no
    page begins after that.
    """

    before: tuple[Step, ...]
    """Signing in. The last step sets ``signed_in``."""
    pages: tuple[Page, ...]
    after: tuple[Step, ...]
    """Signing out."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        taken = {take.variable for step in self.before for take in step.takes}
        if "signed_in" not in taken:
            raise ValueError(f"no step before the pages of {self.name} tells who signed in")
        if any(load.think_s is None for load in self.scales.values()):
            raise ValueError(f"every scale of {self.name} needs a think time")
        return self

    @property
    def steps(self) -> Iterator[tuple[Step, str]]:
        """Every step in its order, with how often a user takes it."""
        yield from ((step, "once") for step in self.before)
        for page in self.pages:
            yield from ((step, "once" if page.once else "every round") for step in page.steps)
        yield from ((step, "once, at the end") for step in self.after)

    @property
    def round(self) -> tuple[str, ...]:
        """The labels of a user's round, each as often as it comes in it."""
        return tuple(step.label for page in self.pages if not page.once for step in page.steps)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.label for step, _ in self.steps))

    @property
    def handlers(self) -> dict[str, str]:
        """The Admin UI's own paths, wherever it is mounted."""
        return {step.label: f"{step.method} {_handler(step.path)}" for step, _ in self.steps}

    @property
    def described(self) -> tuple[tuple[str, str, str], ...]:
        rows: dict[str, tuple[str, str, str]] = {}
        for step, often in self.steps:
            rows.setdefault(step.label, (step.label, often, "; ".join(look.name for look in step.looks)))
        return tuple(rows.values())


def _handler(path: str) -> str:
    """``/admin/tools/{tool_id}``: without its query, ids by their names."""
    below = path.partition("?")[0].replace("${GATEWAY_ADMIN_URL}", "/admin").replace("${GATEWAY_URL}", "")
    return below.replace("${", "{")
