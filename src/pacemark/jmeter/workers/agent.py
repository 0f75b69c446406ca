"""The worker's side: waits for a controller, and has JMeter's own remote engine ready for it.

Each run gets an engine of its own, fresh and with the run's memory and properties, so that nothing of one run
is left in the next. When the controller goes, in whatever way, the engine ends with it: no load outlives its
run.
"""

import os
import queue
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from pacemark import __version__
from pacemark.errors import PacemarkError, RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import last_lines, log_errors
from pacemark.jmeter.process import JMeterProcess
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.wire import Message, Wire
from pacemark.machine import machine

SILENCE_S = 30.0
"""A controller asks every half second; one that has not for so long is gone."""
HANDSHAKE_S = 10.0
_BOUND = "Bound to RMI registry"
"""What JMeter logs when its engine can be called."""


def serve(engine: Engine, keystore: Keystore, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Wait for controllers on ``host``:``port``, one at a time, until interrupted.

    Raises:
        RunError: the address cannot be listened on.
    """
    context = keystore.context(server=True)
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise RunError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}",
            "choose another --port or --host",
        ) from None
    with listener:
        arrived: queue.Queue[tuple[Wire, str]] = queue.Queue()
        busy = threading.Event()
        reception = threading.Thread(target=_receive, args=(listener, context, arrived, busy), daemon=True)
        reception.start()
        tell(f"waiting on {host}:{port} for a controller; Ctrl-C ends it")
        while True:
            wire, who = arrived.get()
            try:
                tell(f"{who} is here")
                # In this thread: Linux kills an engine with the thread that started it.
                _Session(engine, keystore, wire, port).hold()
            except (OSError, ValueError) as error:
                tell(f"{who} was lost: {error}")
            else:
                tell(f"{who} is done")
            finally:
                wire.close()
                busy.clear()


def _receive(
    listener: socket.socket,
    context: ssl.SSLContext,
    arrived: queue.Queue[tuple[Wire, str]],
    busy: threading.Event,
) -> None:
    while True:
        try:
            connection, (who, _) = listener.accept()
        except OSError:
            return
        threading.Thread(target=_greet, args=(connection, who, context, arrived, busy), daemon=True).start()


_door = threading.Lock()


def _greet(
    connection: socket.socket,
    who: str,
    context: ssl.SSLContext,
    arrived: queue.Queue[tuple[Wire, str]],
    busy: threading.Event,
) -> None:
    """Let in who has the key, one at a time. A probe that only connects ends here."""
    connection.settimeout(HANDSHAKE_S)
    with suppress(OSError):
        wire = Wire(context.wrap_socket(connection, server_side=True))
        with _door:
            taken = busy.is_set()
            busy.set()
        if taken:
            with suppress(ValueError):
                wire.receive(HANDSHAKE_S)  # closing with a question unread would take the answer back
                wire.send({"error": "it is busy with another run"})
            wire.close()
        else:
            arrived.put((wire, who))
        return
    connection.close()


class _Session:
    """One controller, from its greeting until it goes."""

    def __init__(self, engine: Engine, keystore: Keystore, wire: Wire, port: int) -> None:
        self._engine, self._keystore, self._wire, self._port = engine, keystore, wire, port
        self._process: JMeterProcess | None = None
        self._folder = Path()
        self._bound = False
        self._answers: dict[str, Callable[[Message], Message]] = {
            "hello": self._hello,
            "time": lambda _: {"at": time.time()},
            "prepare": self._prepare,
            "look": self._look,
            "start": self._start,
            "end": self._end,
        }

    def hold(self) -> None:
        with tempfile.TemporaryDirectory(prefix="pacemark-worker-") as folder:
            self._folder = Path(folder)
            try:
                while (asked := self._wire.receive(SILENCE_S)) is not None:
                    self._wire.send(self._answer(asked))
            finally:
                self._stop()

    def _answer(self, asked: Message) -> Message:
        try:
            return self._answers[asked["do"]](asked)
        except PacemarkError as error:
            return {"error": str(error)}
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
        """Write the data files and start the engine; ``look`` tells when it can be called."""
        properties: dict[str, str] = asked["properties"]
        for name, content in asked["files"].items():
            properties[name] = str(self._write(name, content))
        for name in ("java-tmp", "together"):
            (self._folder / name).mkdir()
        host = self._wire.own_host
        command = self._engine.command(
            ["-s", "-j", str(self._log), f"-Djava.rmi.server.hostname={host}"],
            heap_mb=asked["heap_mb"],
            work_dir=self._folder,
            gc_log=self._folder / "gc.log",
        )
        ours = {
            **properties,
            **self._keystore.for_jmeter(self._folder),
            "server_port": str(self._port + 1),
            "server.rmi.localport": str(self._port + 2),
            "START_FOLDER": str(self._folder / "together"),
        }
        self._process = JMeterProcess(command, ours, cwd=self._folder, output=self._folder / "output")
        return {"host": host, "port": self._port + 1, "cores": self._process.cores()}

    def _write(self, name: str, content: str | dict[str, str]) -> Path:
        """A file, or a folder of files by name."""
        whole = self._folder / "files" / _plain(name)
        if isinstance(content, str):
            whole.parent.mkdir(exist_ok=True)
            whole.write_text(content, encoding="utf-8")
            return whole
        whole.mkdir(parents=True)
        for each, text in content.items():
            (whole / _plain(each)).write_text(text, encoding="utf-8", newline="")
        return whole

    def _look(self, _: Message) -> Message:
        process = self._process
        self._bound = self._bound or _BOUND in self._logged()
        ended = process is None or process.exit_code is not None
        return {
            "serving": self._bound and not ended,
            "ready": (self._folder / "together" / "ready").exists(),
            "ended": self._said() if ended else "",
            "cpu_s": None if ended or process is None else process.cpu_seconds(),
        }

    def _start(self, asked: Message) -> Message:
        """Say when the load starts; as a whole, for the engine reads it as soon as it is there."""
        folder = self._folder / "together"
        (folder / "part").write_text(str(int(asked["at_ms"])), encoding="ascii")
        (folder / "part").replace(folder / "start")
        return {}

    def _end(self, _: Message) -> Message:
        self._stop()
        gc = self._folder / "gc.log"
        lines = gc.read_text(encoding="utf-8", errors="replace").splitlines() if gc.is_file() else []
        return {"log": self._logged(), "pauses": "\n".join(line for line in lines if " Pause " in line)}

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
        said = log_errors(self._log) or ([] if self._bound else last_lines(self._folder / "output"))
        return "; ".join([f"killed by signal {-code}" if code < 0 else f"exit status {code}", *said])

    def _stop(self) -> None:
        if self._process is not None:
            with suppress(psutil.Error):
                self._process.end(orderly=False)


def _plain(name: str) -> str:
    """The name of a file that stays in its folder.

    Raises:
        RunError: it would lead out of it.
    """
    if os.path.basename(name) != name or name in ("", ".", ".."):  # noqa: PTH119
        raise RunError(f"'{name}' is no name of a file")
    return name
