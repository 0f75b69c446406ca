"""A run whose load several machines make: what they are asked for, and what the record says of them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from pacemark.errors import InputError, RunError
from pacemark.gateway.connection import is_loopback
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.live import Progress
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.fleet import execute_on_workers
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.share import Share, SharedExecution, share_of
from pacemark.results.digest import SAMPLES_FILE, Digest
from pacemark.results.record import Column, Reason, Recorded, Section, Window, WorkerFigures
from pacemark.results.shares import SharedSamples, join, merged, together
from pacemark.workloads.load import Load
from pacemark.workloads.model import Mix, Workload

_FILES = ("TOKENS_FILE", "javax.net.ssl.trustStore", "javax.net.ssl.keyStore")
"""Properties that name a file which the workers need; ``DATA_DIR`` names a folder."""


def require(workers: Sequence[Address], loads: Sequence[Load]) -> None:
    """See before anything else that these loads can be shared out.

    Raises:
        InputError: there are more workers than threads.
        SetupError: there is no keystore.
    """
    Keystore.find()
    if few := [load.threads for load in loads if load.threads < len(workers)]:
        raise InputError(
            f"{len(workers)} workers for {min(few)} threads", "name fewer workers, or more --threads"
        )


def execute(
    engine: Engine,
    workers: Sequence[Address],
    plan: Path,
    properties: Mapping[str, str],
    load: Load,
    directory: Path,
    *,
    heap_mb: int,
    on_progress: Callable[[Progress], None],
    system: Mapping[str, str] = MappingProxyType({}),
) -> SharedExecution:
    """Make the load with all workers; ``samples.jtl`` and ``jmeter.log`` in ``directory`` are of all of them.

    ``properties`` and ``system`` are as on one machine; what they name goes to the workers with them.

    Raises:
        InputError: a worker's samples cannot be read.
        RunError: as ``execute_on_workers``, or the workers cannot reach the gateway.
    """
    url = properties["GATEWAY_URL"]
    _require_reachable(url, urlsplit(url).hostname or "", workers)
    if proxy := system.get("http.proxyHost"):
        _require_reachable(f"the proxy {proxy}", proxy, workers)
    named = {**properties, **system}
    files = {name: Path(named[name]) for name in _FILES if name in named}
    if (data := Path(properties["DATA_DIR"])).is_dir():
        files["DATA_DIR"] = data
    execution = execute_on_workers(
        engine,
        workers,
        Keystore.find(),
        plan,
        properties,
        files,
        load,
        directory,
        heap_mb=heap_mb,
        on_progress=on_progress,
        system=system,
    )
    _join_logs(execution, directory)
    if samples := _samples(execution):
        join(samples, directory / SAMPLES_FILE)
    return execution


def count(samples: Path, to: Path, ahead_ms: int, origin_ms: int) -> None:
    """Write the digest of what a worker's engine recorded, on the controller's axis of time.

    Raises:
        InputError: the samples cannot be read.
    """
    Digest.from_jtl(samples, ahead_ms=ahead_ms, origin_ms=origin_ms).save(to)


def digest_of(execution: SharedExecution) -> Digest:
    """All shares' samples, on one axis of time: as the workers counted them, or else counted here."""
    if made := [Path(share.digest) for share in execution.shares if share.digest]:
        return merged([Digest.load(path) for path in made])
    return together(_samples(execution))


def worker_figures(
    execution: SharedExecution, load: Load, digest: Digest, window: Window
) -> list[WorkerFigures]:
    """For the record, of each worker."""
    start, end = (digest.start_ms / 1000 + at for at in (window.from_s, window.to_s))
    return [_figures(share, len(execution.shares), load, start, end) for share in execution.shares]


def reasons(execution: SharedExecution, workload: Workload) -> list[Reason]:
    """What the verdict needs to know beside what a run on one machine tells."""
    found = []
    for share in execution.shares:
        taken = sum(taken for _, taken in share.slots)
        if isinstance(workload, Mix) and not execution.stopped and taken != share.started:
            text = f"worker {share.worker} sent {taken} requests, {share.started} samples of them came"
            found.append(
                Reason(level="invalid", text=text, remedy="look for a network that loses connections")
            )
        if share.unfetched:
            text = f"the samples of worker {share.worker} are not in {SAMPLES_FILE}: {share.unfetched}"
            found.append(Reason(level="warning", text=text, remedy="the digest counts them all the same"))
        if share.trouble:
            text = f"worker {share.worker} logged: {'; '.join(share.trouble)}"
            found.append(Reason(level="warning", text=text, remedy="see jmeter.log"))
    return found


def section(workers: Sequence[WorkerFigures]) -> Section:
    """The workers' part of the report."""
    lost = [one.worker for one in workers if one.lost]
    count = sum(one.recorded.count for one in workers)
    summary = f"{len(workers)} workers made the load: {count} samples."
    if lost:
        summary += f" Lost on the way: {', '.join(lost)}."
    return Section(
        title="Workers",
        summary=summary,
        note="Clock: how far the worker's is ahead of the controller's; its samples are put right by that.",
        columns=[
            Column(name="worker"),
            Column(name="threads"),
            Column(name="planned"),
            Column(name="samples"),
            Column(name="errors"),
            Column(name="processor", unit="%"),
            Column(name="longest pause", unit="ms"),
            Column(name="clock", unit="ms"),
            Column(name="give or take", unit="ms"),
            Column(name="state"),
        ],
        rows=[
            [
                one.worker,
                one.threads,
                one.due,
                one.recorded.count,
                one.recorded.errors,
                None if one.cpu_share is None else round(one.cpu_share * 100, 1),
                one.gc_pause_max_ms,
                one.clock_ahead_ms,
                round(one.clock_within_ms, 1),
                f"lost: {one.lost}" if one.lost else "whole",
            ]
            for one in workers
        ],
    )


def described(workers: Sequence[WorkerFigures]) -> str:
    """For the fingerprint: how many, and of what kinds."""
    machines = (one.machine for one in workers)
    kinds = {f"{one['processor']}, {one['cores']} cores, {one['memory']}" for one in machines}
    return f"{len(workers)}: {'; '.join(sorted(kinds))}"


def _join_logs(execution: SharedExecution, directory: Path) -> None:
    with (directory / "jmeter.log").open("w", encoding="utf-8") as joined:
        for share in execution.shares:
            for name in ("engine", "controller"):
                path = directory / "workers" / str(share.number + 1) / f"{name}.log"
                if path.is_file():
                    text = path.read_text(encoding="utf-8", errors="replace")
                    joined.write(f"# worker {share.worker}: {name}\n{text}")


def _samples(execution: SharedExecution) -> list[SharedSamples]:
    return [
        SharedSamples(Path(share.samples), share.offset_ms) for share in execution.shares if share.samples
    ]


def _figures(share: Share, workers: int, load: Load, start: float, end: float) -> WorkerFigures:
    pauses = share.pauses(start, end) if share.gc_log or not share.lost else None
    return WorkerFigures(
        worker=share.worker,
        machine=share.machine,
        java=share.java,
        threads=share.threads,
        due=sum(share_of(stage.slots, share.number, workers) for stage in load.stages),
        recorded=Recorded(count=share.started, errors=share.errors),
        clock_ahead_ms=share.offset_ms,
        clock_within_ms=share.offset_within_ms,
        clock_step_ms=share.clock_step_s * 1000,
        cpu_share=share.cpu_share(start, end),
        gc_pause_ms=pauses.total_ms if pauses else None,
        gc_pause_max_ms=pauses.max_ms if pauses else None,
        lost=share.lost,
    )


def _require_reachable(what: str, host: str, workers: Sequence[Address]) -> None:
    others = [str(worker) for worker in workers if not is_loopback(worker.host)]
    if is_loopback(host) and others:
        raise RunError(
            f"{what} is this machine's own loopback, which {', '.join(others)} cannot reach",
            "name it by an address that the workers can reach",
        )
