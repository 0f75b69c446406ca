"""The installed engine's directory: where it is, how it is filled, and whether it is whole."""

import json
import zipfile
from pathlib import Path

from pacemark.cache import cache_root
from pacemark.errors import SetupError
from pacemark.jmeter.lock import Artifact, Lock

MARKER = "pacemark-install.json"


def home_of(lock: Lock) -> Path:
    """The directory of the engine that this lock describes; another lock gets another directory."""
    return cache_root() / "jmeter" / f"{lock.jmeter}-{lock.digest[:12]}"


def is_whole(home: Path, lock: Lock) -> bool:
    """Whether every file is there with its size. Some 300 calls of ``stat``: cheap enough for each run."""
    try:
        marker = json.loads((home / MARKER).read_text(encoding="utf-8"))
        return bool(marker["lock"] == lock.digest) and all(
            (home / name).stat().st_size == size for name, size in marker["files"].items()
        )
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
        return False


def is_intact(home: Path, lock: Lock) -> bool:
    """As ``is_whole``, and every locked file has its SHA-256 (reads all 70 MB)."""
    return is_whole(home, lock) and all(
        artifact.is_at(home / artifact.path) for artifact in lock.artifacts if not artifact.is_unpacked
    )


def unpack_bin(jar: Path, artifact: Artifact, tree: Path) -> None:
    """Unpack the ``bin/`` folder of a jar into ``tree``.

    Raises:
        SetupError: a name in the jar would lead out of ``tree/bin``.
    """
    inside = (tree / "bin").resolve()
    with zipfile.ZipFile(jar) as archive:
        for name in archive.namelist():
            if not name.startswith("bin/"):
                continue
            if not (tree / name).resolve().is_relative_to(inside):
                raise SetupError(f"{artifact.coordinates} holds '{name}', which leads out of its directory")
            archive.extract(name, tree)


def finish(tree: Path, lock: Lock) -> None:
    """Add what is in no artifact: the empty ``lib/junit`` and the marker with each file's size."""
    (tree / "lib" / "junit").mkdir(parents=True, exist_ok=True)
    sizes = {
        path.relative_to(tree).as_posix(): path.stat().st_size
        for path in sorted(tree.rglob("*"))
        if path.is_file() and path.name != MARKER
    }
    marker = {"lock": lock.digest, "files": sizes}
    (tree / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
