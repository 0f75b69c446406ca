"""The logs of a stack that runs on this machine: what its files grew by during a run."""

import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from pacemark.telemetry.log_lines import MOST_CHARACTERS, LogLine, gathered

_ROTATED = re.compile(r"[.-]\d[\dT_.:-]*(\.gz)?$")
"""What a rotation puts behind a log's name: ``.1``, ``.2.gz``, ``-20261126``, ``.2026-11-26_16``."""
_LONGEST = 16 * MOST_CHARACTERS
"""Bytes of one line; what follows is passed over."""


class _Place(NamedTuple):
    inode: int
    size: int


class LogFiles:
    """Remembers how far each file goes, and reads on from there later."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        """``files`` by service."""
        self._files = dict(files)
        self._begun = {service: _place(path) for service, path in files.items()}

    def lines(self, start: float, end: float) -> Iterator[LogLine]:
        """What was logged from ``start`` to ``end``, in epoch seconds, file by file.

        Where files were rotated meanwhile, the old ones that are still there are read too.
        """
        for service, path in self._files.items():
            for one in _since(path, start):
                with suppress(OSError, EOFError):
                    yield from self._of(service, one, start, end)

    def _of(self, service: str, path: Path, start: float, end: float) -> Iterator[LogLine]:
        begun = self._begun[service]
        with gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb") as file:
            now = _place(path)
            if begun and now and now.inode == begun.inode and now.size >= begun.size:
                file.seek(begun.size)
            for line in gathered(_texts(file), service):
                if start <= line.at < end:
                    yield line


def _since(path: Path, start: float) -> list[Path]:
    """The log and what it was rotated to since ``start``, the oldest first."""
    found: list[tuple[float, Path]] = []
    with suppress(OSError):
        for one in path.parent.iterdir():
            rest = one.name.removeprefix(path.name) if one.name.startswith(path.name) else None
            if rest is not None and (not rest or _ROTATED.fullmatch(rest)):
                found.append((one.stat().st_mtime, one))
    # A time-stamp may be of the clock's last tick.
    return [one for written, one in sorted(found) if one == path or written >= start - 1]


def _texts(file: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    """Its lines, of any length in flat memory."""
    while line := file.readline(_LONGEST):
        while len(line) == _LONGEST and not line.endswith(b"\n"):
            rest = file.readline(_LONGEST)
            if len(rest) < _LONGEST or rest.endswith(b"\n"):
                break
        yield line.decode("utf-8", "replace")


def _place(path: Path) -> _Place | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Place(found.st_ino, found.st_size)
