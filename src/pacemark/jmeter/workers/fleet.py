"""Carrying out one plan on several workers: JMeter's own remote engines, one JMeter here for each of them.

One for each, rather than one for all: each engine then has properties of its own, so its share, and samples
of its own, which are counted by themselves; and what one controller can take is no limit of the whole.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from pacemark.errors import InputError, InterruptedRunError, RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import CpuReading, last_lines, log_errors, reported_totals, slots_of
from pacemark.jmeter.live import Progress, Tail, side_by_side
from pacemark.jmeter.process import JMeterProcess
from pacemark.jmeter.run import INTERRUPTED, LOOK_EVERY_S, clock_offset, overdue
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import END_S, ClockOffset, Link, LostWorkerError
from pacemark.jmeter.workers.share import (
    Share,
    SharedExecution,
    share_of,
    share_properties,
    slots_together,
)
from pacemark.jmeter.workers.wire import Message
from pacemark.workloads.load import Load

READY_S = 90.0
"""For every engine to start (3 to 4 s), and again to get the plan and to say that it is ready."""
LEAD_S = 0.5
"""From the word to the start: longer than the word takes to every worker."""
CONTROLLER_HEAP_MB = 256
"""It hands samples on, and keeps none."""

REMOTE_SETTINGS = {
    # Asynch would say that the test has ended before its last samples are sent.
    "mode": "StrippedBatch",
    "num_sample_threshold": "100",
    # Milliseconds: what a worker that dies can take with it.
    "time_threshold": "1000",
}

T = TypeVar("T")


def execute_on_workers(
    engine: Engine,
    workers: Sequence[Address],
    keystore: Keystore,
    plan: Path,
    properties: Mapping[str, str],
    files: Mapping[str, Path],
    load: Load,
    run_dir: Path,
    *,
    heap_mb: int,
    on_progress: Callable[[Progress], None],
) -> SharedExecution:
    """Run ``plan`` on all workers as one load; samples and logs go to ``run_dir/workers/<number>/``.

    ``files`` are what properties name on this machine, a file or a folder of files: each worker gets a copy,
    and the property names that. A worker that is lost in mid-run is told in ``stopped``; the others go on.

    Raises:
        InputError: there are more workers than threads.
        InterruptedRunError: it was interrupted before the first sample.
        RunError: a worker cannot be reached or prepared, or nothing came of it.
    """
    if len(workers) > load.threads:
        raise InputError(f"{len(workers)} workers for {load.threads} threads", "name fewer workers")
    with ExitStack() as stack:
        try:
            links = _linked(stack, workers, keystore, engine)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pacemark-")))
            parts = [
                _Part(number, len(links), link, load, run_dir.absolute(), scratch)
                for number, link in enumerate(links)
            ]
            each = {**properties, **REMOTE_SETTINGS}
            contents = {name: _content(path) for name, path in files.items()}
            _all(parts, lambda part: part.prepare(each, contents, heap_mb))
            _wait(parts, "serving", "its engine did not start")
            for part in parts:
                stack.enter_context(part.controlled(engine, keystore, plan, each))
            _wait(parts, "ready", "its engine did not get the plan, or cannot call back to this machine")
            _start(parts)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted before the first sample") from None
        return _watched(parts, load, on_progress)


class _Part:
    """One worker at work: the connection to it, and the JMeter that controls its engine."""

    def __init__(
        self, number: int, workers: int, link: Link, load: Load, run_dir: Path, scratch: Path
    ) -> None:
        self.number, self._workers, self.link, self.load = number, workers, link, load
        self.folder = run_dir / "workers" / str(number + 1)
        self.name = str(link.address)
        self.cpu: list[CpuReading] = []
        self.lost = ""
        self._gone = False
        self.folder.mkdir(parents=True)
        self.tail = Tail(self.folder / "samples.jtl")
        self._scratch = scratch / str(number)
        self._scratch.mkdir()
        self._where: Message = {}
        self._process: JMeterProcess | None = None
        self.offset = ClockOffset(0.0, 0.0)

    def prepare(
        self, properties: Mapping[str, str], files: Mapping[str, str | dict[str, str]], heap_mb: int
    ) -> None:
        self.offset = self.link.clock_offset()
        own = {**properties, **share_properties(self.load, self.number, self._workers)}
        self._where = self.link.ask("prepare", properties=own, files=files, heap_mb=heap_mb)

    @contextmanager
    def controlled(
        self, engine: Engine, keystore: Keystore, plan: Path, properties: Mapping[str, str]
    ) -> Iterator[None]:
        """The JMeter here that sends the plan to the engine there, and writes down the samples it gets."""
        command = engine.command(
            [
                *("-n", "-t", str(plan.absolute()), "-R", f"{self._where['host']}:{self._where['port']}"),
                *("-l", str(self.folder / "samples.jtl"), "-j", str(self.log)),
                f"-Djava.rmi.server.hostname={self.link.own_host}",
            ],
            heap_mb=CONTROLLER_HEAP_MB,
            work_dir=self._scratch,
        )
        ours = {**properties, **keystore.for_jmeter(self._scratch)}
        with JMeterProcess(command, ours, cwd=self._scratch, output=self._output) as process:
            self._process = process
            try:
                yield
            finally:
                # When it was not over yet, there was no load.
                process.end(orderly=False)

    @property
    def log(self) -> Path:
        return self.folder / "controller.log"

    @property
    def _output(self) -> Path:
        return self._scratch / "output"

    @property
    def exit_code(self) -> int | None:
        return self._process.exit_code if self._process else None

    @property
    def is_over(self) -> bool:
        return bool(self.lost) or self.exit_code is not None

    def said(self) -> str:
        """What its controller logged or printed."""
        return "; ".join(log_errors(self.log) or (last_lines(self._output) if self._output.exists() else []))

    def look(self) -> Message:
        """Ask how it is; the connection lives by it."""
        answer = self.link.ask("look")
        if answer["cpu_s"] is not None:
            self.cpu.append(CpuReading(time.time(), answer["cpu_s"]))
        return answer

    def watch(self) -> None:
        """As ``look``, and see whether it is lost."""
        if self.lost:
            return
        try:
            answer = self.look()
        except (LostWorkerError, RunError) as error:
            self._gone, self.lost = True, f"it {error}"
        else:
            if answer["ended"] and self.exit_code is None:
                self.lost = f"its JMeter ended ({answer['ended']})"

    def overdue(self, started: float) -> str:
        """Why the watchdog should end the run for its sake, empty when it should not."""
        why = "" if self.is_over else overdue(self.tail.first_ms, started, self.load)
        return f"worker {self.name}: {why}" if why else ""

    def release(self) -> None:
        """Nothing more will come: let its controller write down what it has."""
        if self._process and self.lost:
            self._process.end(orderly=False)

    def stop(self) -> None:
        if self._process:
            self._process.end()

    def result(self) -> Share:
        """What it did; its engine is stopped and its log fetched."""
        log, pauses, step_s = "", "", 0.0
        if not self._gone:
            try:
                step_s = self.link.clock_offset().seconds - self.offset.seconds
                ended = self.link.ask("end", timeout_s=END_S)
                log, pauses = ended["log"], ended["pauses"]
            except (LostWorkerError, RunError) as error:
                self.lost = self.lost or f"after the load it {error}"
        (self.folder / "engine.log").write_text(log, encoding="utf-8")
        seen = self.tail.look()
        about = self.link.about
        return Share(
            worker=self.name,
            number=self.number,
            samples=str(self.folder / "samples.jtl") if seen.samples else "",
            machine=about["machine"],
            java=about["java"],
            threads=share_of(self.load.threads, self.number, self._workers),
            cores=self._where["cores"],
            cpu=self.cpu,
            gc_log=pauses,
            offset_ms=self.offset.ms,
            offset_within_ms=self.offset.within_s * 1000,
            clock_step_s=step_s,
            started=seen.samples,
            errors=seen.errors,
            slots=slots_of(log),
            reported=reported_totals(self.log),
            exit_code=self.exit_code,
            lost=self.lost,
            trouble=log_errors(self.folder / "engine.log"),
        )


def _linked(stack: ExitStack, workers: Sequence[Address], keystore: Keystore, engine: Engine) -> list[Link]:
    """Connections to all of them, or one error that names each that cannot be had."""
    with ThreadPoolExecutor(len(workers)) as pool:
        tried = list(pool.map(lambda address: _tried(address, keystore, engine), workers))
    for link in tried:
        if isinstance(link, Link):
            stack.callback(link.close)
    errors = [error for error in tried if isinstance(error, RunError)]
    if errors:
        hints = dict.fromkeys(error.hint for error in errors)
        raise RunError("; ".join(error.message for error in errors), "; ".join(hints))
    return [link for link in tried if isinstance(link, Link)]


def _tried(address: Address, keystore: Keystore, engine: Engine) -> Link | RunError:
    try:
        return Link.to(address, keystore, engine)
    except RunError as error:
        return error


def _all(parts: Sequence[_Part], do: Callable[[_Part], T]) -> list[T]:
    """The same of all workers at once, so that a slow one keeps none of the others waiting.

    Raises:
        RunError: one of them could not; it is named.
    """

    def one(part: _Part) -> T:
        try:
            return do(part)
        except LostWorkerError as error:
            raise RunError(
                f"worker {part.name} was lost before the load: it {error}", "see what it says there"
            ) from None

    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(one, parts))


def _wait(parts: Sequence[_Part], state: str, otherwise: str) -> None:
    deadline = time.monotonic() + READY_S
    while not all(looks := [look[state] for look in _all(parts, _looked_at)]):
        if time.monotonic() > deadline:
            late = ", ".join(part.name for part, there in zip(parts, looks, strict=True) if not there)
            raise RunError(
                f"worker {late}: {otherwise} within {READY_S:g} s", "see the ports in docs/workers.md"
            )
        time.sleep(LOOK_EVERY_S / 2)


def _looked_at(part: _Part) -> Message:
    look = part.look()
    why = look["ended"] or (part.exit_code is not None and part.said())
    if why:
        raise RunError(f"worker {part.name}: {why}", f"see {part.folder}")
    return look


def _start(parts: Sequence[_Part]) -> None:
    at_ms = round((time.time() + LEAD_S) * 1000)
    _all(parts, lambda part: part.link.ask("start", at_ms=at_ms + part.offset.ms))


def _watched(parts: Sequence[_Part], load: Load, on_progress: Callable[[Progress], None]) -> SharedExecution:
    started, steady, stopped = time.time(), clock_offset(), ""
    with ThreadPoolExecutor(len(parts)) as pool:
        try:
            while not stopped and not all(part.is_over for part in parts):
                time.sleep(LOOK_EVERY_S)
                list(pool.map(_Part.watch, parts))
                list(pool.map(_Part.release, parts))
                on_progress(side_by_side([part.tail.look() for part in parts]))
                stopped = "; ".join(filter(None, (part.overdue(started) for part in parts)))
        except KeyboardInterrupt:
            stopped = INTERRUPTED
        list(pool.map(_Part.stop, parts))
        shares = list(pool.map(_Part.result, parts))
    on_progress(side_by_side([part.tail.look() for part in parts]))
    if not any(share.started for share in shares):
        if stopped == INTERRUPTED:
            raise InterruptedRunError("interrupted before the first sample")
        said = (share.lost or part.said() or stopped for share, part in zip(shares, parts, strict=True))
        why = "; ".join(f"worker {part.name}: {text}" for part, text in zip(parts, said, strict=True))
        raise RunError(f"no worker sent a sample: {why}", f"see {parts[0].folder.parent}")
    lost = "; ".join(_lost(share, load, len(shares)) for share in shares if share.lost)
    reported = [share.reported for share in shares if share.reported is not None]
    steps = [clock_offset() - steady, *(share.clock_step_s for share in shares)]
    return SharedExecution(
        started=started,
        ended=time.time(),
        exit_code=next((share.exit_code for share in shares if share.exit_code and not share.lost), 0),
        stopped=stopped or lost,
        clock_step_s=max(steps, key=abs),
        cores=sum(share.cores for share in shares),
        cpu=[],
        gc_log="",
        reported=(sum(n for n, _ in reported), sum(n for _, n in reported))
        if len(reported) == len(shares)
        else None,
        slots=slots_together([share.slots for share in shares]),
        shares=shares,
    )


def _lost(share: Share, load: Load, workers: int) -> str:
    planned = sum(share_of(stage.slots, share.number, workers) for stage in load.stages)
    return (
        f"worker {share.worker} was lost: {share.lost}; {share.started} samples of its {planned} slots came"
    )


def _content(path: Path) -> str | dict[str, str]:
    if path.is_dir():
        return {each.name: each.read_text(encoding="utf-8") for each in sorted(path.iterdir())}
    return path.read_text(encoding="utf-8")
