"""One JMeter process: started with its secrets out of sight, watched, and always ended."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Self

import psutil

from pacemark.errors import InputError, RunError
from pacemark.machine import usable_cores

SHUTDOWN_S = 5.0
"""How long requests in flight may take to end after an orderly stop."""
STOP_NOW_S = 5.0
TERM_S = 3.0
KILL_S = 10.0
"""The kernel's own time, which on a busy machine a process of low priority has to wait for."""

SECRETS = (
    *("MCPGATEWAY_BEARER_TOKEN", "JWT_SECRET_KEY", "PLATFORM_ADMIN_PASSWORD"),
    # A proxy's password may be in these; Java does not read them.
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"),
)
"""Not for JMeter's environment, which `ps e` shows to its user."""


def bound_to_parent(command: Sequence[str]) -> list[str]:
    """The command, to be killed when its starter dies: by the kernel or, off Linux, by a guard."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv:
        return [setpriv, "--pdeathsig", "KILL", "--", *command]
    return [sys.executable, "-m", "pacemark.jmeter.guard", *command]


def free_udp_port() -> int:
    """A UDP port that nothing on loopback uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int, host: str = "127.0.0.1") -> None:
    """See that a server can listen on a TCP port of ``host``, an address of this machine.

    Raises:
        InputError: another one does already, or it may not.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            where = f"port {port}" if host == "127.0.0.1" else f"{host}:{port}"
            raise InputError(f"cannot listen on {where}: {error.strerror}", "choose another") from None


class JMeterProcess:
    """A non-GUI JMeter as a child process.

    ``properties`` reach it through a pipe, so a token among them is in no file and in no process list; and so
    do ``system``, its Java's own. What it prints goes to ``output``.
    """

    def __init__(
        self,
        command: Sequence[str],
        properties: Mapping[str, str],
        *,
        system: Mapping[str, str] = MappingProxyType({}),
        cwd: Path,
        output: Path,
    ) -> None:
        self.port = free_udp_port()
        ours = {
            **properties,
            "jmeterengine.nongui.port": str(self.port),
            "jmeterengine.nongui.maxport": str(self.port),
            # Pools of plugins are not daemons and would keep the process from ending.
            "jmeterengine.force.system.exit": "true",
        }
        pipes = [os.pipe(), os.pipe()]
        (reader, writer), (system_reader, system_writer) = pipes
        given = ["-q", f"/dev/fd/{reader}", "-S", f"/dev/fd/{system_reader}"]
        try:
            with output.open("wb") as said:
                self._popen = subprocess.Popen(
                    [*bound_to_parent(command), *given],
                    cwd=cwd,
                    env={name: value for name, value in os.environ.items() if name not in SECRETS},
                    # What a guard watches; it ends when this process does.
                    stdin=subprocess.PIPE,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    pass_fds=(reader, system_reader),
                    # Ctrl-C in the terminal is for Pacemark, which then stops JMeter in an orderly way.
                    start_new_session=True,
                )
            os.write(writer, java_properties(ours))
            os.write(system_writer, java_properties(system))
        except OSError as error:
            raise RunError(f"cannot start {command[0]}: {error.strerror}", "pacemark setup") from error
        finally:
            for end in (end for pipe in pipes for end in pipe):
                os.close(end)
        self._process = psutil.Process(self._popen.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        if self._popen.stdin:
            self._popen.stdin.close()

    @property
    def started(self) -> float:
        """Epoch seconds at which the process started."""
        return self._process.create_time()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it."""
        return self._popen.poll()

    def cpu_seconds(self) -> float:
        """Processor seconds used so far, user and system; NaN once it has ended."""
        try:
            used = [process.cpu_times() for process in (self._process, *self._process.children())]
        except psutil.Error:
            return float("nan")
        return float(sum(times.user + times.system for times in used))

    def cores(self) -> float:
        """Processors that it may use."""
        return usable_cores(self._process)

    def ask(self, command: str) -> None:
        """Send ``Shutdown`` or ``StopTestNow`` to JMeter's own control port."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(command.encode(), ("127.0.0.1", self.port))

    def end(self, *, orderly: bool = True) -> None:
        """Stop it: orderly, then at once, then by TERM, then by KILL. Does nothing when it has ended.

        Without ``orderly`` begin with TERM, as for an engine whose controller has gone.
        """
        asked = (("Shutdown", SHUTDOWN_S), ("StopTestNow", STOP_NOW_S)) if orderly else ()
        for command, seconds in asked:
            if self.exit_code is not None:
                return
            self.ask(command)
            self._wait(seconds)
        if self.exit_code is not None:
            return
        self._popen.terminate()
        self._wait(TERM_S)
        if self.exit_code is None:
            with suppress(psutil.Error):
                for child in self._process.children():  # of a guard
                    child.kill()
            self._popen.kill()
            self._wait(KILL_S)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.exit_code is None and time.monotonic() < deadline:
            time.sleep(0.1)


def java_properties(values: Mapping[str, str]) -> bytes:
    """Values as a Java properties file: ISO 8859-1, everything beyond plain ASCII and all syntax escaped."""
    return "".join(f"{_escape(key)}={_escape(value)}\n" for key, value in values.items()).encode("ascii")


def _escape(text: str) -> str:
    return "".join(
        character
        if (character.isascii() and character.isalnum()) or character in "._-/"
        else _unicode(character)
        for character in text
    )


def _unicode(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
