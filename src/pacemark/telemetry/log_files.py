"""The logs of a stack that runs on this machine: what its files grew by during a run."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pacemark.telemetry.log_lines import LogLine, gathered


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

        A file that was replaced meanwhile, as by a rotation, is read from its beginning; what the old one got
        in the end is not seen.
        """
        for service, path in self._files.items():
            with suppress(OSError):
                yield from self._of(service, path, start, end)

    def _of(self, service: str, path: Path, start: float, end: float) -> Iterator[LogLine]:
        begun = self._begun[service]
        with path.open("rb") as file:
            now = _place(path)
            if begun and now and now.inode == begun.inode and now.size >= begun.size:
                file.seek(begun.size)
            texts = (line.decode("utf-8", "replace") for line in file)
            for line in gathered(texts, service):
                if start <= line.at < end:
                    yield line


def _place(path: Path) -> _Place | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _Place(found.st_ino, found.st_size)
