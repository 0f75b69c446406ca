"""The real set, from the registry that jgo's settings name, into a cache of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacemark.errors import SetupError
from pacemark.jmeter.engine import PLUGINS, find_engine, missing_plugins, version_of
from pacemark.jmeter.install import install, is_installed
from pacemark.jmeter.lock import read_lock
from pacemark.jmeter.tree import home_of

INSTALL = [sys.executable, "-c", "from pacemark.jmeter.install import install; print(install().home)"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache, with no local Maven repository to take anything from."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("cache")
        patch.setenv("PACEMARK_CACHE_DIR", str(root))
        patch.setenv("M2_REPO", str(root / "no-local-repository"))
        yield root


@pytest.fixture(scope="module")
def home(cache: Path) -> Path:
    """The engine after one try that was killed in its middle and one that went through."""
    home = home_of(read_lock())
    tree = home.parent / f"{home.name}.partial" / "tree"
    with subprocess.Popen(INSTALL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(tree.glob("lib/*.jar"))) < 10:
            time.sleep(0.05)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert find_engine() is None
    assert not home.exists()
    kept = {path.name: path.stat().st_ino for path in tree.glob("lib/*.jar")}
    reports: list[tuple[int, int]] = []
    install(lambda done, total: reports.append((done, total)))
    assert reports[-1] == (read_lock().total_bytes, read_lock().total_bytes)
    assert kept.items() <= {path.name: path.stat().st_ino for path in home.glob("lib/*.jar")}.items()
    return home


def _no_network(*_args: object) -> None:
    raise AssertionError("a second install opened a connection")


def test_it_is_a_whole_jmeter(home: Path) -> None:
    assert is_installed()
    assert version_of(home) == "5.6.3"
    assert missing_plugins(home, PLUGINS) == []
    for name in (
        "bin/ApacheJMeter.jar",
        "bin/jmeter.properties",
        "bin/user.properties",
        "bin/system.properties",
        "bin/saveservice.properties",
        "bin/upgrade.properties",
        "bin/reportgenerator.properties",
        "bin/log4j2.xml",
        "bin/report-template/index.html.fmkr",
        "bin/templates/templates.xml",
    ):
        assert (home / name).is_file(), name
    assert [path.name for path in (home / "lib/junit").iterdir()] == []


def test_nothing_else_is_left_in_the_cache(home: Path, cache: Path) -> None:
    assert sorted(path.name for path in (cache / "jmeter").iterdir()) == [home.name, f"{home.name}.lock"]


def test_a_second_install_needs_no_network(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    reports: list[tuple[int, int]] = []
    assert install(lambda done, total: reports.append((done, total))).home == home
    assert reports == []


def test_two_at_once_do_not_harm_each_other(home: Path) -> None:
    """Both find a damaged engine; one mends it while the other waits."""
    (home / "lib/bsf-2.4.0.jar").write_bytes(b"damaged")
    both = [subprocess.Popen(INSTALL, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said == [str(home), str(home)]
    assert is_installed()


def test_a_shortened_jar_is_noticed_before_a_run(home: Path) -> None:
    os.truncate(home / "lib/ext/ApacheJMeter_core.jar", 1000)
    assert find_engine() is None
    assert find_engine_after_mending() == home


def test_a_spoilt_jar_of_the_same_size_is_noticed_by_install(home: Path) -> None:
    jar = home / "lib/ext/ApacheJMeter_http.jar"
    with jar.open("r+b") as file:
        file.seek(1000)
        file.write(b"spoilt")
    assert not is_installed()
    assert find_engine_after_mending() == home


def find_engine_after_mending() -> Path:
    install()
    assert is_installed()
    engine = find_engine()
    assert engine is not None
    return engine.home


def test_a_cache_that_is_no_directory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PACEMARK_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(SetupError, match=r"cannot install JMeter into .*/file/jmeter: Not a directory"):
        install()
