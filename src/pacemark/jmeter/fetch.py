"""Artifacts by exact coordinates, several at once; one counts when its size and SHA-256 are right."""

import configparser
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from urllib.parse import urlsplit

from jgo.config import GlobalSettings, get_settings_path
from jgo.maven import MavenContext, PythonResolver
from requests import RequestException, Timeout
from requests.exceptions import SSLError

from pacemark.errors import SetupError
from pacemark.jmeter.lock import Artifact, sha256_of

CONNECTIONS = 8
TIMEOUT_S = 20
PAUSES_S = (0.5, 2.0)
"""Before the second and the third try of an artifact."""

CHECK_MIRROR = "check what stands between this machine and the Maven repository (proxy, mirror in jgo.conf)"

# What jgo has to say of a failure is said by our own error, in one line.
logging.getLogger("jgo").addHandler(logging.NullHandler())


class CancelledError(Exception):
    """Another artifact failed: this one need not go on."""


@dataclass
class Progress:
    """Bytes that are done, of all artifacts together. A failed try takes back what it had counted."""

    total: int
    report: Callable[[int, int], None] | None = None
    done: int = 0
    _lock: Lock = field(default_factory=Lock)

    def add(self, size: int) -> None:
        """Count ``size`` more bytes and tell the callback: one call at a time, from any thread."""
        with self._lock:
            self.done += size
            if self.report is not None:
                self.report(self.done, self.total)


def remote_repositories() -> dict[str, str]:
    """Name and address of each Maven repository, as jgo has them: its default, then the user's ``jgo.conf``.

    A repository named ``central`` there stands in for the default.
    """
    return {**MavenContext().remote_repos, **_settings().repositories}


def _settings() -> GlobalSettings:
    try:
        return GlobalSettings.load()
    except configparser.Error as error:
        raise SetupError(f"cannot read {get_settings_path()}: {error}", "correct that file") from error


def fetch_all(artifacts: Sequence[Artifact], into: Path, seeds: Sequence[Path], progress: Progress) -> None:
    """Put every artifact into the directory ``into`` by its ``path`` (one to unpack: by its file name).

    What is there already with the right hash stays; else the first good copy among ``seeds``
    (directories with JMeter's layout) and in the user's local Maven repository is taken; else it is
    downloaded.

    Raises:
        SetupError: a repository cannot be reached, has no such artifact, or sent one with a wrong hash.
        OSError: a file cannot be written.
    """
    fetcher = _Fetcher(into, seeds, _settings().repo_cache, remote_repositories(), progress)
    shutil.rmtree(fetcher.scratch, ignore_errors=True)
    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch") as pool:
        try:
            for done in as_completed([pool.submit(fetcher.fetch, artifact) for artifact in artifacts]):
                done.result()
        finally:
            fetcher.stop.set()
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(fetcher.scratch, ignore_errors=True)


def place_of(artifact: Artifact, tree: Path) -> Path:
    """Where ``fetch_all`` puts an artifact: one that is unpacked lies beside the tree, not in it."""
    return tree.parent / artifact.filename if artifact.is_unpacked else tree / artifact.path


def check(artifact: Artifact, path: Path) -> None:
    """Refuse a file that is not what the lock says, and remove it.

    Raises:
        SetupError: names the artifact, what was expected and what was there.
    """
    if artifact.is_at(path):
        return
    got, size = sha256_of(path), path.stat().st_size
    path.unlink()
    raise SetupError(
        f"{artifact.coordinates} is not what was locked: expected SHA-256 {artifact.sha256} "
        f"({artifact.bytes} bytes), got {got} ({size} bytes)",
        CHECK_MIRROR,
    )


@dataclass
class _Fetcher:
    into: Path
    seeds: Sequence[Path]
    local_repository: Path
    remotes: dict[str, str]
    progress: Progress
    stop: Event = field(default_factory=Event)

    @property
    def scratch(self) -> Path:
        return self.into.parent / "downloads"

    def fetch(self, artifact: Artifact) -> None:
        target = place_of(artifact, self.into)
        if artifact.is_at(target):
            self.progress.add(artifact.bytes)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        local = self._local_copy(artifact)
        if local is None:
            self._download(artifact).replace(target)
            return
        copy = self.scratch / artifact.repository_path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(local, copy)
        check(artifact, copy)
        copy.replace(target)
        self.progress.add(artifact.bytes)

    def _local_copy(self, artifact: Artifact) -> Path | None:
        places = [seed / artifact.path for seed in self.seeds]
        for place in (*places, self.local_repository / artifact.repository_path):
            try:
                if artifact.is_at(place):
                    return place
            except PermissionError:  # somebody else's file is no reason to fail: it can be downloaded
                continue
        return None

    def _download(self, artifact: Artifact) -> Path:
        pauses_s = iter(PAUSES_S)
        while True:
            try:
                return self._download_once(artifact)
            except (RequestException, RuntimeError) as error:
                pause_s = next(pauses_s, None)
                # A time-out has cost long enough; what was fetched so far is kept for the next time.
                if pause_s is None or isinstance(error, Timeout) or self.stop.wait(pause_s):
                    raise self._explain(artifact, error) from error

    def _download_once(self, artifact: Artifact) -> Path:
        """From the first repository that has it; one that cannot be reached is an error only as the last."""
        *others, last = self.remotes.items()
        for remote in others:
            try:
                return self._download_from(artifact, *remote)
            except (RequestException, RuntimeError):
                continue
        return self._download_from(artifact, *last)

    def _download_from(self, artifact: Artifact, name: str, address: str) -> Path:
        (self.scratch / artifact.repository_path).unlink(missing_ok=True)
        counted = _Counted(artifact, self.progress, self.stop)
        context = MavenContext(
            resolver=PythonResolver(progress_callback=counted.download),
            repo_cache=self.scratch,
            remote_repos={name: address},
            timeout=TIMEOUT_S,
        )
        component = context.project(artifact.group, artifact.name).at_version(artifact.version)
        try:
            path: Path = component.artifact(artifact.classifier, "jar").resolve()
            check(artifact, path)
        except BaseException:
            counted.take_back()
            raise
        counted.complete()
        return path

    def _explain(self, artifact: Artifact, error: Exception) -> SetupError:
        # The host alone: an address in jgo.conf may hold a password.
        where = ", ".join(f"{urlsplit(url).hostname or '?'} ({name})" for name, url in self.remotes.items())
        if isinstance(error, SSLError):
            return SetupError(
                f"the certificate of {where} is not trusted here",
                "set REQUESTS_CA_BUNDLE to your certificate authorities, or name a mirror in jgo.conf",
            )
        if isinstance(error, RequestException):
            return SetupError(
                f"cannot reach {where} to fetch {artifact.coordinates}",
                "check the network and its proxy, or name a mirror in the [repositories] of jgo.conf; "
                "what was fetched so far is kept",
            )
        return SetupError(
            f"no {artifact.coordinates} at {where}", "try again later, or correct the mirrors in jgo.conf"
        )


@dataclass
class _Counted:
    """One download as jgo reports it: counts the bytes, and ends it when there is no more use for it."""

    artifact: Artifact
    progress: Progress
    stop: Event
    counted: int = 0

    @contextmanager
    def download(self, _filename: str, _size: int) -> Iterator[Callable[[int], None]]:
        yield self._chunk

    def _chunk(self, size: int) -> None:
        if self.stop.is_set():
            raise CancelledError
        if self.counted + size > self.artifact.bytes:
            raise SetupError(
                f"{self.artifact.coordinates} is not what was locked: expected {self.artifact.bytes} bytes, "
                "got more",
                CHECK_MIRROR,
            )
        self.counted += size
        self.progress.add(size)

    def take_back(self) -> None:
        self.progress.add(-self.counted)

    def complete(self) -> None:
        self.progress.add(self.artifact.bytes - self.counted)
