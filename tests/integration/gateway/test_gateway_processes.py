"""Looks at real processes of our own."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pacemark.gateway.processes import EVERY_S, Look, ProcessWatch
from pacemark.results.measurements.model import ProcessReading
from pacemark.results.processes import PROCESSES_FILE, load_readings, save_readings

# With each line: connect to a port, take so many MB, use processor time, start a child, end.
ACTOR = """
import socket, subprocess, sys, time
kept = []
for line in sys.stdin:
    what, value = line.split()
    if what == "connect":
        kept.append(socket.create_connection(("127.0.0.1", int(value))))
    elif what == "take":
        kept.append(bytearray(b"x" * int(value) * 1_000_000))
    elif what == "burn":
        until = time.process_time() + float(value)
        while time.process_time() < until:
            pass
    elif what == "child":
        take = f"b = bytearray(b'x' * {value} * 1_000_000); import time; print(flush=True); time.sleep(60)"
        kept.append(subprocess.Popen([sys.executable, "-c", take], stdout=subprocess.PIPE))
        kept[-1].stdout.readline()
    elif what == "reap":
        kept[-1].kill()
        kept.pop().wait()
    print(flush=True)
"""


class Actor:
    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ACTOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.do("nothing")  # its interpreter is up

    def do(self, what: str, value: float = 0) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{what} {value}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


@pytest.fixture
def actor() -> Iterator[Actor]:
    one = Actor()
    try:
        yield one
    finally:
        for child in psutil.Process(one.process.pid).children() if one.process.poll() is None else []:
            child.kill()
        one.process.kill()
        with one.process:
            pass


@pytest.fixture
def look(actor: Actor) -> Callable[[], Look]:
    """What a new watch sees now."""

    def now() -> Look:
        watch = ProcessWatch({"gateway": actor.process.pid}, 60)
        watch.look()
        return watch.looks[0]

    return now


def test_memory_connections_and_processor_time_are_the_processs(
    actor: Actor, look: Callable[[], Look]
) -> None:
    before = look()
    with socket.create_server(("127.0.0.1", 0)) as server:
        actor.do("connect", server.getsockname()[1])
        actor.do("take", 50)
        actor.do("burn", 0.3)
        after = look()
    assert after.service == "gateway"
    assert abs(after.at - time.time()) < 5
    assert 49e6 < after.memory_bytes - before.memory_bytes < 56e6
    assert before.connections == 0
    assert after.connections == 1
    assert 0.28 < after.cpu_s - before.cpu_s < 0.6


def test_children_count_and_what_they_used_stays_when_they_end(
    actor: Actor, look: Callable[[], Look]
) -> None:
    before = look()
    actor.do("child", 40)
    with_child = look()
    actor.do("reap")
    after = look()
    assert with_child.memory_bytes - before.memory_bytes > 45e6  # its own interpreter, too
    assert after.memory_bytes - before.memory_bytes < 10e6
    assert after.cpu_s >= with_child.cpu_s - 0.02


def test_it_looks_no_oftener_than_the_runs_length_asks_for(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for run_s, every_s in ((15, EVERY_S[0]), (2400, 2.5), (24 * 3600, EVERY_S[1])):
        watch = ProcessWatch({"gateway": actor.process.pid}, run_s)
        for _ in range(240):
            watch.look()
            now[0] += 0.5
        assert len(watch.looks) == 120 / every_s


def test_connections_are_counted_twice_in_a_slice_and_no_oftener_than_they_cost(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To walk the kernel's table of them takes milliseconds, however few there are."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for run_s, every_s in ((15, 0.5), (60, 1.5), (600, 5), (24 * 3600, 30)):
        watch = ProcessWatch({"gateway": actor.process.pid}, run_s)
        for _ in range(240):
            watch.look()
            now[0] += 0.5
        assert sum(look.connections is not None for look in watch.looks) == 120 / every_s


def test_a_process_that_ends_is_seen_no_more_and_the_launcher_never(actor: Actor) -> None:
    watch = ProcessWatch({"gateway": actor.process.pid, "launcher": psutil.Process().pid}, 1)
    watch.look()
    actor.process.kill()
    actor.process.wait()
    time.sleep(0.6)
    watch.look()
    assert [look.service for look in watch.looks] == ["gateway"]
    gone = ProcessWatch({"gateway": actor.process.pid}, 1)
    gone.look()
    assert gone.looks == []


def test_without_processes_of_ours_there_is_nothing_to_see() -> None:
    watch = ProcessWatch({}, 60)
    watch.look()
    assert watch.looks == []


def test_readings_are_kept_in_a_file(tmp_path: Path) -> None:
    readings = [ProcessReading(-0.5, "gateway", 250_000_000, None, 1.5), ProcessReading(1, "a", 1, 2, 3)]
    save_readings(tmp_path / PROCESSES_FILE, readings)
    assert load_readings(tmp_path / PROCESSES_FILE) == readings
