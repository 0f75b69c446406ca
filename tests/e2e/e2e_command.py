"""Pacemark as its users run it: a process of its own, in a directory of its own, with nothing preset."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psutil
from waiting import until

from pacemark.gateway.stack import Stack

SETTINGS = re.compile(
    r"JMETER_|GATEWAY_|PLATFORM_ADMIN_|FAST_|BENCHMARK_|GITHUB_"
    r"|(MCPGATEWAY_BEARER_TOKEN|JWT_SECRET_KEY|PROMETHEUS_URL|GRAFANA_URL|LOKI_URL|MCP_(RPC|SSE)_ENDPOINT"
    r"|PACEMARK_JMETER|HEAP|JVM_ARGS|NO_COLOR|FORCE_COLOR|COLUMNS|TERM)$"
)
JWT = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]+")
BUSY = "pacemark: waiting threads woke "
TRIES = 3
PLANS = Path(__file__).parents[1] / "jmeter"
RUN_FILES = (
    "run.json",
    "plan.jmx",
    "samples.jtl",
    "digest.parquet",
    "jmeter.log",
    "summary.json",
    "summary.md",
    "junit.xml",
    "index.html",
    "jmeter-report/index.html",
)


def command_line(process: psutil.Process) -> str:
    """As ``ps`` shows it; empty when the process has just gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listening_ports(process: psutil.Process) -> set[int]:
    try:
        found = process.net_connections("tcp")
    except psutil.Error:
        return set()
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


class Running:
    """One ``pacemark`` process that is still at work; its output goes to files."""

    def __init__(self, popen: subprocess.Popen[bytes], folder: Path, out: Path, err: Path) -> None:
        self.popen, self.folder, self._out, self._err = popen, folder, out, err
        self.command_lines: set[str] = set()

    @property
    def stdout(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def find(self, word: str) -> psutil.Process:
        """The process beneath this one whose command line has ``word``, as soon as there is one."""
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = [one for one in self.tree() if word in command_line(one)]
            return bool(found)

        assert until(there, 30), f"no {word}: {self.stderr}"
        return found[0]

    def tree(self) -> list[psutil.Process]:
        return psutil.Process(self.popen.pid).children(recursive=True)

    def wait_for_load(self, samples: int = 20, seconds: float = 120) -> Path:
        """Until the run in progress has recorded so many samples; its directory."""

        def recorded() -> list[Path]:
            files = self.folder.glob("results/*/*/samples.jtl")
            return [file for file in files if file.read_bytes().count(b"\n") > samples]

        assert until(lambda: bool(recorded()) or self.popen.poll() is not None, seconds), self.stderr
        assert self.popen.poll() is None, f"it ended before its load: {self.stderr}"
        return recorded()[-1].parent

    def interrupt(self) -> None:
        """As Ctrl-C in a terminal: to every process of its group."""
        os.killpg(self.popen.pid, signal.SIGINT)

    def watch_command_lines(self) -> None:
        """Take down what anybody would see in ``ps``, until it ends."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while self.popen.poll() is None:
            for process in psutil.process_iter(["cmdline"]):
                self.command_lines.add(" ".join(process.info["cmdline"] or ()))
            time.sleep(0.2)

    def ended(self, seconds: float = 120) -> "Ended":
        status = self.popen.wait(seconds)
        return Ended(status, self.stdout, self.stderr, self.folder)


class Ended:
    """What is left of a ``pacemark`` process: exit status, output, files."""

    def __init__(self, status: int, stdout: str, stderr: str, folder: Path) -> None:
        self.status, self.stdout, self.stderr, self.folder = status, stdout, stderr, folder

    def __repr__(self) -> str:
        """What an assertion that failed shows: a run that was invalid says why."""
        return "\n".join([f"exit status {self.status}", self.stdout[-1000:], self.stderr[-1000:]])

    @property
    def json(self) -> Any:
        """Standard output, which is nothing but JSON."""
        return json.loads(self.stdout)

    @property
    def errors(self) -> list[str]:
        return [line for line in self.stderr.splitlines() if line.startswith("pacemark: ")]

    @property
    def directory(self) -> Path:
        """The directory of the one run that was asked for."""
        (found,) = self.folder.glob("results/*/*")
        return found

    @property
    def record(self) -> Any:
        return json.loads((self.directory / "run.json").read_text(encoding="utf-8"))

    @property
    def has_failed(self) -> bool:
        """Whether the verdict is ``fail``, or would be on a machine that does nothing else."""
        reasons = self.record["reasons"]
        others = [one for one in reasons if not f"pacemark: {one['text']}".startswith(BUSY)]
        levels = {one["level"] for one in others}
        return self.status == (1 if others == reasons else 3) and "fail" in levels and "invalid" not in levels


class Pacemark:
    """The command, in ``folder``, with only those settings that are given to it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.scratch = folder / "tmp"
        self.scratch.mkdir(parents=True, exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not SETTINGS.match(name)}
        kept = {"XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(self.scratch)}
        self._environment = {**inherited, **kept, **settings}
        self._calls = 0

    def __call__(self, *args: str | Path, seconds: float = 180) -> Ended:
        """Run it to its end."""
        with self.started(*args) as running:
            return running.ended(seconds)

    def load(self, *args: str, out: str) -> Ended:
        """Make a load, of which no server's books are looked at, with its results in ``out``, a new folder.

        One that was invalid only since this machine did other work meanwhile, as other tests are, says to
        try again: that is done up to twice, as if it had not been before.
        """
        for _ in range(TRIES - 1):
            ended = self("run", *args, "--out", out)
            if ended.status != 3 or not all(BUSY in line for line in ended.errors):
                return ended
            shutil.rmtree(self.folder / out)
        return self("run", *args, "--out", out)

    def plain_jmeter(
        self, plan: str, jtl: str, stack: Stack, *options: str | Path, **properties: str | int
    ) -> list[dict[str, str]]:
        """A committed plan in a plain JMeter, on the gateway of ``stack``: the rows of its ``jtl``."""
        properties = {"GATEWAY_URL": stack.url, "TOKEN": stack.credentials(seconds=60).token, **properties}
        given = [f"-J{name}={value}" for name, value in properties.items()]
        ended = self("jmeter", "-n", "-t", PLANS / f"{plan}.jmx", *options, *given, "-l", jtl)
        assert ended.status == 0
        return rows(self.folder / jtl)

    @contextmanager
    def started(self, *args: str | Path) -> Iterator[Running]:
        """Start it; killed at the end when it is still there."""
        yield from self._start([sys.executable, "-m", "pacemark", *map(str, args)])

    @contextmanager
    def script(self, script: Path, *args: str | Path) -> Iterator[Running]:
        """Start a Python script in the same surroundings."""
        yield from self._start([sys.executable, str(script), *map(str, args)])

    def _start(self, command: list[str]) -> Iterator[Running]:
        self._calls += 1
        out, err = (self.folder / f"{name}-{self._calls}.txt" for name in ("stdout", "stderr"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            popen = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            yield Running(popen, self.folder, out, err)
        finally:
            popen.kill()
            popen.wait()


class Family:
    """The processes beneath a running Pacemark and the ports they listen on, to see that all go."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.processes = processes
        self.ports = {port for one in processes for port in listening_ports(one)}

    @classmethod
    def of(cls, running: Running) -> Self:
        return cls(running.tree())

    def left(self, seconds: float = 30) -> list[str]:
        """Whoever is still there after a while: processes, and ports that somebody listens on."""
        until(lambda: not self._left(), seconds)
        return self._left()

    def _left(self) -> list[str]:
        alive = [str(one) for one in self.processes if is_alive(one)]
        return alive + [f"port {port}" for port in self.ports if port_is_open(port)]


def port_is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def rows(jtl: Path) -> list[dict[str, str]]:
    """The samples of a whole JTL, by Python's own CSV reader."""
    with jtl.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(jtl: Path, samples: list[dict[str, str]]) -> Path:
    """Write them as JMeter would: a header, then a line a sample."""
    with jtl.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, samples[0])
        writer.writeheader()
        writer.writerows(samples)
    return jtl


def files_with(folder: Path, secret: str | re.Pattern[bytes]) -> list[str]:
    """Names of the files beneath ``folder`` that hold it."""
    pattern = re.compile(re.escape(secret.encode())) if isinstance(secret, str) else secret
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path.relative_to(folder)) for path in files if pattern.search(path.read_bytes())]
