"""A run from end to end: preflight, load, digest, verdict, report."""

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pacemark import __version__, report
from pacemark.errors import InputError, InterruptedRunError, PacemarkError, RunError
from pacemark.gateway.client import GatewayClient, GatewayError
from pacemark.gateway.counters import Counters, read_counters
from pacemark.gateway.fixtures import Listed
from pacemark.gateway.preflight import PreflightResult, preflight
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine, default_heap_mb
from pacemark.jmeter.health import reported_totals, slots_taken
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import INTERRUPTED, Execution, execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.machine import machine
from pacemark.probing import cpu_share, most_seconds, probed
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE, Digest
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Subject
from pacemark.results.record import (
    Finding,
    GatewayFacts,
    Generator,
    Reason,
    Recorded,
    RunRecord,
    StageFigures,
    Window,
)
from pacemark.results.statistics import figures, summarize
from pacemark.results.verdict import STATUS, Evidence, decide
from pacemark.results.wake_up import late_wake_up_p95_ms, overdue_share, waiting_share
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload
from pacemark.workloads.objective import Objective

DASHBOARD_LIMIT = 5_000_000
"""Samples above which JMeter's own dashboard, at 17 s a million, is left to the user."""
UNANSWERED = ("connect", "timeout", "reset", "bind", "error: ")
"""Outcomes of requests to which no gateway answered, so that none counted them."""


class Local(Protocol):
    """A gateway that Pacemark itself started, as far as a run needs to know it."""

    @property
    def failure(self) -> str: ...


@dataclass(frozen=True)
class Asked:
    """What the user wants to be run, against what."""

    workload: Workload
    scale: str
    load: Load
    warm_up_s: int
    objectives: tuple[Objective, ...]
    url: str
    credentials: Credentials | None
    out: Path
    local: Local | None = None
    heap_mb: int = field(default_factory=default_heap_mb)
    properties: Mapping[str, str] = field(default_factory=dict)
    """Properties of the plan that are only this workload's, such as a test server's URL."""
    rpc_endpoint: str = "/rpc"
    listed_tools: Listed = field(default_factory=dict)

    @property
    def window(self) -> Window:
        """The planned window, after warm-up."""
        return Window(from_s=self.warm_up_s, to_s=self.load.duration_s)


def run(
    asked: Asked,
    engine: Engine,
    *,
    on_progress: Callable[[Progress], None],
    on_probe: Callable[[str, Load], None] = lambda name, load: None,
) -> tuple[RunRecord, Path]:
    """Carry out one workload; its record, and the directory that holds everything about it.

    Whatever happens after the preflight, what was recorded is analysed and written. ``on_probe`` is told the
    number and the load of each probe that follows."""
    started = datetime.now(UTC)
    found = preflight(
        asked.url,
        asked.credentials,
        seconds=asked.load.duration_s + most_seconds(asked.workload, asked.load),
        rate_per_s=asked.load.rate_per_s,
        threads=asked.load.threads,
        needs_mcp=asked.workload.calls_mcp,
        out_dir=asked.out,
        rpc_endpoint=asked.rpc_endpoint,
        listed_tools=asked.listed_tools,
    )
    directory = _new_directory(asked.out / asked.workload.name)
    if found.errors:
        reasons = [_stopped_by(finding) for finding in found.errors]
        return _without_samples(asked, engine, started, found, reasons, directory)
    before = _counters(asked)
    try:
        execution = _load(asked, engine, found, directory, on_progress)
        digest = Digest.from_jtl(directory / SAMPLES_FILE)
    except (RunError, InputError) as error:
        reasons = [Reason(level="invalid", text=error.message, remedy=error.hint)]
        interrupted = isinstance(error, InterruptedRunError)
        return _without_samples(asked, engine, started, found, reasons, directory, interrupted=interrupted)
    digest.save(directory / DIGEST_FILE)
    after = _counters(asked)

    def carry(one: Workload, load: Load, folder: Path) -> Execution:
        on_probe(folder.name, load)
        return _load(replace(asked, workload=one, load=load), engine, found, folder, on_progress)

    subject = probed(_subject(asked, execution, digest), directory, carry)
    record = _judged(asked, engine, started, found, execution, subject, directory, before, after)
    record.save_to(directory)
    report.write_all(directory, record, digest, summarize(digest, window=asked.window))
    return record, directory


def _without_samples(
    asked: Asked,
    engine: Engine,
    started: datetime,
    found: PreflightResult,
    reasons: list[Reason],
    directory: Path,
    *,
    interrupted: bool = False,
) -> tuple[RunRecord, Path]:
    record = _record(asked, engine, started, found, reasons=reasons)
    record = record.model_copy(update={"interrupted": interrupted})
    record.save_to(directory)
    report.write_without_samples(directory, record)
    return record, directory


def write_dashboard(engine: Engine, directory: Path) -> None:
    """JMeter's own dashboard of a run, over all its samples, in ``jmeter-report``.

    Raises:
        PacemarkError: JMeter could not make it.
    """
    with tempfile.TemporaryDirectory(prefix="pacemark-") as scratch:
        whole = directory.absolute()
        args = ["-g", str(whole / SAMPLES_FILE), "-o", str(whole / "jmeter-report")]
        args += ["-j", f"{scratch}/jmeter.log", "-Jjmeter.reportgenerator.statistic_window=-1"]
        command = engine.command(args, heap_mb=default_heap_mb(), work_dir=Path(scratch))
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stdout.splitlines()[-1:]
            raise PacemarkError(f"JMeter's dashboard failed: {' '.join(lines)}", "Pacemark's report is there")


def _new_directory(parent: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for suffix in ("", *(f"-{n}" for n in range(2, 100))):
        directory = parent / (stamp + suffix)
        try:
            directory.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise InputError(f"cannot write to {parent}: {error.strerror}", "choose another --out") from None
        return directory
    raise InputError(f"{parent} has a hundred runs of this second", "wait a second")


def _stopped_by(finding: Finding) -> Reason:
    return Reason(
        level="invalid", text=f"not started: {finding.name}: {finding.detail}", remedy=finding.remedy
    )


def _load(
    asked: Asked,
    engine: Engine,
    found: PreflightResult,
    directory: Path,
    on_progress: Callable[[Progress], None],
) -> Execution:
    plan = directory / "plan.jmx"
    plan.write_bytes(render(asked.workload))
    feeds = asked.workload.feeds
    if feeds:
        write_data(directory / "data", feeds, found.fixtures)
    properties = {
        **JMETER_SETTINGS,
        **load_properties(asked.load),
        "GATEWAY_URL": asked.url,
        "TOKEN": asked.credentials.token if asked.credentials else "",
        "MCP_RPC_ENDPOINT": asked.rpc_endpoint,
        "DATA_DIR": str(directory.resolve() / "data"),
        "summariser.interval": "5",
        **asked.properties,
    }
    return execute(
        engine, plan, properties, asked.load, directory, heap_mb=asked.heap_mb, on_progress=on_progress
    )


def _subject(asked: Asked, execution: Execution, digest: Digest) -> Subject:
    is_cut, cpu = bool(execution.stopped or execution.exit_code), cpu_share(execution, digest)
    return Subject(asked.workload, asked.load, asked.window, digest, cut_short=is_cut, cpu_share=cpu)


def _judged(
    asked: Asked,
    engine: Engine,
    started: datetime,
    found: PreflightResult,
    execution: Execution,
    subject: Subject,
    directory: Path,
    before: Counters | str | None,
    after: Counters | str | None,
) -> RunRecord:
    window, digest = asked.window, subject.digest
    requests = digest.without_lifetimes()
    measured = requests.between(window.from_s, window.to_s)
    own = measure(subject)
    due = asked.load.due_between(window.from_s, window.to_s)
    objectives = judge(asked.objectives, measured, window=window, due=due, own=own.own)
    generator = _generator(asked, engine, execution, digest, measured, directory)
    unknown = [f"the gateway's counters: {one}" for one in (before, after) if isinstance(one, str)]
    counted = _counted(asked.workload, asked.rpc_endpoint, digest, before, after)
    expires = asked.credentials.expires_at if asked.credentials else None
    evidence = Evidence(
        window=window,
        warm_up_s=asked.warm_up_s,
        outcomes=figures(requests).outcomes,
        recorded=digest.count,
        parents=digest.parents,
        in_window=measured.count,
        labels=digest.labels,
        expected_labels=asked.workload.labels,
        objectives=objectives,
        generator=generator,
        clock_step_s=execution.clock_step_s,
        token_expires=expires.timestamp() if expires else None,
        ended=execution.ended,
        gateway_gone=_gone(asked, before, after),
        counted=counted,
        unknown=list(dict.fromkeys(unknown)),
        own=own.reasons,
    )
    verdict, reasons = decide(evidence)
    record = _record(asked, engine, started, found, reasons=reasons)
    return record.model_copy(
        update={
            "verdict": verdict,
            "exit_status": int(STATUS[verdict]),
            "recorded": Recorded(count=digest.count, errors=digest.errors),
            "objectives": objectives,
            "sections": own.sections,
            "stages": _stages(asked.load, digest, directory),
            "generator": generator,
            "gateway": record.gateway.model_copy(update={"counted": counted}),
            "notes": list(digest.notes),
            "interrupted": INTERRUPTED in (execution.stopped, subject.probing_failed),
        }
    )


def _record(
    asked: Asked, engine: Engine, started: datetime, found: PreflightResult, *, reasons: list[Reason]
) -> RunRecord:
    here = machine()
    return RunRecord(
        pacemark=__version__,
        workload=asked.workload.name,
        title=asked.workload.title,
        scale=asked.scale,
        started=started,
        ended=datetime.now(UTC),
        load=asked.load,
        window=asked.window,
        verdict="invalid",
        exit_status=int(STATUS["invalid"]),
        reasons=reasons,
        gateway=GatewayFacts(url=asked.url, version=found.gateway_version, embedded=asked.local is not None),
        preflight=found.findings,
        machine=here,
        fingerprint={
            "plan": hashlib.sha256(render(asked.workload)).hexdigest()[:16],
            "load": ", ".join(f"{name}={value}" for name, value in load_properties(asked.load).items()),
            "gateway": "embedded" if asked.local else "external",
            "machine": f"{here['processor']}, {here['cores']} cores, {here['memory']}",
            "jvm": engine.java.version,
            "jmeter": engine.version,
        },
    )


def _generator(
    asked: Asked, engine: Engine, execution: Execution, digest: Digest, measured: Digest, directory: Path
) -> Generator:
    start = digest.start_ms / 1000 + asked.window.from_s
    end = digest.start_ms / 1000 + asked.window.to_s
    pauses = execution.pauses(start, end)
    totals = reported_totals(directory / "jmeter.log")
    connections = int(measured.cells["new_connections"].sum())
    return Generator(
        jmeter=engine.version,
        java=engine.java.version,
        heap_mb=asked.heap_mb,
        cpu_seconds=execution.cpu_seconds(start, end),
        cpu_share=execution.cpu_share(start, end),
        gc_pauses=pauses.count,
        gc_pause_ms=pauses.total_ms,
        gc_pause_max_ms=pauses.max_ms,
        late_wake_up_p95_ms=late_wake_up_p95_ms(measured),
        all_busy_share=overdue_share(measured),
        waiting_share=waiting_share(measured, asked.load),
        new_connection_share=connections / measured.count if measured.count else None,
        reported_count=totals[0] if totals else None,
        reported_errors=totals[1] if totals else None,
        exit_code=execution.exit_code,
        stopped=execution.stopped,
    )


def _stages(load: Load, digest: Digest, directory: Path) -> list[StageFigures]:
    """By the pacing's own count of slots; of a run that was cut short, by the samples in each stage."""
    taken = [taken for _, taken in slots_taken(directory / "jmeter.log")]
    figures = []
    for index, (start, stage) in enumerate(load.timeline()):
        end = start + stage.seconds
        begun = taken[index] if index < len(taken) else digest.between(start, end).count
        figures.append(
            StageFigures(
                name=stage.name,
                from_s=start,
                to_s=end,
                due=stage.slots,
                started=begun,
                missed=max(0, stage.slots - begun),
            )
        )
    return figures


def _counters(asked: Asked) -> Counters | str | None:
    """None when the gateway does not count; why not, when it could not be asked."""
    try:
        with GatewayClient(asked.url, asked.credentials) as client:
            return read_counters(client)
    except GatewayError as error:
        return str(error)


def _counted(
    workload: Workload,
    rpc_endpoint: str,
    digest: Digest,
    before: Counters | str | None,
    after: Counters | str | None,
) -> dict[str, tuple[int, int]]:
    """By handler: requests the gateway counted meanwhile, and samples to which it answered."""
    if not isinstance(before, Counters) or not isinstance(after, Counters):
        return {}
    if before.started_s != after.started_s:
        return {}
    answered: dict[str, int] = {}
    for label, pattern in workload.handlers.items():
        handler = pattern.replace("${MCP_RPC_ENDPOINT}", rpc_endpoint)
        outcomes = figures(digest.only(label)).outcomes
        answers = sum(count for outcome, count in outcomes.items() if not outcome.startswith(UNANSWERED))
        answered[handler] = answered.get(handler, 0) + answers
    grown = after.since(before)
    return {handler: (grown.get(handler, 0), answers) for handler, answers in answered.items()}


def _gone(asked: Asked, before: Counters | str | None, after: Counters | str | None) -> str:
    if asked.local is not None and (failure := asked.local.failure):
        return f"the gateway did not last: {failure}"
    if not isinstance(before, Counters):
        return ""
    if isinstance(after, str):
        return f"the gateway did not last: {after}"
    restarted = after is not None and before.started_s != after.started_s
    return "the gateway was restarted during the run" if restarted else ""
