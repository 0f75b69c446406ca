"""What the launcher is told (a :class:`Spec`) and what it tells (a :class:`State`), both without secrets."""

import json
from pathlib import Path
from typing import Annotated, Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Phase = Literal["starting", "ready", "failed", "stopping", "stopped"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpProbe(_Frozen):
    """Ready when a GET answers with the expected status."""

    kind: Literal["http"] = "http"
    url: str
    status: int = 200


class TcpProbe(_Frozen):
    """Ready when a connection is accepted."""

    kind: Literal["tcp"] = "tcp"
    host: str
    port: int


class CommandProbe(_Frozen):
    """Ready when a command, run in the service's environment, exits 0."""

    kind: Literal["command"] = "command"
    argv: tuple[str, ...]


Probe = Annotated[HttpProbe | TcpProbe | CommandProbe, Field(discriminator="kind")]


class Service(_Frozen):
    """One process: how it is started, when it is ready, how it is stopped."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str] = {}
    """Its whole environment but for the secrets."""
    secret_env: tuple[str, ...] = ()
    """Names of the secrets that it gets as environment variables."""
    probe: Probe | None
    """None for a task."""
    ends: bool = False
    """Whether it is a task: ready when it has ended with exit status 0."""
    user: str = ""
    """Whose process it is where the launcher is root's; empty, and elsewhere: the launcher's user."""
    ready_s: float = 90.0
    """Seconds it may take to be ready."""
    stop_signal: Literal["TERM", "INT", "QUIT"] = "TERM"
    stop_s: float = 10.0
    """Seconds it may take to stop before it is killed."""
    url: str = ""


class Spec(_Frozen):
    """A stack: services in levels. A level starts when the one before it is ready."""

    data_dir: Path
    """Holds ``state.json`` and one log file a service."""
    detached: bool = False
    """Whether it outlives the process that started it; else the end of standard input stops it."""
    remove_data_dir: bool = False
    """Whether the directory is removed once everything is down; only when not detached."""
    remove_after: tuple[Path, ...] = ()
    """Directories that are removed once everything is down, always."""
    levels: tuple[tuple[Service, ...], ...]


class ServiceState(BaseModel):
    """One service as it is now. ``pid_created`` is the process's creation time, in seconds since 1970."""

    pid: int
    pid_created: float
    url: str = ""
    ready: bool = False
    exit_code: int | None = None


class State(BaseModel):
    """``state.json``: what runs where."""

    phase: Phase = "starting"
    reason: str = ""
    """For ``failed``: which service, why, and its last log lines."""
    pid: int
    pid_created: float
    started: float
    """Seconds since 1970."""
    services: dict[str, ServiceState] = {}

    def save(self, data_dir: Path) -> None:
        """Write ``state.json``, atomically."""
        partial = data_dir / ".state.json"
        partial.write_text(self.model_dump_json(indent=2), encoding="utf-8")
        partial.replace(data_dir / "state.json")

    @classmethod
    def load(cls, data_dir: Path) -> "State | None":
        """Read ``state.json``; None when there is none (yet)."""
        try:
            return cls.model_validate_json((data_dir / "state.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValidationError, json.JSONDecodeError):
            return None


def process(pid: int, created: float) -> psutil.Process | None:
    """The live process with that pid that was created at that time: never another one with its pid."""
    try:
        found = psutil.Process(pid)
        same = abs(found.create_time() - created) < 2 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if same else None
