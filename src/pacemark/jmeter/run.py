"""Carrying out one plan on this machine, until its planned end and never much longer."""

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InterruptedRunError, RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import (
    CpuReading,
    Pauses,
    cpu_between,
    last_lines,
    log_errors,
    pauses_between,
    reported_totals,
    slots_taken,
)
from pacemark.jmeter.live import Follower, Progress, Tail
from pacemark.jmeter.process import JMeterProcess
from pacemark.workloads.load import Load

FIRST_SAMPLE_S = 120.0
"""JMeter starts in 3 to 4 s, on a busy machine ten times slower, and a first request may take its whole
time-out of 30 s; one of which nothing was recorded after this long never will be."""
OVERTIME_S = 45.0
"""After the planned end: a request in flight may take its whole time-out of 30 s, then JMeter tidies up."""
LOOK_EVERY_S = 0.5
FLUSH_UP_TO_PER_S = 200
"""JMeter writes its samples out by 8 KB, some 50 rows: at a few a second nobody would see one for a minute,
and a kill would cost as many. Up to this rate each is written out at once."""
INTERRUPTED = "interrupted"
"""Why a run was stopped: by Ctrl-C."""


class Execution(BaseModel):
    """How the engine fared. Instants in epoch seconds."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    started: float
    ended: float
    exit_code: int | None
    stopped: str
    """Why it was stopped before its end; empty when it ended by itself."""
    clock_step_s: float
    """By how much the wall clock was set while it ran, the most of it where it was set back again."""
    cores: float
    cpu: list[CpuReading]
    gc_log: str
    """What the garbage collector logged."""
    reported: tuple[int, int] | None = None
    """Samples and errors that JMeter itself counted."""
    slots: list[tuple[int, int]] = []
    """Slots planned and slots taken, a pair a stage, as the pacing counted them."""

    def cpu_seconds(self, start: float, end: float) -> float | None:
        """Processor seconds used in a window of epoch seconds; None when it was not seen there."""
        return cpu_between(self.cpu, start, end)

    def cpu_share(self, start: float, end: float) -> float | None:
        """Processor seconds used in a window, over what it could get there; None when it was not seen."""
        used = self.cpu_seconds(start, end)
        return None if used is None else used / (self.cores * (end - start))

    def pauses(self, start: float, end: float) -> Pauses:
        """Garbage collection pauses that ended in a window of epoch seconds."""
        return pauses_between(self.gc_log, start, end)


def execute(
    engine: Engine,
    plan: Path,
    properties: Mapping[str, str],
    load: Load,
    run_dir: Path,
    *,
    heap_mb: int,
    on_progress: Callable[[Progress], None],
    system: Mapping[str, str] = MappingProxyType({}),
    follow: Callable[[Path], Follower] = Tail,
) -> Execution:
    """Run ``plan``; its samples go to ``run_dir/samples.jtl`` and its log to ``run_dir/jmeter.log``.

    ``properties`` are JMeter's and the plan's, ``system`` those of its Java; neither shows anywhere.
    Ctrl-C and the watchdog stop it, orderly first, and what was recorded stays. ``follow`` is given the
    samples' file, and what it returns reads along.

    Raises:
        InterruptedRunError: it was interrupted before the first sample.
        RunError: JMeter ended without a single sample; the message has what it logged.
    """
    # JMeter has a working directory of its own.
    samples, log = run_dir.absolute() / "samples.jtl", run_dir.absolute() / "jmeter.log"
    with tempfile.TemporaryDirectory(prefix="pacemark-") as scratch:
        gc_log = Path(scratch, "gc.log")
        command = engine.command(
            ["-n", "-t", str(plan.absolute()), "-l", str(samples), "-j", str(log)],
            heap_mb=heap_mb,
            work_dir=Path(scratch),
            gc_log=gc_log,
        )
        properties = {**properties, **flushed(load.highest_per_s)}
        output = Path(scratch, "output")
        with JMeterProcess(command, properties, system=system, cwd=Path(scratch), output=output) as process:
            tail = follow(samples)
            execution = _watch(process, tail, load, on_progress)
        if gc_log.is_file():
            text = gc_log.read_text(encoding="utf-8", errors="replace")
            execution = execution.model_copy(update={"gc_log": text})
        if tail.first_ms is None and execution.stopped == INTERRUPTED:
            raise InterruptedRunError("interrupted before the first sample")
        if tail.first_ms is None:
            said = log_errors(log) or last_lines(output) or [f"exit status {execution.exit_code}"]
            why = "; ".join([execution.stopped] if execution.stopped else said)
            raise RunError(f"JMeter ended without a sample: {why}", f"see {run_dir / log.name}")
    return execution.model_copy(update={"reported": reported_totals(log), "slots": slots_taken(log)})


def _watch(
    process: JMeterProcess, tail: Follower, load: Load, on_progress: Callable[[Progress], None]
) -> Execution:
    started, stopped, cpu = process.started, "", [CpuReading(time.time(), process.cpu_seconds())]
    cores, clock = process.cores(), ClockWatch()
    with noted_stops() as stops:
        while process.exit_code is None and not stopped:
            time.sleep(LOOK_EVERY_S)
            cpu.append(CpuReading(time.time(), process.cpu_seconds()))
            clock.look()
            on_progress(tail.look())
            stopped = INTERRUPTED if stops else overdue(tail.first_ms, started, load)
    if stopped:
        process.end()
    on_progress(tail.look())
    return Execution(
        started=started,
        ended=time.time(),
        exit_code=process.exit_code,
        stopped=stopped,
        clock_step_s=clock.step_s,
        cores=cores,
        cpu=cpu,
        gc_log="",
    )


@contextmanager
def noted_stops() -> Iterator[list[int]]:
    """In here Ctrl-C and SIGTERM only add their number to the list: who watches looks at it often enough.

    As an exception they could come between reading and counting, and cost samples; or in a destructor or a
    library that is not Python, and be lost.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # where no signal arrives
        return
    # A shell starts what it puts into the background with Ctrl-C ignored: so it stays.
    numbers = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in numbers}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def flushed(rate_per_s: float) -> dict[str, str]:
    """The property that has each sample written out at once, where so few come that it is needed."""
    few = rate_per_s <= FLUSH_UP_TO_PER_S
    return {"jmeter.save.saveservice.autoflush": "true"} if few else {}


class ClockWatch:
    """Sees when the wall clock is set, back again too."""

    def __init__(self) -> None:
        self.step_s = 0.0
        """The farthest that it was from where it would have been, in seconds."""
        self._offset_s = clock_offset()

    def look(self) -> None:
        self.step_s = max(self.step_s, clock_offset() - self._offset_s, key=abs)


def clock_offset() -> float:
    """What changes when the wall clock is set, in seconds."""
    return time.time() - time.monotonic()


def overdue(first_ms: int | None, started: float, load: Load) -> str:
    """Why the watchdog should end a JMeter now, empty when it should not. ``started`` in epoch seconds."""
    now = time.time()
    if first_ms is None:
        late = now - started > FIRST_SAMPLE_S
        return f"the watchdog ended JMeter: no sample within {FIRST_SAMPLE_S:g} s" if late else ""
    over = now - first_ms / 1000 - load.duration_s
    return f"the watchdog ended JMeter {over:.0f} s after its planned end" if over > OVERTIME_S else ""
