"""Fetching with the real jgo, from a Maven repository on loopback that serves what each test puts there."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pacemark.errors import SetupError
from pacemark.jmeter.fetch import Progress, fetch_all
from pacemark.jmeter.lock import Artifact

CONTENTS = {"g.h:a:1": b"a" * 300_000, "g.h:b:data:2": b"b" * 10, "g.h:c:3": b"c" * 70_000}
ARTIFACTS = [
    Artifact(
        coordinates=coordinates,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        path=f"lib/{coordinates.split(':')[1]}.jar",
    )
    for coordinates, content in CONTENTS.items()
]
TOTAL = sum(map(len, CONTENTS.values()))


class Repository(SimpleHTTPRequestHandler):
    """Serves a directory and remembers which jars it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        if self.path.endswith(".jar"):
            self.asked.append(self.path.rsplit("/", 1)[-1])
        super().do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of a repository that jgo's settings name ``central``."""
    root = tmp_path / "repository"
    for artifact in ARTIFACTS:
        file = root / artifact.repository_path
        file.parent.mkdir(parents=True)
        file.write_bytes(CONTENTS[artifact.coordinates])
    Repository.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Repository, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _settings(tmp_path, monkeypatch, server.server_port)
        yield root
        server.shutdown()


def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    conf = tmp_path / "jgo.conf"
    conf.write_text(f"[repositories]\ncentral = http://user:hidden@127.0.0.1:{port}\n", encoding="utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(conf))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))


def _fetch(tree: Path, *seeds: Path) -> list[tuple[int, int]]:
    reports: list[tuple[int, int]] = []
    fetch_all(ARTIFACTS, tree, seeds, Progress(TOTAL, lambda done, total: reports.append((done, total))))
    return reports


def test_each_artifact_lands_in_its_place(served: Path, tmp_path: Path) -> None:
    reports = _fetch(tmp_path / "partial/tree")
    for artifact in ARTIFACTS:
        assert (tmp_path / "partial/tree" / artifact.path).read_bytes() == CONTENTS[artifact.coordinates]
    assert reports[-1] == (TOTAL, TOTAL)
    assert sorted(Repository.asked) == ["a-1.jar", "b-2-data.jar", "c-3.jar"]
    assert [path.name for path in (tmp_path / "partial").iterdir()] == ["tree"]


def test_what_is_there_already_is_not_asked_for(served: Path, tmp_path: Path) -> None:
    _fetch(tmp_path / "partial/tree")
    Repository.asked.clear()
    (tmp_path / "partial/tree/lib/c.jar").write_bytes(b"cut off")
    assert _fetch(tmp_path / "partial/tree")[-1] == (TOTAL, TOTAL)
    assert Repository.asked == ["c-3.jar"]


def test_good_local_copies_are_taken_and_spoilt_ones_are_not(served: Path, tmp_path: Path) -> None:
    (tmp_path / "m2").symlink_to(served)
    (served / ARTIFACTS[0].repository_path).write_bytes(b"spoilt, and only the old install has a good one")
    old = tmp_path / "old"
    (old / "lib").mkdir(parents=True)
    (old / "lib/a.jar").write_bytes(CONTENTS["g.h:a:1"])
    assert _fetch(tmp_path / "partial/tree", old)[-1] == (TOTAL, TOTAL)
    assert Repository.asked == []


def test_a_wrong_hash_names_the_artifact_and_leaves_nothing_of_it(served: Path, tmp_path: Path) -> None:
    bad = ARTIFACTS[2]
    wrong = b"x" * bad.bytes
    (served / bad.repository_path).write_bytes(wrong)
    with pytest.raises(SetupError) as error:
        _fetch(tmp_path / "partial/tree")
    for fact in (bad.coordinates, bad.sha256, hashlib.sha256(wrong).hexdigest()):
        assert fact in str(error.value)
    assert not (tmp_path / "partial/tree" / bad.path).exists()
    assert not (tmp_path / "partial/downloads").exists()


def test_one_longer_than_locked_is_not_read_to_its_end(served: Path, tmp_path: Path) -> None:
    bad = ARTIFACTS[2]
    (served / bad.repository_path).write_bytes(b"x" * 10 * bad.bytes)
    with pytest.raises(SetupError, match=f"c:3 is not what was locked: expected {bad.bytes} bytes"):
        _fetch(tmp_path / "partial/tree")


def test_one_that_is_not_there_is_named(served: Path, tmp_path: Path) -> None:
    (served / ARTIFACTS[1].repository_path).unlink()
    with pytest.raises(SetupError, match=r"no g\.h:b:data:2 at 127\.0\.0\.1 \(central\)"):
        _fetch(tmp_path / "partial/tree")


def test_without_a_network_the_host_is_named_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as closed:
        port = closed.server_port
    _settings(tmp_path, monkeypatch, port)
    with pytest.raises(SetupError, match=r"cannot reach 127\.0\.0\.1 \(central\) to fetch g\.h:") as error:
        _fetch(tmp_path / "partial/tree")
    assert "hidden" not in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "jgo.conf"
    conf.write_text("no section\n", encoding="utf-8")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(conf))
    with pytest.raises(SetupError, match=r"cannot read .*jgo\.conf"):
        _fetch(tmp_path / "partial/tree")
