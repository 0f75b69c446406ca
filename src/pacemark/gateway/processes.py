"""What the processes that Pacemark started use: memory, connections, processor time."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import psutil

LAUNCHER = "launcher"
"""The parent of all services: its children are theirs."""
LOOKS = 960
"""How often to look in a run, or as often as ``EVERY_S`` allows: forty times in each of 24 slices."""
EVERY_S = (0.5, 30.0)
"""The least and the most seconds between two looks, which take some milliseconds each."""


class Look(NamedTuple):
    """What a service used at an instant, its child processes included."""

    at: float
    """Epoch seconds."""
    service: str
    memory_bytes: int
    """Resident set size."""
    connections: int | None
    """Established TCP connections; None where the system does not tell."""
    cpu_s: float
    """Processor seconds used so far, user and system, of children that have ended too where Linux tells."""


class ProcessWatch:
    """Looks at processes now and then, for as long as each lives."""

    def __init__(self, pids: Mapping[str, int], run_s: float) -> None:
        """``pids`` are by service; ``run_s`` is how long the run will take, in seconds."""
        self.looks: list[Look] = []
        self._every_s = min(max(run_s / LOOKS, EVERY_S[0]), EVERY_S[1])
        self._next = 0.0
        self._processes: dict[str, psutil.Process] = {}
        for service, pid in pids.items():
            if service != LAUNCHER:
                with suppress(psutil.NoSuchProcess):
                    self._processes[service] = psutil.Process(pid)

    def look(self) -> None:
        """Look, if it is time again."""
        now = time.monotonic()
        # Called twice a second, it must not skip a turn for being a moment early.
        if not self._processes or now < self._next - 0.1:
            return
        self._next = now + self._every_s
        for service, process in self._processes.items():
            # A process that has ended, or whose pid is another's by now, has nothing to show.
            with suppress(psutil.NoSuchProcess):
                self.looks.append(_look(service, process))


def _look(service: str, process: psutil.Process) -> Look:
    family = [process]
    if process.is_running():  # which is the same process, not one with its pid
        family += process.children(recursive=True)
    memory, connections, cpu_s = 0, 0, 0.0
    known = True
    for member in family:
        try:
            with member.oneshot():
                times = member.cpu_times()
                memory += member.memory_info().rss
            cpu_s += times.user + times.system
            cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            connections += _established(member)
        except psutil.AccessDenied:
            known = False
        except psutil.NoSuchProcess:
            if member is process:
                raise
    return Look(time.time(), service, memory, connections if known else None, cpu_s)


def _established(process: psutil.Process) -> int:
    found = process.net_connections(kind="tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in found)
