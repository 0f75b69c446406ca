"""A stack's own process: it starts the services in order, watches them, and takes them down in order.

Run as ``python -m pacemark.gateway.launcher SPEC.json``. The first line of standard input is a JSON object
of secrets; they are kept in memory and handed to the services that name them. Embedded, the end of standard
input means that the owner is gone, however it went: everything stops. Detached, TERM does.

Each service is a session of its own, so that a Ctrl-C in the terminal reaches none of them, and on Linux
the kernel kills it when the launcher dies.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from pacemark.gateway.probe import is_ready
from pacemark.gateway.service import Phase, Service, ServiceState, Spec, State
from pacemark.gateway.token import redact

_TICK_S = 0.1
_TAIL_LINES = 8
_TAIL_BYTES = 64 * 1024
_STOPS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class _StartError(Exception):
    """A service could not be started, or not in time."""


class _StopAskedError(Exception):
    """The owner is gone, or a signal said stop."""


class Launcher:
    """Starts, watches and stops the services of one spec."""

    def __init__(self, spec: Spec, secrets: dict[str, str], signals_fd: int) -> None:
        self._spec = spec
        self._secrets = secrets
        self._signals_fd = signals_fd
        self._with_me = _die_with_me()
        self._running: dict[str, tuple[Service, subprocess.Popen[bytes]]] = {}
        me = psutil.Process()
        self._state = State(pid=me.pid, pid_created=me.create_time(), started=time.time())

    def run(self) -> int:
        """Start, watch until told to stop, stop. The exit status is 1 when a service failed."""
        self._save("starting")
        try:
            for level in self._spec.levels:
                self._start(level)
            self._save("ready")
            self._watch()
        except _StartError as error:
            self._save("failed", str(error))
            self._stop_all()
            if not self._spec.detached:
                self._wait_for_owner()
        except _StopAskedError:
            self._save("stopping", self._state.reason)
            self._stop_all()
            self._save("stopped", self._state.reason)
        finally:
            self._stop_all()
            for folder in self._spec.remove_after:
                shutil.rmtree(folder, ignore_errors=True)
            if self._spec.remove_data_dir and not self._spec.detached:
                shutil.rmtree(self._spec.data_dir, ignore_errors=True)
        return 1 if self._state.reason else 0

    def _start(self, level: tuple[Service, ...]) -> None:
        for service in level:
            self._spawn(service)
        waiting = {service.name: service for service in level}
        begun = time.monotonic()
        while waiting:
            for service in list(waiting.values()):
                if self._has_come(service):
                    del waiting[service.name]
                    self._save("starting")
                elif time.monotonic() - begun > service.ready_s:
                    raise _StartError(
                        f"{service.name} was not ready after {service.ready_s:g} s{self._tail(service)}"
                    )
            if waiting:
                self._pause()

    def _has_come(self, service: Service) -> bool:
        """Whether it is ready now; a task, whether it has ended well, and it is gone then.

        Raises:
            _StartError: it has ended otherwise.
        """
        child = self._running[service.name][1]
        if service.ends:
            status = child.poll()  # once: it may end at any time
            if status is None:
                return False
            if status:
                raise _StartError(self._death(service))
            _sweep(self._running.pop(service.name)[1].pid)
            del self._state.services[service.name]
            return True
        self._check_alive(service)
        if not is_ready(service, self._env(service), child.pid):
            return False
        self._check_alive(service)
        self._state.services[service.name].ready = True
        return True

    def _prefix(self, service: Service) -> list[str]:
        """What makes it another user's, and lets it die with the launcher; in this order, since the kernel
        forgets the second when a process changes its user."""
        if not service.user or os.geteuid() != 0:
            return self._with_me
        user = f"--reuid={service.user}", f"--regid={service.user}", "--init-groups"
        return ["setpriv", *user, *(self._with_me[1:] or ["--"])]

    def _spawn(self, service: Service) -> None:
        try:
            with self._log(service).open("ab") as log:
                child = subprocess.Popen(
                    [*self._prefix(service), *service.argv],
                    cwd=service.cwd,
                    env=self._env(service),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise _StartError(f"{service.name} cannot be started: {error}") from None
        self._running[service.name] = (service, child)
        created = time.time()  # for one that is dead by now
        with contextlib.suppress(psutil.NoSuchProcess):
            created = psutil.Process(child.pid).create_time()
        self._state.services[service.name] = ServiceState(pid=child.pid, pid_created=created, url=service.url)
        self._save("starting")

    def _watch(self) -> None:
        """Until told to stop: name each service that dies, at once. None is started again."""
        while True:
            for service, child in list(self._running.values()):
                if child.poll() is not None:
                    deaths = filter(None, [self._state.reason, self._death(service)])
                    self._save("failed", "; ".join(deaths))
            self._pause(1.0)

    def _check_alive(self, service: Service) -> None:
        if self._running[service.name][1].poll() is not None:
            raise _StartError(self._death(service))

    def _death(self, service: Service) -> str:
        _, child = self._running.pop(service.name)
        self._state.services[service.name].exit_code = child.returncode
        _sweep(child.pid)
        how = f"was killed by signal {-child.returncode}" if child.returncode < 0 else "ended by itself"
        status = "" if child.returncode < 0 else f" with exit status {child.returncode}"
        return f"{service.name} {how}{status}{self._tail(service)}"

    def _pause(self, seconds: float = _TICK_S) -> None:
        """Wait, or until a signal comes or the owner goes.

        Raises:
            _StopAskedError: stop.
        """
        watched = [self._signals_fd] if self._spec.detached else [self._signals_fd, sys.stdin.fileno()]
        for fd in select.select(watched, [], [], seconds)[0]:
            data = os.read(fd, 4096)
            if fd != self._signals_fd and not data:
                raise _StopAskedError
            if fd == self._signals_fd and _STOPS.intersection(data):
                raise _StopAskedError

    def _wait_for_owner(self) -> None:
        with contextlib.suppress(_StopAskedError):
            while True:
                self._pause(60.0)

    def _stop_all(self) -> None:
        for level in reversed(self._spec.levels):
            stopping = [self._running.pop(s.name) for s in reversed(level) if s.name in self._running]
            for service, child in stopping:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.Signals[f"SIG{service.stop_signal}"])
            for service, child in stopping:
                try:
                    child.wait(service.stop_s)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
                _sweep(child.pid)
                self._state.services[service.name].exit_code = child.returncode

    def _env(self, service: Service) -> dict[str, str]:
        return service.env | {name: self._secrets[name] for name in service.secret_env}

    def _log(self, service: Service) -> Path:
        return self._spec.data_dir / f"{service.name}.log"

    def _tail(self, service: Service) -> str:
        with self._log(service).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()][-_TAIL_LINES:]
        if not lines:
            return "; its log is empty"
        return "; its last lines: " + redact(" | ".join(lines), self._secrets.values())

    def _save(self, phase: Phase, reason: str = "") -> None:
        self._state.phase = phase
        self._state.reason = reason or self._state.reason
        self._state.save(self._spec.data_dir)


def _die_with_me() -> list[str]:
    """The command that makes the kernel kill a child when its parent dies; nothing where there is none."""
    command = ["setpriv", "--pdeathsig", "KILL", "--"]
    if sys.platform != "linux" or shutil.which("setpriv") is None:
        return []
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


def _sweep(session: int) -> None:
    """Kill what a service that is gone left behind in its process group (macOS: EPERM for zombies)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, signal.SIGKILL)


def _read_secrets() -> dict[str, str] | None:
    """The first line of standard input; None when it ended before: the owner is gone already.

    Byte by byte, since what follows must stay unread, for ``select``.
    """
    line = bytearray()
    while (byte := os.read(sys.stdin.fileno(), 1)) != b"\n":
        if not byte:
            return None
        line += byte
    secrets: dict[str, str] = json.loads(line)
    return secrets


def _listen_to_signals() -> int:
    """A file descriptor that gives the number of each signal that arrives, a byte each."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (*_STOPS, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return readable


def main() -> int:
    """Run the spec that the command line names; the exit status is 1 when a service failed."""
    spec = Spec.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    signals_fd = _listen_to_signals()
    secrets = _read_secrets()
    if secrets is None:
        return 1
    return Launcher(spec, secrets, signals_fd).run()


if __name__ == "__main__":
    sys.exit(main())
