"""Ending a process that is not JMeter and does not listen; JMeter itself is in the integration tests."""

import signal
import sys
from pathlib import Path

import psutil
import pytest

from pacemark.jmeter.process import JMeterProcess, java_properties


def test_properties_are_escaped_so_that_java_reads_them_back() -> None:
    text = java_properties({"a.b": "x=y:z #!\\", "key with space": "Grüße\n"}).decode("ascii")
    assert text.splitlines() == [
        "a.b=x\\u003dy\\u003az\\u0020\\u0023\\u0021\\u005c",
        "key\\u0020with\\u0020space=Gr\\u00fc\\u00dfe\\u000a",
    ]


def start(tmp_path: Path, code: str) -> JMeterProcess:
    return JMeterProcess(
        [sys.executable, "-c", code],
        {"TOKEN": "secret"},
        system={"javax.net.ssl.keyStorePassword": "hidden"},
        cwd=tmp_path,
        output=tmp_path / "out",
    )


def test_properties_come_through_pipes_and_not_the_command_line(tmp_path: Path) -> None:
    code = "import sys; [print(o, open(f).read()) for o, f in zip(sys.argv[1::2], sys.argv[2::2])]"
    with start(tmp_path, code) as process:
        process._popen.wait(10)
    printed = (tmp_path / "out").read_text()
    assert printed.startswith("-q TOKEN=secret\n")
    assert "jmeterengine.force.system.exit=true" in printed
    assert "-S javax.net.ssl.keyStorePassword=hidden\n" in printed


def test_where_the_kernel_does_not_help_a_guard_ends_what_would_be_an_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacemark.jmeter.process.shutil.which", lambda _: None)
    code = "import os, sys, time; print(os.getpid(), open(sys.argv[2]).read(), flush=True); time.sleep(60)"
    process = start(tmp_path, code)
    while "TOKEN=secret" not in (printed := (tmp_path / "out").read_text()):
        assert process.exit_code is None, printed
    child = psutil.Process(int(printed.split()[0]))
    assert process.cpu_seconds() > 0
    assert process._popen.stdin is not None
    process._popen.stdin.close()  # as the kernel does when Pacemark is killed
    assert process._popen.wait(10) == -signal.SIGKILL
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("ignored", ["", "signal.signal(signal.SIGTERM, signal.SIG_IGN);"])
def test_one_that_does_not_listen_is_ended_all_the_same(
    tmp_path: Path, ignored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHUTDOWN_S", "STOP_NOW_S", "TERM_S"):
        monkeypatch.setattr(f"pacemark.jmeter.process.{name}", 0.5)
    process = start(tmp_path, f"import signal, time; {ignored} time.sleep(60)")
    process.end()
    assert process.exit_code is not None
    assert process.exit_code < 0
