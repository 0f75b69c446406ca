"""What a worker does for one controller: it has one engine ready for it, and tells how that fares."""

import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from pacemark import __version__
from pacemark.errors import PacemarkError, RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import last_lines, log_errors
from pacemark.jmeter.live import Tail
from pacemark.jmeter.process import JMeterProcess
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.parcel import chunk, plain, unpack
from pacemark.jmeter.workers.wire import Message, Wire
from pacemark.machine import machine

SILENCE_S = 30.0
"""A controller asks every half second; one that has not for so long is gone."""
PATIENCE_S = 120.0
"""And so long once the load is over: it may wait for another worker, and there is no engine left to end."""
SAMPLES, DIGEST = "samples.jtl", "digest.parquet"
"""What an engine on its own leaves, to be asked for by these names."""
_BOUND = "Bound to RMI registry"
"""What JMeter logs when its engine can be called."""

Count = Callable[[Path, Path, int, int], None]
"""Writes the digest of the samples in one file to another, given by how many milliseconds the clock that
wrote them was ahead, and the instant to count from."""


class Session:
    """One controller, from its greeting until it goes."""

    def __init__(self, engine: Engine, keystore: Keystore, wire: Wire, port: int, count: Count) -> None:
        self._engine, self._keystore, self._wire, self._port = engine, keystore, wire, port
        self._count = count
        self._process: JMeterProcess | None = None
        self._folder = Path()
        self._can_be_called = False
        self._is_over = False
        self._answers: dict[str, Callable[[Message], Message]] = {
            "hello": self._hello,
            "time": lambda _: {"at": time.time()},
            "prepare": self._prepare,
            "look": self._look,
            "start": self._start,
            "end": self._end,
            "digest": self._digest,
            "read": self._read,
        }

    def hold(self) -> None:
        # Whatever the controller sent, secrets too, is in this folder only (mode 0700), and goes with it.
        with tempfile.TemporaryDirectory(prefix="pacemark-worker-") as folder:
            self._folder = Path(folder)
            self._tail = Tail(self._folder / SAMPLES)
            try:
                while (asked := self._wire.receive(self._patience_s)) is not None:
                    self._wire.send(self._answer(asked))
            finally:
                self._stop(orderly=False)

    @property
    def _patience_s(self) -> float:
        return PATIENCE_S if self._is_over else SILENCE_S

    def _answer(self, asked: Message) -> Message:
        try:
            return self._answers[asked["do"]](asked)
        except PacemarkError as error:
            return {"error": str(error)}
        except OSError as error:
            return {"error": f"it cannot {asked['do']}: {error.strerror or error}"}
        except (KeyError, TypeError) as error:
            return {"error": f"it does not understand the controller: {error!r}"}

    def _hello(self, _: Message) -> Message:
        return {
            "pacemark": __version__,
            "jmeter": self._engine.version,
            "java": self._engine.java.version,
            "machine": machine(),
        }

    def _prepare(self, asked: Message) -> Message:
        """Write the files and start the engine; ``look`` tells when it can be called, or is ready to start.

        With a plan it works on its own; without, it is JMeter's remote engine, which waits to be sent one.
        """
        properties, system = dict(asked["properties"]), dict(asked["system"])
        files = self._folder / "files"
        for folder in (files, self._folder / "java-tmp", self._folder / "together"):
            folder.mkdir()
        for name, content in asked["files"].items():
            named = system if name in system else properties
            named[name] = str(unpack(content, files / plain(name)))
        args, own = self._on_its_own(asked["plan"]) if "plan" in asked else self._to_be_called()
        command = self._engine.command(
            ["-j", str(self._log), *args],
            heap_mb=asked["heap_mb"],
            work_dir=self._folder,
            gc_log=self._folder / "gc.log",
        )
        ours = {**properties, **own, "START_FOLDER": str(self._folder / "together")}
        self._process = JMeterProcess(
            command, ours, system=system, cwd=self._folder, output=self._folder / "output"
        )
        return {"host": self._wire.own_host, "port": self._port + 1, "cores": self._process.cores()}

    def _on_its_own(self, plan: str) -> tuple[list[str], dict[str, str]]:
        self._can_be_called = True
        there = unpack(plan, self._folder / "plan.jmx")
        return ["-n", "-t", str(there), "-l", str(self._folder / SAMPLES)], {}

    def _to_be_called(self) -> tuple[list[str], dict[str, str]]:
        return ["-s", f"-Djava.rmi.server.hostname={self._wire.own_host}"], {
            **self._keystore.for_jmeter(self._folder),
            "server_port": str(self._port + 1),
            "server.rmi.localport": str(self._port + 2),
        }

    def _look(self, _: Message) -> Message:
        process = self._process
        self._can_be_called = self._can_be_called or _BOUND in self._logged()
        ended = process is None or process.exit_code is not None
        return {
            "serving": self._can_be_called and not ended,
            "ready": (self._folder / "together" / "ready").exists(),
            "ended": self._said() if ended else "",
            "exit_code": process.exit_code if process else None,
            "cpu_s": None if ended or process is None else process.cpu_seconds(),
            **self._recorded(),
        }

    def _recorded(self) -> Message:
        """What an engine on its own has recorded so far; of one that is called, nothing is recorded here."""
        return {"progress": self._tail.look(), "first_ms": self._tail.first_ms}

    def _start(self, asked: Message) -> Message:
        """Say when the load starts; as a whole, for the engine reads it as soon as it is there."""
        folder = self._folder / "together"
        (folder / "part").write_text(str(int(asked["at_ms"])), encoding="ascii")
        (folder / "part").replace(folder / "start")
        return {}

    def _end(self, asked: Message) -> Message:
        self._stop(orderly=asked["orderly"])
        self._is_over = True
        gc = self._folder / "gc.log"
        lines = gc.read_text(encoding="utf-8", errors="replace").splitlines() if gc.is_file() else []
        pauses = "\n".join(line for line in lines if " Pause " in line)
        return {"log": self._logged(), "pauses": pauses, **self._recorded()}

    def _digest(self, asked: Message) -> Message:
        samples, digest = self._folder / SAMPLES, self._folder / DIGEST
        self._count(samples, digest, int(asked["ahead_ms"]), int(asked["origin_ms"]))
        return {}

    def _read(self, asked: Message) -> Message:
        """A chunk of one of the files that an engine on its own leaves."""
        name = asked["name"]
        if name not in (SAMPLES, DIGEST):
            raise RunError(f"'{name}' is no file to be had")
        return {"chunk": chunk(self._folder / name, int(asked["at"]))}

    @property
    def _log(self) -> Path:
        return self._folder / "jmeter.log"

    def _logged(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.is_file() else ""

    def _said(self) -> str:
        """Why the engine is not there, in its own words."""
        code = self._process.exit_code if self._process else None
        if code is None:
            return "it was not started"
        said = log_errors(self._log) or ([] if self._can_be_called else last_lines(self._folder / "output"))
        return "; ".join([f"killed by signal {-code}" if code < 0 else f"exit status {code}", *said])

    def _stop(self, *, orderly: bool) -> None:
        if self._process is not None:
            with suppress(psutil.Error):
                self._process.end(orderly=orderly)
