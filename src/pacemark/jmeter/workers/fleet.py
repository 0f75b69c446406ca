"""Carrying out one plan on several workers, as one load.

Up to what one machine can take in, by JMeter's own remote engines, with one JMeter here for each of them
rather than one for all: each engine then has properties of its own, so its share, and samples of its own,
which are counted by themselves. Above that engines work on their own: they keep their samples, and their
digests are merged.
"""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pacemark.errors import InputError, InterruptedRunError, RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.live import Progress, side_by_side
from pacemark.jmeter.run import INTERRUPTED, LOOK_EVERY_S, ClockWatch, noted_stops
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import Link, LostWorkerError
from pacemark.jmeter.workers.parcel import packed
from pacemark.jmeter.workers.part import CalledPart, Orders, OwnPart, Part
from pacemark.jmeter.workers.share import Share, SharedExecution, share_of, slots_together
from pacemark.jmeter.workers.wire import Message
from pacemark.workloads.load import Load

CONTROLLER_TAKES_PER_S = 5_000
"""Samples a second, of all engines, that are sent here by RMI: with more the controller would be the limit.

Two engines that were asked for 6,000/s came to 5,000/s after half a minute when they were called, and held
6,000/s on their own (JMeter 5.6.3, all on one machine of 2 cores).
"""
READY_S = 90.0
"""For every engine to start (3 to 4 s), and again to get the plan and to say that it is ready."""
LEAD_S = 0.5
"""From the word to the start: longer than the word takes to every worker."""

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
    system: Mapping[str, str] = MappingProxyType({}),
) -> SharedExecution:
    """Run ``plan`` on all workers as one load; samples and logs go to ``run_dir/workers/<number>/``.

    ``properties`` are JMeter's and the plan's, ``system`` those of its Java. ``files`` are what properties of
    either kind name on this machine, a file or a folder of files: each worker has a copy as long as the run
    lasts, and the property names that. A worker that is lost in mid-run is told in ``stopped``; the others
    go on.

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
            kind = kind_of(load)
            parts = [
                kind(number, len(links), link, load, run_dir.absolute()) for number, link in enumerate(links)
            ]
            parcels = {name: packed(path) for name, path in files.items()}
            orders = Orders(plan, properties, system, parcels, heap_mb)
            _all(parts, lambda part: part.prepare(orders))
            _wait(parts, "serving", "its engine did not start")
            for part in parts:
                stack.enter_context(part.controlled(engine, keystore, orders, scratch))
            _wait(parts, "ready", "its engine did not get the plan, or cannot call back to this machine")
            _start(parts)
        except KeyboardInterrupt:
            raise InterruptedRunError("interrupted before the first sample") from None
        return _watched(parts, load, on_progress)


def kind_of(load: Load) -> type[CalledPart] | type[OwnPart]:
    """How the engines work that make this load.

    Without a rate nobody knows how many samples will come, but users who think send few.
    """
    return OwnPart if (load.rate_per_s or 0) > CONTROLLER_TAKES_PER_S else CalledPart


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


def _all(parts: Sequence[Part], do: Callable[[Part], T]) -> list[T]:
    """The same of all workers at once, so that a slow one keeps none of the others waiting.

    Raises:
        RunError: one of them could not; it is named.
    """

    def one(part: Part) -> T:
        try:
            return do(part)
        except LostWorkerError as error:
            raise RunError(
                f"worker {part.name} was lost before the load: it {error}", "see what it says there"
            ) from None

    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(one, parts))


def _wait(parts: Sequence[Part], state: str, otherwise: str) -> None:
    deadline = time.monotonic() + READY_S
    while not all(looks := [look[state] for look in _all(parts, _looked_at)]):
        if time.monotonic() > deadline:
            late = ", ".join(part.name for part, there in zip(parts, looks, strict=True) if not there)
            raise RunError(
                f"worker {late}: {otherwise} within {READY_S:g} s", "see the ports in docs/workers.md"
            )
        time.sleep(LOOK_EVERY_S / 2)


def _looked_at(part: Part) -> Message:
    look = part.look()
    why = look["ended"] or (part.exit_code is not None and part.said())
    if why:
        raise RunError(f"worker {part.name}: {why}", f"see {part.folder}")
    return look


def _start(parts: Sequence[Part]) -> None:
    at_ms = round((time.time() + LEAD_S) * 1000)
    _all(parts, lambda part: part.link.ask("start", at_ms=at_ms + part.offset.ms))


def _watched(parts: Sequence[Part], load: Load, on_progress: Callable[[Progress], None]) -> SharedExecution:
    started, clock, stopped = time.time(), ClockWatch(), ""
    with ThreadPoolExecutor(len(parts)) as pool:
        with noted_stops() as stops:
            while not stopped and not all(part.is_over for part in parts):
                time.sleep(LOOK_EVERY_S)
                list(pool.map(lambda part: part.watch(), parts))
                clock.look()
                on_progress(side_by_side([part.progress for part in parts]))
                overdue = "; ".join(filter(None, (part.overdue(started) for part in parts)))
                stopped = INTERRUPTED if stops else overdue
        list(pool.map(lambda part: part.stop(), parts))
        list(pool.map(lambda part: part.end(), parts))
        on_progress(side_by_side([part.progress for part in parts]))
        _collect(pool, parts)
        shares = [part.share() for part in parts]
    if not any(share.started for share in shares):
        if stopped == INTERRUPTED:
            raise InterruptedRunError("interrupted before the first sample")
        said = (share.lost or part.said() or stopped for share, part in zip(shares, parts, strict=True))
        why = "; ".join(f"worker {part.name}: {text}" for part, text in zip(parts, said, strict=True))
        raise RunError(f"no worker sent a sample: {why}", f"see {parts[0].folder.parent}")
    lost = "; ".join(_lost(share, load, len(shares)) for share in shares if share.lost)
    reported = [share.reported for share in shares if share.reported is not None]
    steps = [clock.step_s, *(share.clock_step_s for share in shares)]
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


def _collect(pool: ThreadPoolExecutor, parts: Sequence[Part]) -> None:
    """What the engines still have. All count from the first sample of all, so that their digests add up."""
    starts = [part.first_ms for part in parts if part.first_ms is not None]
    collecting = [pool.submit(part.collect, min(starts)) for part in parts if starts]
    try:
        for one in collecting:
            one.result()
    except KeyboardInterrupt:
        for part in parts:
            part.enough = True
        for one in collecting:
            one.result()


def _lost(share: Share, load: Load, workers: int) -> str:
    planned = sum(share_of(stage.slots, share.number, workers) for stage in load.stages)
    return (
        f"worker {share.worker} was lost: {share.lost}; {share.started} samples of its {planned} slots came"
    )
