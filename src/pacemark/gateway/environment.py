"""Python environments of their own, for the gateway and for an exporter: made once with uv from a locked,
hashed list, in the user's cache."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path

import uv

from pacemark.cache import cache_root
from pacemark.errors import SetupError

PACKAGE = "mcp-contextforge-gateway"
_ANOTHER = "PACEMARK_GATEWAY_PYTHON"
_ASK_VERSION = "from importlib.metadata import version; print(version({package!r}))"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class GatewayEnvironment:
    """A Python that has the gateway, and the gateway's version as its package names it."""

    python: Path
    version: str


@dataclass(frozen=True)
class _Locked:
    """What an environment is made of."""

    folder: str
    package: str
    what: str
    list_file: str
    """Beside this module: every package that is installed, with hashes; no other is."""


_GATEWAY = _Locked("gateway", PACKAGE, "the gateway", "gateway-requirements.txt")
_POOL_EXPORTER = _Locked(
    # Debian's package of it crashes on Debian's PgBouncer. The list has psycopg2-binary in the place of its
    # psycopg2, which a compiler would have to build.
    "pgbouncer-exporter",
    "prometheus-pgbouncer-exporter",
    "PgBouncer's exporter",
    "exporter-requirements.txt",
)


def ensure_environment(
    progress: Progress = lambda _: None, *, cache: Path | None = None
) -> GatewayEnvironment:
    """The environment, made when it is missing or incomplete; at once and without network when it is there.

    ``PACEMARK_GATEWAY_PYTHON`` names another Python that has the gateway; nothing is installed then.
    Several processes may ask at once: one makes it, the others wait.

    Args:
        progress: told what is being done, a line at a time.
        cache: where environments are kept, instead of the user's cache directory.

    Raises:
        SetupError: it cannot be made; one line says why.
    """
    if python := os.environ.get(_ANOTHER):
        return GatewayEnvironment(Path(python), _installed_version(Path(python), _GATEWAY))
    return GatewayEnvironment(*_ensure(_GATEWAY, progress, cache))


def ensure_pool_exporter(progress: Progress = lambda _: None) -> Path:
    """PgBouncer's exporter, as a program; made when it is missing.

    Raises:
        SetupError: it cannot be made; one line says why.
    """
    python, _ = _ensure(_POOL_EXPORTER, progress, None)
    return python.with_name("pgbouncer-exporter")


def _ensure(locked: _Locked, progress: Progress, cache: Path | None) -> tuple[Path, str]:
    """Its Python, and the version of its package."""
    home = (cache or cache_root() / locked.folder).absolute() / _key(locked)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _held(home.with_suffix(".lock"), locked, progress) as lock_fd:
            if not _is_complete(home):
                _build(home, locked, lock_fd, progress)
            return _python(home), _marker(home).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SetupError(
            f"the environment of {locked.what} cannot be made in {home}: {error.strerror or error}",
            "make room and check the permissions, then try again",
        ) from error


def _key(locked: _Locked) -> str:
    facts = (platform.python_implementation(), platform.python_version(), platform.machine())
    return hashlib.sha256((_lock_text(locked) + " ".join(facts)).encode()).hexdigest()[:16]


def _lock_text(locked: _Locked) -> str:
    return (resources.files("pacemark.gateway") / locked.list_file).read_text(encoding="utf-8")


def _python(home: Path) -> Path:
    return home / "bin" / "python"


def _marker(home: Path) -> Path:
    return home / "complete"


def _is_complete(home: Path) -> bool:
    """The marker is written last; the interpreter is a link that may have lost its target since."""
    return _marker(home).exists() and _python(home).exists()


@contextmanager
def _held(path: Path, locked: _Locked, progress: Progress) -> Iterator[int]:
    """Hold the lock. uv inherits it, so that one whose Pacemark was killed is waited for too."""
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another Pacemark that is installing {locked.what}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _build(home: Path, locked: _Locked, lock_fd: int, progress: Progress) -> None:
    """Make it in place, since environments cannot be moved; what an interrupted one left is removed."""
    if home.exists():
        shutil.rmtree(home)
    packages = sum("==" in line for line in _lock_text(locked).splitlines())
    progress(f"making an environment for {locked.what} ({packages} packages at most)")
    uv_run = partial(_uv, locked, lock_fd, progress)
    uv_run("venv", "--quiet", "--python", sys.executable, str(home))
    lock = home / "requirements.txt"
    lock.write_text(_lock_text(locked), encoding="utf-8")
    uv_run(
        *("pip", "install", "--python", str(_python(home)), "--require-hashes", "--no-deps"),
        *("--compile-bytecode", "--requirements", str(lock)),
    )
    version = _installed_version(_python(home), locked)
    unfinished = home / "complete.partial"
    unfinished.write_text(version + "\n", encoding="utf-8")
    unfinished.replace(_marker(home))
    progress(f"installed {locked.package} {version}")


def _uv(locked: _Locked, lock_fd: int, progress: Progress, *args: str) -> None:
    said: list[str] = []
    with subprocess.Popen(
        [uv.find_uv_bin(), *args],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",  # uv also reads settings from where it runs
        pass_fds=[lock_fd],
    ) as running:
        for line in running.stderr or ():
            said.append(line.strip())
            if not said[-1].startswith(("+", "error", "cause", "hint")):
                progress(said[-1])
    if running.returncode != 0:
        start = next((n for n, line in enumerate(said) if line.startswith("error")), 0)
        why = " ".join(said[start:])
        raise SetupError(
            f"{locked.what} cannot be installed: {why or f'uv ended with {running.returncode}'}", _hint(why)
        )


def _hint(why: str) -> str:
    if "No space left" in why:
        return f"make room in {cache_root()}, then try again"
    if "ash mismatch" in why:
        return "a package is not what the lock file says; check the package index in use"
    if any(word in why for word in ("network", "Failed to fetch", "connect", "timed out", "dns error")):
        return "check the network, or uv's settings for an index that can be reached, then try again"
    return f"try again; another Python that has the gateway can be named by {_ANOTHER}"


def _installed_version(python: Path, locked: _Locked) -> str:
    try:
        asked = subprocess.run(
            [str(python), "-c", _ASK_VERSION.format(package=locked.package)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        raise SetupError(
            f"{python} has no {locked.package}", f"install it there, or unset {_ANOTHER}"
        ) from None
    return asked.stdout.strip()
