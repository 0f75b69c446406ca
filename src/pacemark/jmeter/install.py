"""Put the pinned JMeter into the user's cache: whole or not at all, once, and without the network after."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pacemark.errors import SetupError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.fetch import Progress, fetch_all, place_of
from pacemark.jmeter.java import find_java
from pacemark.jmeter.lock import Lock, read_lock
from pacemark.jmeter.tree import finish, home_of, is_intact, unpack_bin

SPARE_BYTES = 16 << 20
"""Beside the artifacts: the unpacked ``bin/`` (2 MB) and the file system's own needs."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


def is_installed() -> bool:
    """Whether the pinned engine is in the cache with every file unharmed (hashes 70 MB, some 0.1 s)."""
    return is_intact(home_of(read_lock()), read_lock())


def install(progress: Callable[[int, int], None] | None = None) -> Engine:
    """The pinned engine, fetched when the cache does not have it whole.

    An interrupted install leaves the cache as it was; the artifacts it had verified are kept for the next
    try. Processes that install at the same time wait for one another. ``progress`` is called with (bytes
    done, bytes in all), from one thread at a time; it is not called when there is nothing to do.

    Raises:
        SetupError: no Java, no network, a wrong hash, a full disk or a cache that cannot be written.
    """
    java, lock = find_java(), read_lock()
    home = home_of(lock)
    with _storage_errors(home.parent):
        if not is_intact(home, lock):
            home.parent.mkdir(parents=True, exist_ok=True)
            with _alone(home.parent / f"{home.name}.lock"):
                if not is_intact(home, lock):
                    _build(home, lock, progress)
    return Engine(home, lock.jmeter, java)


def _build(home: Path, lock: Lock, report: Callable[[int, int], None] | None) -> None:
    partial = home.parent / f"{home.name}.partial"
    tree = partial / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    _require_space(tree, lock)
    fetch_all(lock.artifacts, tree, seeds=[home], progress=Progress(lock.total_bytes, report))
    for artifact in lock.artifacts:
        if artifact.is_unpacked:
            unpack_bin(place_of(artifact, tree), artifact, tree)
    finish(tree, lock)
    if home.exists():
        shutil.rmtree(partial / "damaged", ignore_errors=True)
        home.replace(partial / "damaged")
    tree.replace(home)
    shutil.rmtree(partial)


def _require_space(tree: Path, lock: Lock) -> None:
    there = sum(path.stat().st_size for path in tree.parent.rglob("*") if path.is_file())
    needed, free = lock.total_bytes + SPARE_BYTES - there, shutil.disk_usage(tree).free
    if free < needed:
        raise OSError(errno.ENOSPC, f"{needed >> 20} MB are needed, {free >> 20} MB free")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold a lock that the kernel gives back when the process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _storage_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(root, error) from error


def storage_error(root: Path, error: OSError) -> SetupError:
    """One line for a cache that cannot be filled: full, or whatever the system says."""
    if error.errno in _FULL:
        what, hint = (
            f"the disk is full ({error.strerror})",
            "free some space there, or set PACEMARK_CACHE_DIR",
        )
    else:
        path = error.filename2 or error.filename
        what = f"{error.strerror or error}" + (f" at {os.fsdecode(path)}" if path else "")
        hint = "set PACEMARK_CACHE_DIR to a directory that can be written"
    return SetupError(f"cannot install JMeter into {root}: {what}", hint)
