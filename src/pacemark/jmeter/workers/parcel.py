"""Files on their way between controller and worker, as JSON can hold them."""

import base64
import os
import zlib
from pathlib import Path

from pacemark.errors import RunError

Parcel = str | dict[str, str]
"""A file, or a folder of files by name; each as base64, for key stores are binary."""

CHUNK_BYTES = 4 << 20
"""Of a long file: so much of it is in memory, and in one line, at a time."""
_QUICK = 1
"""zlib's level: a JTL shrinks to a tenth with it too, at a third of the time."""


def packed(path: Path) -> Parcel:
    """A file, or a folder of files."""
    if path.is_dir():
        return {each.name: _text(each.read_bytes()) for each in sorted(path.iterdir())}
    return _text(path.read_bytes())


def unpack(parcel: Parcel, to: Path) -> Path:
    """Write it as ``to``, for this user alone to read; what may be secret in it is known to the sender only.

    Raises:
        RunError: a name would lead out of its folder.
    """
    parts = {plain(name): content for name, content in parcel.items()} if isinstance(parcel, dict) else None
    if parts is None:
        return _written(to, str(parcel))
    to.mkdir(mode=0o700)
    for name, content in parts.items():
        _written(to / name, content)
    return to


def plain(name: str) -> str:
    """The name of a file that stays in its folder.

    Raises:
        RunError: it would lead out of it.
    """
    if os.path.basename(name) != name or name in ("", ".", ".."):  # noqa: PTH119
        raise RunError(f"'{name}' is no name of a file")
    return name


def chunk(path: Path, at: int) -> str:
    """What stands in a file from byte ``at`` on, compressed; empty at its end."""
    with path.open("rb") as file:
        file.seek(at)
        content = file.read(CHUNK_BYTES)
    return _text(zlib.compress(content, _QUICK)) if content else ""


def unchunked(text: str) -> bytes:
    """What ``chunk`` packed.

    Raises:
        ValueError: it is none, or longer than it may be.
    """
    if not text:
        return b""
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base64.b64decode(text, validate=True), CHUNK_BYTES)
    except zlib.error as error:
        raise ValueError(f"no chunk of a file: {error}") from None
    if not unpacking.eof:
        raise ValueError("no whole chunk of a file")
    return content


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _written(path: Path, content: str) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(base64.b64decode(content, validate=True))
    return path
