"""One worker's part of a run, as the controller sees it: the order, how it fares, and what comes of it.

There are two kinds. An engine that is called sends its samples here by RMI, where a JMeter for each writes
them down. An engine on its own writes them down there; their digest is made there too, and fetched with them
afterwards.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import CpuReading, last_lines, log_errors, reported_totals, slots_of
from pacemark.jmeter.live import NOTHING, Progress, Tail
from pacemark.jmeter.process import JMeterProcess
from pacemark.jmeter.run import INTERRUPTED, flushed, overdue
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import FAILED, ClockOffset, Link, LostWorkerError
from pacemark.jmeter.workers.parcel import Parcel, packed, unchunked
from pacemark.jmeter.workers.session import DIGEST, SAMPLES
from pacemark.jmeter.workers.share import Share, share_of, share_properties
from pacemark.jmeter.workers.wire import Message
from pacemark.workloads.load import Load

END_S = 60.0
"""To stop an engine and to send its log."""
DIGEST_S = 900.0
"""To count what an engine recorded: a day at 5,000 samples a second takes some three minutes."""
CHUNK_S = 60.0
"""For 4 MB, compressed, on the slowest line."""
CONTROLLER_HEAP_MB = 256
"""It hands samples on, and keeps none."""

REMOTE_SETTINGS = {
    # Asynch would say that the test has ended before its last samples are sent.
    "mode": "StrippedBatch",
    "num_sample_threshold": "100",
    # Milliseconds: what a worker that dies can take with it.
    "time_threshold": "1000",
}
_CONTROLLERS_OWN = ("jmeter.", "sample_variables", "summariser.")
"""How the properties begin that say what samples look like. The others are the plan's and the engine's."""


class Orders(NamedTuple):
    """What all workers are told alike. Passwords and tokens are among it."""

    plan: Path
    properties: Mapping[str, str]
    system: Mapping[str, str]
    files: Mapping[str, Parcel]
    """What properties of either kind name on this machine."""
    heap_mb: int


class Part(ABC):
    """What both kinds have in common."""

    ends_orderly: bool
    """Whether its engine is asked to end, or has nobody left to work for."""

    def __init__(self, number: int, workers: int, link: Link, load: Load, run_dir: Path) -> None:
        self.number, self.workers, self.link, self.load = number, workers, link, load
        self.folder = run_dir / "workers" / str(number + 1)
        self.folder.mkdir(parents=True)
        self.name = str(link.address)
        self.offset = ClockOffset(0.0, 0.0)
        self.cpu: list[CpuReading] = []
        self.lost = ""
        self.is_gone = False
        """Lost, and does not even answer."""
        self._step_s = 0.0
        self._last: Message = {}
        self.enough = False
        """Set when no more is to be collected than the verdict needs."""
        self._unfetched = ""
        self._there: Message = {}

    @property
    @abstractmethod
    def exit_code(self) -> int | None:
        """Of the JMeter that has the samples; None while it runs."""

    @property
    @abstractmethod
    def progress(self) -> Progress:
        """What was recorded so far."""

    @property
    @abstractmethod
    def first_ms(self) -> int | None:
        """When the first sample started, by the clock of this machine."""

    @abstractmethod
    def said(self) -> str:
        """What its JMeter said when nothing came of it."""

    @property
    def is_over(self) -> bool:
        return bool(self.lost) or self.exit_code is not None

    def prepare(self, orders: Orders) -> None:
        """Have an engine started there, with its share of the load."""
        self.offset = self.link.clock_offset()
        own = {**orders.properties, **share_properties(self.load, self.number, self.workers)}
        self._there = self.link.ask(
            "prepare",
            **self._order(orders, own),
            system=dict(orders.system),
            files=dict(orders.files),
            heap_mb=orders.heap_mb,
        )

    @abstractmethod
    def _order(self, orders: Orders, properties: dict[str, str]) -> dict[str, Any]:
        """What this kind is told: its properties, and perhaps the plan."""

    @contextmanager
    def controlled(self, engine: Engine, keystore: Keystore, orders: Orders, scratch: Path) -> Iterator[None]:
        """Whatever the engine needs on this machine as long as it works."""
        yield

    def look(self) -> Message:
        """Ask how it is; the connection lives by it."""
        answer = self.link.ask("look")
        if answer["cpu_s"] is not None:
            self.cpu.append(CpuReading(time.time(), answer["cpu_s"]))
        return answer

    def watch(self) -> None:
        """As ``look``, and see whether it is lost."""
        if self.is_gone:
            return
        try:
            answer = self.look()
        except FAILED as error:
            self.is_gone, self.lost = True, self.lost or _why(error)
        else:
            self._hear(answer)

    @abstractmethod
    def _hear(self, answer: Message) -> None:
        """What a look tells."""

    def overdue(self, started: float) -> str:
        """Why the watchdog should end the run for its sake, empty when it should not."""
        why = "" if self.is_over else overdue(self.first_ms, started, self.load)
        return f"worker {self.name}: {why}" if why else ""

    @abstractmethod
    def stop(self) -> None:
        """Let the JMeter here, where there is one, end in an orderly way."""

    def end(self) -> None:
        """Have its engine stopped and fetch the log."""
        if not self.is_gone:
            try:
                self._step_s = self.link.clock_offset().seconds - self.offset.seconds
                self._last = self.link.ask("end", orderly=self.ends_orderly, timeout_s=END_S)
            except FAILED as error:
                self.is_gone, self.lost = True, self.lost or f"after the load {_why(error)}"
        (self.folder / "engine.log").write_text(self._last.get("log", ""), encoding="utf-8")

    @abstractmethod
    def collect(self, origin_ms: int) -> None:
        """Fetch what is not here yet; digests count from ``origin_ms`` by this machine's clock."""

    def share(self) -> Share:
        """What it did."""
        seen, about = self.progress, self.link.about
        log, digest = self.folder / "engine.log", self.folder / DIGEST
        return Share(
            worker=self.name,
            number=self.number,
            samples=str(self.samples) if seen.samples and self.samples.is_file() else "",
            digest=str(digest) if digest.is_file() else "",
            unfetched=self._unfetched,
            machine=about["machine"],
            java=about["java"],
            threads=share_of(self.load.threads, self.number, self.workers),
            cores=self._there["cores"],
            cpu=self.cpu,
            gc_log=self._last.get("pauses", ""),
            offset_ms=self.offset.ms,
            offset_within_ms=self.offset.within_s * 1000,
            clock_step_s=self._step_s,
            started=seen.samples,
            errors=seen.errors,
            slots=slots_of(log.read_text(encoding="utf-8")),
            reported=reported_totals(self._counts),
            exit_code=self.exit_code,
            lost=self.lost,
            trouble=log_errors(log),
        )

    @property
    def samples(self) -> Path:
        return self.folder / SAMPLES

    @property
    @abstractmethod
    def _counts(self) -> Path:
        """The log in which JMeter's own count of the samples stands."""

    def _by_our_clock(self, ms: int | None) -> int | None:
        return None if ms is None else ms - self.offset.ms


class CalledPart(Part):
    """JMeter's own remote engine, and the JMeter here that calls it and writes down the samples it sends."""

    ends_orderly = False

    def __init__(self, number: int, workers: int, link: Link, load: Load, run_dir: Path) -> None:
        super().__init__(number, workers, link, load, run_dir)
        self._tail = Tail(self.samples)
        self._process: JMeterProcess | None = None
        self._output = Path()

    def _order(self, orders: Orders, properties: dict[str, str]) -> dict[str, Any]:
        return {"properties": {**properties, **REMOTE_SETTINGS}}

    @contextmanager
    def controlled(self, engine: Engine, keystore: Keystore, orders: Orders, scratch: Path) -> Iterator[None]:
        own = scratch / str(self.number)
        own.mkdir()
        command = engine.command(
            [
                *("-n", "-t", str(orders.plan.absolute())),
                *("-R", f"{self._there['host']}:{self._there['port']}"),
                *("-l", str(self.samples), "-j", str(self._counts)),
                f"-Djava.rmi.server.hostname={self.link.own_host}",
            ],
            heap_mb=CONTROLLER_HEAP_MB,
            work_dir=own,
        )
        # The plan goes as it is and gets its values there: no token and no password is needed here.
        about_samples = {n: v for n, v in orders.properties.items() if n.startswith(_CONTROLLERS_OWN)}
        ours = {**about_samples, **REMOTE_SETTINGS, **keystore.for_jmeter(own)}
        self._output = own / "output"
        with JMeterProcess(command, ours, cwd=own, output=self._output) as process:
            self._process = process
            try:
                yield
            finally:
                # When it was not over yet, there was no load.
                process.end(orderly=False)

    @property
    def exit_code(self) -> int | None:
        return self._process.exit_code if self._process else None

    @property
    def progress(self) -> Progress:
        return self._tail.look()

    @property
    def first_ms(self) -> int | None:
        return self._by_our_clock(self._tail.first_ms)

    def said(self) -> str:
        return "; ".join(
            log_errors(self._counts) or (last_lines(self._output) if self._output.is_file() else [])
        )

    def watch(self) -> None:
        super().watch()
        if self._process and self.lost:
            # Nothing more will come: let the JMeter here write down what it has.
            self._process.end(orderly=False)

    def _hear(self, answer: Message) -> None:
        if answer["ended"] and self.exit_code is None and not self.lost:
            self.lost = f"its JMeter ended ({answer['ended']})"

    def stop(self) -> None:
        if self._process:
            self._process.end()

    def collect(self, origin_ms: int) -> None:
        """It is all here."""

    @property
    def _counts(self) -> Path:
        return self.folder / "controller.log"


class OwnPart(Part):
    """An engine that carries out its share by itself and keeps the samples until the load is over."""

    ends_orderly = True

    def __init__(self, number: int, workers: int, link: Link, load: Load, run_dir: Path) -> None:
        super().__init__(number, workers, link, load, run_dir)
        self._exit_code: int | None = None
        self._ended = ""
        self._progress = NOTHING
        self._first_ms: int | None = None

    def _order(self, orders: Orders, properties: dict[str, str]) -> dict[str, Any]:
        quick = flushed(self.load.highest_per_s / self.workers)
        return {"properties": {**properties, **quick}, "plan": packed(orders.plan)}

    @property
    def exit_code(self) -> int | None:
        return self._exit_code

    @property
    def progress(self) -> Progress:
        return self._progress

    @property
    def first_ms(self) -> int | None:
        return self._by_our_clock(self._first_ms)

    def said(self) -> str:
        return self._ended

    def _hear(self, answer: Message) -> None:
        self._take_in(answer)
        self._ended, self._exit_code = answer["ended"], answer["exit_code"]
        if self._exit_code:
            self.lost = f"its JMeter ended ({self._ended})"

    def _take_in(self, answer: Message) -> None:
        self._progress, self._first_ms = Progress(*answer["progress"]), answer["first_ms"]

    def stop(self) -> None:
        """There is none: ``end`` stops the one there."""

    def end(self) -> None:
        super().end()
        if self.is_gone:
            self._lose_samples()
        else:
            self._take_in(self._last)

    def collect(self, origin_ms: int) -> None:
        """The digest, which the verdict needs, and then the samples, which it does not."""
        if self.is_gone or not self._progress.samples:
            return
        try:
            self.link.ask("digest", ahead_ms=self.offset.ms, origin_ms=origin_ms, timeout_s=DIGEST_S)
            self._fetch(DIGEST)
        except (*FAILED, OSError, ValueError) as error:
            self.lost = self.lost or f"after the load {_why(error)}"
            self._lose_samples()
            return
        try:
            self._fetch(SAMPLES)
        except (*FAILED, OSError, ValueError) as error:
            self._unfetched = _why(error)

    def _fetch(self, name: str) -> None:
        """A chunk at a time, and in place when it is whole."""
        part = self.folder / f"{name}.part"
        try:
            with part.open("wb") as file:
                while content := self._chunk(name, file.tell()):
                    file.write(content)
            part.replace(self.folder / name)
        finally:
            part.unlink(missing_ok=True)

    def _chunk(self, name: str, at: int) -> bytes:
        if self.enough and name == SAMPLES:
            raise InterruptedError(INTERRUPTED)
        answer = self.link.ask("read", name=name, at=at, timeout_s=CHUNK_S)
        return unchunked(answer["chunk"])

    def _lose_samples(self) -> None:
        if self._progress.samples:
            self.lost = f"{self.lost}, and some {self._progress.samples} samples with it"
        self._progress, self._first_ms = NOTHING, None

    @property
    def _counts(self) -> Path:
        return self.folder / "engine.log"


def _why(error: Exception) -> str:
    return f"it {error}" if isinstance(error, LostWorkerError) else str(error)
