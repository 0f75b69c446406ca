import errno
import hashlib
import zipfile
from pathlib import Path

import pytest

from pacemark.cache import cache_root
from pacemark.errors import SetupError
from pacemark.jmeter.install import storage_error
from pacemark.jmeter.lock import Artifact, Lock
from pacemark.jmeter.tree import finish, home_of, is_intact, is_whole, unpack_bin

JAR = Artifact(coordinates="g:a:1", sha256=hashlib.sha256(b"jar").hexdigest(), bytes=3, path="lib/a-1.jar")
LOCK = Lock(jmeter="5.6.3", artifacts=(JAR,), digest="0123456789abcdef")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name, content in {"lib/a-1.jar": b"jar", "bin/user.properties": b"#"}.items():
        (home / name).parent.mkdir(parents=True)
        (home / name).write_bytes(content)
    finish(home, LOCK)
    return home


def _zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def test_a_finished_directory_is_whole(home: Path) -> None:
    assert is_whole(home, LOCK)
    assert is_intact(home, LOCK)
    assert (home / "lib/junit").is_dir()


def test_nothing_is_not_whole(tmp_path: Path) -> None:
    assert not is_whole(tmp_path, LOCK)


def test_another_lock_is_not_whole(home: Path) -> None:
    assert not is_whole(home, LOCK.model_copy(update={"digest": "f"}))


@pytest.mark.parametrize("name", ["lib/a-1.jar", "bin/user.properties"])
def test_a_shortened_file_is_noticed(home: Path, name: str) -> None:
    (home / name).write_bytes(b"")
    assert not is_whole(home, LOCK)


@pytest.mark.parametrize("name", ["lib/a-1.jar", "bin/user.properties"])
def test_a_missing_file_is_noticed(home: Path, name: str) -> None:
    (home / name).unlink()
    assert not is_whole(home, LOCK)


def test_a_changed_jar_of_the_same_size_is_not_intact(home: Path) -> None:
    (home / "lib/a-1.jar").write_bytes(b"raj")
    assert is_whole(home, LOCK)
    assert not is_intact(home, LOCK)


def test_only_bin_is_unpacked(tmp_path: Path) -> None:
    jar = _zip(tmp_path / "config.jar", "META-INF/LICENSE", "bin/", "bin/jmeter.properties", "bin/t/x.xml")
    unpack_bin(jar, JAR, tmp_path / "tree")
    unpacked = {path.relative_to(tmp_path / "tree").as_posix() for path in (tmp_path / "tree").rglob("*.*")}
    assert unpacked == {"bin/jmeter.properties", "bin/t/x.xml"}


def test_a_name_that_leads_out_is_refused(tmp_path: Path) -> None:
    jar = _zip(tmp_path / "config.jar", "bin/../../evil.sh")
    with pytest.raises(SetupError, match=r"evil\.sh"):
        unpack_bin(jar, JAR, tmp_path / "tree")
    assert not list(tmp_path.rglob("evil.sh"))


def test_the_cache_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACEMARK_CACHE_DIR", str(tmp_path))
    assert cache_root() == tmp_path
    assert home_of(LOCK) == tmp_path / "jmeter" / "5.6.3-0123456789ab"


def test_a_full_disk_is_one_line_with_a_remedy() -> None:
    line = str(storage_error(Path("/cache"), OSError(errno.ENOSPC, "No space left on device", "/x")))
    assert line.startswith("cannot install JMeter into /cache: the disk is full (No space left on device)")
    assert "PACEMARK_CACHE_DIR" in line


def test_a_read_only_cache_names_the_path() -> None:
    line = str(storage_error(Path("/cache"), OSError(errno.EROFS, "Read-only file system", "/cache/x")))
    assert "Read-only file system at /cache/x" in line
    assert "PACEMARK_CACHE_DIR" in line
