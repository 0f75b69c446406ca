"""The launcher with small real services: what starts, waits, dies, stops, and in which order."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from pacemark.gateway.launcher import Launcher
from pacemark.gateway.service import (
    CommandProbe,
    HttpProbe,
    Service,
    Spec,
    State,
    TcpProbe,
    process,
)
from pacemark.gateway.spec import LOOPBACK, free_ports

SERVER = """
import http.server, os, signal, sys
name, port, events, ignore = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
def note(what):
    with open(events, "a") as file:
        file.write(f"{what} {name}\\n")
def stop(number, frame):
    note(signal.Signals(number).name)
    if not ignore:
        sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, stop)
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
note("up")
print("the secret is", os.environ.get("KEY"), flush=True)
server.serve_forever()
"""
SECRETS = {"KEY": "s3cret-of-the-test"}


class Home:
    """A directory with services to launch, and the launchers that were started in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events = path / "events"
        self.started: list[subprocess.Popen[bytes]] = []
        self.ports = iter(free_ports(5))

    def service(self, name: str, *, probe: str = "http", stop: str = "TERM", **more: object) -> Service:
        port = int(more.pop("port", 0) or next(self.ports))  # type: ignore[call-overload]
        url = f"http://{LOOPBACK}:{port}"
        ask = f"import socket; socket.create_connection(('{LOOPBACK}', {port}), 1)"
        probes = {
            "http": HttpProbe(url=f"{url}/"),
            "never": HttpProbe(url=f"{url}/nothing-here"),
            "tcp": TcpProbe(host=LOOPBACK, port=port),
            "command": CommandProbe(argv=(sys.executable, "-c", ask)),
        }
        ignore = ["ignore"] if more.pop("ignore", False) else []
        values = {
            "name": name,
            "argv": (sys.executable, "-c", SERVER, name, str(port), str(self.events), *ignore),
            "cwd": self.path,
            "env": {"PATH": os.environ["PATH"]},
            "secret_env": ("KEY",),
            "probe": probes[probe],
            "stop_signal": stop,
            "url": url,
        }
        return Service.model_validate(values | more)

    def launch(self, *levels: tuple[Service, ...], detached: bool = False) -> subprocess.Popen[bytes]:
        spec = Spec(data_dir=self.path, levels=levels, detached=detached)
        (self.path / "spec.json").write_text(spec.model_dump_json())
        launcher = subprocess.Popen(
            [sys.executable, "-m", "pacemark.gateway.launcher", str(self.path / "spec.json")],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(launcher)
        assert launcher.stdin
        launcher.stdin.write(json.dumps(SECRETS).encode() + b"\n")
        launcher.stdin.flush()
        if detached:
            launcher.stdin.close()
        return launcher

    def reached(self, phase: str) -> State:
        for _ in range(600):
            state = State.load(self.path)
            if state and state.phase == phase:
                return state
            time.sleep(0.05)
        raise AssertionError(f"never {phase}: {state}")

    def gone(self, state: State) -> bool:
        """Whether every service is gone within five seconds."""
        for _ in range(100):
            if not [s for s in state.services.values() if process(s.pid, s.pid_created)]:
                return True
            time.sleep(0.05)
        return False


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    for launcher in home.started:
        if launcher.stdin and not launcher.stdin.closed:
            launcher.stdin.close()
        launcher.wait(30)


def stop(launcher: subprocess.Popen[bytes]) -> int:
    assert launcher.stdin
    launcher.stdin.close()
    return launcher.wait(30)


def test_levels_start_in_order_and_stop_in_reverse(home: Home) -> None:
    first = home.service("first", probe="tcp", stop="INT")
    second = home.service("second", probe="command", stop="QUIT")
    third = home.service("third")
    launcher = home.launch((first,), (second,), (third,))
    state = home.reached("ready")
    assert all(service.ready for service in state.services.values())
    assert stop(launcher) == 0
    assert home.events.read_text().splitlines() == [
        *("up first", "up second", "up third"),
        *("SIGTERM third", "SIGQUIT second", "SIGINT first"),
    ]
    assert home.reached("stopped").reason == ""
    assert home.gone(state)


def test_secrets_reach_the_service_and_nothing_else(home: Home) -> None:
    launcher = home.launch((home.service("one"), home.service("other", secret_env=())))
    state = home.reached("ready")
    shown = " ".join(
        " ".join(p.cmdline())
        for p in [*psutil.Process(launcher.pid).children(), psutil.Process(launcher.pid)]
    )
    stop(launcher)
    assert SECRETS["KEY"] in (home.path / "one.log").read_text()
    assert "None" in (home.path / "other.log").read_text()
    assert SECRETS["KEY"] not in state.model_dump_json() + (home.path / "spec.json").read_text() + shown


def test_a_service_that_is_never_ready_fails_the_stack_with_its_log(home: Home) -> None:
    launcher = home.launch((home.service("good"),), (home.service("bad", probe="never", ready_s=2),))
    state = home.reached("failed")
    assert "bad was not ready after 2 s" in state.reason
    assert "the secret is ***" in state.reason
    assert home.gone(state)
    assert stop(launcher) == 1


def test_a_service_that_ends_while_starting_is_named_with_its_last_lines(home: Home) -> None:
    service = home.service("bad", argv=(sys.executable, "-c", "print('no such table'); exit(3)"))
    launcher = home.launch((service,))
    assert home.reached("failed").reason == (
        "bad ended by itself with exit status 3; its last lines: no such table"
    )
    assert stop(launcher) == 1


def test_a_command_that_is_not_there_is_named(home: Home) -> None:
    launcher = home.launch((home.service("bad", argv=("/no/such/command",)),))
    assert home.reached("failed").reason.startswith("bad ")
    assert stop(launcher) == 1


@pytest.mark.parametrize("probe", ["http", "tcp"])
def test_whoever_took_the_port_before_is_not_taken_for_the_service(home: Home, probe: str) -> None:
    first = home.service("first")
    second = home.service("second", probe=probe, port=urlsplit(first.url).port)
    home.launch((first,), (second,))
    state = home.reached("failed")
    assert state.reason.startswith("second ended by itself with exit status 1")
    assert "Address already in use" in state.reason


def test_a_service_that_dies_later_is_named_and_the_others_live_on(home: Home) -> None:
    launcher = home.launch((home.service("mortal"), home.service("other")))
    state = home.reached("ready")
    os.kill(state.services["mortal"].pid, signal.SIGKILL)
    state = home.reached("failed")
    assert state.reason.startswith("mortal was killed by signal 9")
    assert state.services["mortal"].exit_code == -9
    assert process(state.services["other"].pid, state.services["other"].pid_created)
    assert stop(launcher) == 1
    assert home.gone(state)


def test_a_service_that_will_not_stop_is_killed(home: Home) -> None:
    launcher = home.launch((home.service("deaf", ignore=True, stop_s=0.5),))
    state = home.reached("ready")
    assert stop(launcher) == 0
    assert home.gone(state)
    assert "SIGTERM deaf" in home.events.read_text()


def test_what_a_service_leaves_behind_in_its_group_goes_too(home: Home) -> None:
    code = (
        "import subprocess, sys, http.server; child = subprocess.Popen([sys.executable, '-c',"
        " 'import time; time.sleep(600)']); print(child.pid, flush=True);"
        " http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])),"
        " http.server.SimpleHTTPRequestHandler).serve_forever()"
    )
    plain = home.service("parent", probe="tcp")
    assert isinstance(plain.probe, TcpProbe)
    service = plain.model_copy(update={"argv": (sys.executable, "-c", code, str(plain.probe.port))})
    launcher = home.launch((service,))
    home.reached("ready")
    child = psutil.Process(int((home.path / "parent.log").read_text().split()[0]))
    stop(launcher)
    assert psutil.wait_procs([child], timeout=5)[1] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_detached_launcher_stops_in_order_on_a_signal(home: Home, number: signal.Signals) -> None:
    launcher = home.launch((home.service("first"),), (home.service("second"),), detached=True)
    state = home.reached("ready")
    launcher.send_signal(number)
    assert launcher.wait(30) == 0
    assert home.events.read_text().splitlines()[2:] == ["SIGTERM second", "SIGTERM first"]
    assert home.gone(state)


def test_stopping_while_starting_leaves_nothing(home: Home) -> None:
    launcher = home.launch((home.service("slow", probe="never"),))
    while not (state := State.load(home.path)) or not state.services:
        time.sleep(0.05)
    stop(launcher)
    assert home.gone(state)


def test_an_owner_that_is_gone_before_the_secrets_starts_nothing(home: Home) -> None:
    spec = Spec(data_dir=home.path, levels=((home.service("never"),),))
    (home.path / "spec.json").write_text(spec.model_dump_json())
    done = subprocess.run(
        [sys.executable, "-m", "pacemark.gateway.launcher", str(home.path / "spec.json")],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 1
    assert State.load(home.path) is None


if sys.platform == "linux":

    def test_a_killed_launcher_takes_its_services_along(home: Home) -> None:
        launcher = home.launch((home.service("one"), home.service("deaf", ignore=True)))
        state = home.reached("ready")
        launcher.kill()
        launcher.wait()
        assert home.gone(state)


def test_a_task_may_end_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: set[int] = set()

    def at_first_still_there(process: subprocess.Popen[bytes]) -> int | None:
        if process.pid in looked:
            return process.wait()
        looked.add(process.pid)
        return None

    task = Service(name="task", argv=("true",), cwd=tmp_path, probe=None, ends=True)
    spec = Spec(data_dir=tmp_path, detached=True, levels=((task,),))
    reading, writing = os.pipe()
    monkeypatch.setattr(subprocess.Popen, "poll", at_first_still_there)
    Launcher(spec, {}, reading)._start((task,))
    os.close(writing)
    os.close(reading)
    assert looked
