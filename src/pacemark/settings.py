"""What the user has set: command line over environment over ``pacemark.toml`` over the workload's default."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pacemark.errors import InputError
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload
from pacemark.workloads.objective import Objective

FILE = "pacemark.toml"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def seconds(text: str | float) -> int:
    """``90s``, ``10m``, ``24h`` or a bare number of seconds, as whole seconds.

    Raises:
        InputError: it is none of these, negative, or not a whole number of seconds.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", str(text))
    value = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if value < 0 or value != int(value):
        raise InputError(f"cannot read the time '{text}'", "write 90s, 10m, 24h or whole seconds")
    return int(value)


def milliseconds(text: str) -> float:
    """``50ms``, ``0.05s`` or a bare number of seconds, as milliseconds above 0.

    Raises:
        InputError: it is none of these.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|)\s*", text)
    value = float(match[1]) * (1 if match[2] == "ms" else 1000) if match else 0.0
    if value <= 0:
        raise InputError(f"cannot read the interval '{text}'", "write 50ms or 0.05s: threads / rate")
    return value


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(_Table):
    """The parts of a load that a user may set; None leaves the scale's own. Rate in requests a second."""

    rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    threads: int | None = Field(default=None, ge=1)
    ramp_up: int | None = Field(default=None, ge=0)
    duration: int | None = Field(default=None, ge=1)

    @classmethod
    def read(cls, values: Mapping[str, str | float | None], names: Mapping[str, str]) -> Self:
        """From texts or numbers by field; ``names`` says what the user calls each field.

        Raises:
            InputError: one of them cannot be read or is out of range; it is named.
        """
        read: dict[str, str | float | None] = {}
        for field, value in values.items():
            try:
                is_time = field in ("ramp_up", "duration") and value is not None
                read[field] = seconds(value) if is_time else value  # type: ignore[arg-type]
            except InputError as error:
                raise InputError(f"{names[field]}: {error.message}", error.hint) from None
        try:
            return cls.model_validate(read)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(
                f"{names[str(first['loc'][0])]}: {first['msg']}, not '{first['input']}'", "change or unset it"
            ) from None

    @property
    def is_set(self) -> bool:
        """Whether it says anything."""
        return any(value is not None for _, value in self)

    def over(self, other: Self) -> Self:
        """This one, with ``other`` where it says nothing."""
        return self.model_copy(update={name: value for name, value in other if getattr(self, name) is None})

    def apply(self, load: Load) -> Load:
        """The load with these parts replaced.

        Raises:
            InputError: together they make no load, such as a ramp-up longer than the duration.
        """
        wanted = {
            "threads": self.threads,
            "ramp_up_s": self.ramp_up,
            "duration_s": self.duration,
            "rate_per_s": self.rate,
        }
        if load.think_s and self.rate is not None:
            raise InputError(
                "this workload has no rate: its users come as often as their think time allows",
                "leave the rate out; --threads sets how many users there are",
            )
        try:
            return Load.model_validate(
                load.model_dump() | {name: value for name, value in wanted.items() if value is not None}
            )
        except ValidationError as error:
            raise InputError(_first(error), "change --ramp-up, --duration, --threads or --rate") from None


class ForWorkload(_Table):
    """``[workloads.NAME]``: the load and the objectives of one workload."""

    rate: float | None = None
    threads: int | None = None
    ramp_up: str | int | None = None
    duration: str | int | None = None
    objectives: tuple[str, ...] = ()

    def shape(self, name: str) -> Shape:
        """The load it asks for.

        Raises:
            InputError: a value cannot be read or is out of range.
        """
        values = self.model_dump(exclude={"objectives"})
        return Shape.read(values, {field: f"{FILE}: workloads.{name}.{field}" for field in values})


class Tool(_Table):
    """``[[tools]]``: a tool that is safe to call under load, with its arguments (default: made up)."""

    name: str
    arguments: dict[str, Any] | None = None


class File(_Table):
    """``pacemark.toml``, whole."""

    gateway: str | None = None
    scale: str | None = None
    out: str | None = None
    engine: Literal["pinned", "home", "path"] = "pinned"
    heap_mb: int | None = Field(default=None, ge=256)
    ca_file: Path | None = None
    insecure: bool = False
    cert: Path | None = None
    key: Path | None = None
    tokens: Path | None = None
    prometheus: str | None = None
    loki: str | None = None
    loki_query: str = '{job=~".*gateway.*"}'
    grafana: str | None = None
    trace_url: str | None = None
    traces: bool = True

    @field_validator("trace_url")
    @classmethod
    def _leads_somewhere(cls, value: str | None) -> str | None:
        if value is not None and (not value.startswith(("http://", "https://")) or "{trace_id}" not in value):
            raise ValueError("write an http address with {trace_id} in it")
        return value

    tools: tuple[Tool, ...] = ()
    workloads: dict[str, ForWorkload] = {}

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it from ``folder``; an empty one when there is none.

        Raises:
            InputError: it is no TOML, or has a key or value that is not known.
        """
        path = folder / FILE
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is no TOML: {error}", "mend that line") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read: {error}", "write it as UTF-8 text") from None
        except ValidationError as error:
            raise InputError(
                f"{path}: {_first(error)}", "see docs/settings.md for what it may hold"
            ) from None

    @field_validator("workloads")
    @classmethod
    def _are_known(cls, value: dict[str, ForWorkload]) -> dict[str, ForWorkload]:
        if unknown := set(value) - set(WORKLOADS):
            raise ValueError(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
        return value

    def for_workload(self, name: str) -> ForWorkload:
        return self.workloads.get(name, ForWorkload())


VARIABLES = {
    "rate": "JMETER_TARGET_RPS",
    "threads": "JMETER_THREADS",
    "ramp_up": "JMETER_RAMP_UP",
    "duration": "JMETER_DURATION",
}
"""The request's variables for the parts of a load."""


def shape_from(environ: Mapping[str, str]) -> Shape:
    """The load that the request's ``JMETER_*`` variables ask for.

    Raises:
        InputError: one of them is no number of its kind.
    """
    return Shape.read({field: environ.get(name) or None for field, name in VARIABLES.items()}, VARIABLES)


class Loads(_Table):
    """The load of each workload that was chosen, and the scale that they started from."""

    scale: str
    loads: tuple[Load, ...]
    set_aside: str
    """What of the environment and the file a scale on the command line overruled; empty when nothing."""


def loads_for(
    chosen: Sequence[Workload], *, scale: str | None, typed: Shape, environ: Mapping[str, str], file: File
) -> Loads:
    """What the command line asks for, over the environment, over the file, over the workload's default.

    A scale on the command line is a whole load: then only what was typed beside it changes it.

    Raises:
        InputError: something cannot be read, or the parts make no load.
    """
    environment = shape_from(environ)
    written = [file.for_workload(one.name).shape(one.name) for one in chosen]
    name = scale or file.scale or "full"
    if scale is None:
        # JMETER_TARGET_RPS is set for all workloads at once: those without a rate have no use for it.
        unpaced = environment.model_copy(update={"rate": None})
        shapes = [
            typed.over(unpaced if one.load_at(name).think_s else environment).over(of_file)
            for one, of_file in zip(chosen, written, strict=True)
        ]
    else:
        shapes = [typed for _ in chosen]
    loads = tuple(shape.apply(one.load_at(name)) for shape, one in zip(shapes, chosen, strict=True))
    overruled = [VARIABLES[field] for field, value in environment if value is not None]
    overruled += [FILE] if any(one.is_set for one in written) else []
    aside = f"--scale {scale} goes before {', '.join(overruled)}" if scale and overruled else ""
    return Loads(scale=name, loads=loads, set_aside=aside)


def warm_up_for(load: Load, text: str | None) -> int:
    """The seconds at the start of a load that are not measured: ``text``, by default the ramp-up.

    Raises:
        InputError: it is no time, or nothing is left to measure.
    """
    warm_up_s = load.ramp_up_s if text is None else seconds(text)
    if warm_up_s >= load.duration_s:
        raise InputError(
            f"a warm-up of {warm_up_s} s leaves nothing of {load.duration_s} s to measure",
            "shorten --warm-up or lengthen --duration",
        )
    return warm_up_s


def objectives_for(workload: Workload, *texts: Sequence[str]) -> tuple[Objective, ...]:
    """The workload's objectives; those in ``texts``, later groups over earlier ones, replace or join them.

    One on elapsed replaces one on response, and the other way round; in one group both may stand, and so may
    a limit from above and one from below. Of two on the same side the last counts.

    Raises:
        InputError: one of them cannot be read.
    """
    chosen = list(workload.objectives)
    for group in texts:
        given = {(one.key, one.basis, one.worst): one for one in map(Objective.parse, group)}
        replaced = {key for key, *_ in given}
        chosen = _in_place([one for one in chosen if one.key not in replaced], chosen, given.values())
    return tuple(chosen)


def _in_place(kept: list[Objective], before: list[Objective], given: Iterable[Objective]) -> list[Objective]:
    """The given ones where those stood that they replace; the others at the end."""
    order = {one.key: n for n, one in reversed(list(enumerate(before)))}
    return sorted([*kept, *given], key=lambda one: order.get(one.key, len(before)))


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"]).removeprefix("Value error, ")
