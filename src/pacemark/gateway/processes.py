"""What the processes that Pacemark started use: memory, connections, processor time."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import psutil

LAUNCHER = "launcher"
"""The parent of all services: its children are theirs."""
LOOKS = 960
"""How often to look in a run, or as often as ``EVERY_S`` allows: forty times in each of 24 slices."""
EVERY_S = (0.5, 30.0)
"""The least and the most seconds between two looks. One costs 0.1 ms a service (measured)."""
CONNECTIONS_EVERY_S = 5.0
"""How often to count connections, or twice in each of 24 slices of a short run: to walk the kernel's table of
them takes 12 ms for all services together (measured; 8 ms of it however few there are)."""
_COUNTS = 48
CHILDREN_EVERY_S = 10.0
"""How often to look for children anew: that takes 2 ms a service (of 130 processes, measured)."""


class Look(NamedTuple):
    """What a service used at an instant, its child processes included."""

    at: float
    """Epoch seconds; of all services at one look the same."""
    service: str
    memory_bytes: int
    """Resident set size."""
    connections: int | None
    """Established TCP connections; None where they were not counted, or the system does not tell."""
    cpu_s: float
    """Processor seconds used so far, user and system, of children that have ended too where Linux tells."""


class _Turns:
    """Comes round every so many seconds, for who is called twice a second."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def is_next(self, now: float) -> bool:
        """Whether the time has come; then the next turn is counted from ``now``."""
        if now < self._next - 0.1:  # no turn is skipped for being a moment early
            return False
        self._next = now + self._every_s
        return True


class ProcessWatch:
    """Looks at processes now and then, for as long as each lives."""

    def __init__(self, pids: Mapping[str, int], run_s: float) -> None:
        """``pids`` are by service; ``run_s`` is how long the run will take, in seconds."""
        self.looks: list[Look] = []
        self.ended: dict[str, float] = {}
        """By service, when its process was first seen to have ended, in epoch seconds."""
        every_s = min(max(run_s / LOOKS, EVERY_S[0]), EVERY_S[1])
        self._looks = _Turns(every_s)
        self._counts = _Turns(max(min(run_s / _COUNTS, CONNECTIONS_EVERY_S), every_s))
        self._searches = _Turns(CHILDREN_EVERY_S)
        self._processes: dict[str, psutil.Process] = {}
        self._children: dict[str, list[psutil.Process]] = {}
        for service, pid in pids.items():
            if service != LAUNCHER:
                with suppress(psutil.NoSuchProcess):
                    self._processes[service] = psutil.Process(pid)

    def look(self) -> None:
        """See who has ended; and look at the others, if it is time again."""
        for service, process in self._processes.items():
            if service not in self.ended and not _lives(process):
                self.ended[service] = time.time()
        now = time.monotonic()
        if not self._processes or not self._looks.is_next(now):
            return
        anew = self._searches.is_next(now)
        established = _established() if self._counts.is_next(now) else None
        at = time.time()
        for service, process in self._processes.items():
            # One that has ended, whose pid is another's by now or that may not be seen has nothing to show.
            with suppress(psutil.Error):
                if not process.is_running():
                    continue
                if anew:
                    self._children[service] = process.children(recursive=True)
                members = [process, *self._children.get(service, [])]
                self.looks.append(_look(at, service, members, established))


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _look(
    at: float, service: str, members: Sequence[psutil.Process], established: Counter[int] | None
) -> Look:
    """``members`` are the service's own process and its children."""
    memory, cpu_s, connections = 0, 0.0, 0
    for member in members:
        try:
            times = member.cpu_times()
            memory += member.memory_info().rss
        except psutil.NoSuchProcess:
            if member is members[0]:
                raise
            continue
        cpu_s += times.user + times.system
        cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        connections += established[member.pid] if established is not None else 0
    return Look(at, service, memory, None if established is None else connections, cpu_s)


def _established() -> Counter[int] | None:
    """By process, its established TCP connections; None where the system does not tell (macOS does root)."""
    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    return Counter(one.pid for one in found if one.status == psutil.CONN_ESTABLISHED and one.pid is not None)
