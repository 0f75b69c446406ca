"""From what a run left behind to its record: evidence, verdict, figures."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pacemark import __version__, distributed
from pacemark.asked import Asked
from pacemark.gateway.client import RPC_ENDPOINT, GatewayError, SilentError
from pacemark.gateway.connection import UNVERIFIED
from pacemark.gateway.counters import Counters
from pacemark.gateway.preflight import PreflightResult
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.run import INTERRUPTED, Execution
from pacemark.jmeter.workers.share import SharedExecution
from pacemark.jmx.data import fingerprint
from pacemark.jmx.plan import load_properties, render
from pacemark.machine import machine
from pacemark.results.digest import Digest
from pacemark.results.holds import whole_slices
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import GATEWAY, Subject
from pacemark.results.record import (
    GatewayFacts,
    Generator,
    Reason,
    Recorded,
    RunRecord,
    Section,
    StageFigures,
    Window,
)
from pacemark.results.statistics import latency_figures, outcome_counts, percentile
from pacemark.results.verdict import STATUS, Evidence, decide
from pacemark.results.wake_up import late_wake_up_p95_ms, overdue_share, waiting_share
from pacemark.telemetry.objectives import own_figures
from pacemark.telemetry.observation import Observed
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload
from pacemark.workloads.servers import Servers

UNANSWERED = ("connect", "timeout", "reset", "bind", "error: ")
"""Outcomes of requests to which no gateway answered, so that none counted them."""

BREAKING = "breaking_point"
"""The measurement of a workload that asks for what saturates first, also where all went well."""

Counted = Counters | GatewayError | None
"""The gateway's counters; None when it does not count; why not, when it could not be asked."""


@dataclass(frozen=True)
class Begun:
    """A run that passed its preflight, or did not."""

    asked: Asked
    engine: Engine
    started: datetime
    found: PreflightResult


@dataclass(frozen=True)
class Carried:
    """A load that was carried out. ``before`` and ``after`` it the gateway was asked what it counted."""

    execution: Execution
    subject: Subject
    before: Counted
    after: Counted
    observed: Observed | None = None
    """What was seen beside it."""
    ended: Mapping[str, float] = field(default_factory=dict)
    """Services of the stack whose process ended meanwhile, and when, in seconds from the first sample."""


def judged(begun: Begun, carried: Carried) -> RunRecord:
    """The record of a run that left samples."""
    asked, engine = begun.asked, begun.engine
    execution, subject, before, after = carried.execution, carried.subject, carried.before, carried.after
    window, digest = asked.window, subject.digest
    requests = digest.without_lifetimes()
    measured = requests.between(window.from_s, window.to_s)
    observed = carried.observed
    pool = observed.pool(asked.load.duration_s) if observed else None
    own = measure(replace(subject, pool=pool))
    due = None if asked.load.rate_per_s is None else asked.load.due_between(window.from_s, window.to_s)
    promql = own_figures(asked.objectives, observed.telemetry if observed else None, window)
    objectives = judge(asked.objectives, measured, window=window, due=due, own=own.own, promql=promql)
    generator = _generator(asked, engine, execution, digest, measured)
    stages = _stages(asked.load, requests, execution.slots, window, cut_short=subject.cut_short)
    shared = execution if isinstance(execution, SharedExecution) else None
    of_workers = distributed.reasons(shared, asked.workload) if shared else []
    counted = _counted(asked.workload, asked.rpc_endpoint, digest, before, after)
    bearer = asked.identities or asked.credentials
    expires = bearer.expires_at if bearer else None
    unverified = asked.connection.ignores_certificate_of(asked.url)
    insecure = [_warning(*UNVERIFIED)] if unverified else []
    ended = _ended(carried, asked.log_files)
    if observed and not ended:
        ended = observed.gateways_lost(asked.load.duration_s)
    evidence = Evidence(
        window=window,
        warm_up_s=asked.warm_up_s,
        outcomes=outcome_counts(requests),
        recorded=digest.count,
        parents=digest.parents,
        in_window=measured.count,
        labels=digest.labels,
        expected_labels=asked.workload.labels,
        objectives=objectives,
        generator=generator,
        stages=stages,
        has_rate=asked.load.rate_per_s is not None,
        clock_step_s=execution.clock_step_s,
        token_expires=expires.timestamp() if expires else None,
        ended=execution.ended,
        gateway_gone=_gone(carried, asked),
        counted=counted,
        own=[
            *insecure,
            *own.reasons,
            *of_workers,
            *(observed.reasons if observed else []),
            *ended,
            *_not_known(before, after, asked),
        ],
        generator_judged=own.judges_generator,
    )
    verdict, reasons = decide(evidence)
    has_missed = any(reason.level == "fail" for reason in reasons)
    if observed and (has_missed or BREAKING in asked.workload.measurements):
        reasons += observed.first_to_saturate(asked.load.duration_s)
    record = unmeasured(begun, reasons)
    workers = distributed.worker_figures(shared, asked.load, digest, window) if shared else []
    if workers:
        record.fingerprint["workers"] = distributed.described(workers)
    return record.model_copy(
        update={
            "verdict": verdict,
            "exit_status": int(STATUS[verdict]),
            "recorded": Recorded(count=digest.count, errors=digest.errors),
            "objectives": objectives,
            "sections": [
                *own.sections,
                *([distributed.section(workers)] if workers else []),
                *(_background(observed, asked, measured) if observed else []),
            ],
            "workers": workers,
            "stages": stages,
            "generator": generator,
            "gateway": record.gateway.model_copy(update={"counted": counted}),
            "notes": list(digest.notes),
            "interrupted": INTERRUPTED in (execution.stopped, subject.probing_failed),
        }
    )


def _background(observed: Observed, asked: Asked, measured: Digest) -> list[Section]:
    if isinstance(asked.workload, Servers):  # some of which the gateway never sees
        measured = measured.where(pl.col("label").cast(pl.String).is_in(list(asked.workload.handlers)))
    p95 = percentile(measured, "95") if measured.count else None
    return observed.sections(asked.window, asked.load.duration_s, p95)


def unmeasured(begun: Begun, reasons: list[Reason]) -> RunRecord:
    """The record of a run that has no samples: invalid, for those reasons."""
    here, asked, engine = machine(), begun.asked, begun.engine
    return RunRecord(
        pacemark=__version__,
        workload=asked.workload.name,
        title=asked.workload.title,
        scale=asked.scale,
        started=begun.started,
        ended=datetime.now(UTC),
        load=asked.load,
        window=asked.window,
        verdict="invalid",
        exit_status=int(STATUS["invalid"]),
        reasons=reasons,
        gateway=GatewayFacts(
            url=asked.url, version=begun.found.gateway_version, embedded=asked.local is not None
        ),
        preflight=begun.found.findings,
        machine=here,
        fingerprint={
            "plan": hashlib.sha256(render(asked.workload)).hexdigest()[:16],
            "load": ", ".join(f"{name}={value}" for name, value in load_properties(asked.load).items()),
            "gateway": asked.gateway_kind,
            "machine": f"{here['processor']}, {here['cores']} cores, {here['memory']}",
            "jvm": f"{engine.java.version}, heap {asked.heap_mb} MB",
            "jmeter": engine.version,
            **_requests(begun),
        },
    )


def _requests(begun: Begun) -> dict[str, str]:
    """What makes requests others than the plan's own, for the fingerprint; what is as ever is left out."""
    asked, feeds = begun.asked, begun.asked.workload.feeds
    calls_elsewhere = asked.workload.calls_mcp and asked.rpc_endpoint != RPC_ENDPOINT
    found = {
        "data": fingerprint(feeds, begun.found.fixtures) if feeds else "",
        "JSON-RPC at": asked.rpc_endpoint if calls_elsewhere else "",
        "traces": "" if asked.traces else "off",
        "APM": asked.apm or "",
        "live figures": "on" if asked.live_port else "",
        "identities": str(len(asked.identities)) if asked.identities else "",
    }
    return {name: value for name, value in found.items() if value}


def _generator(
    asked: Asked, engine: Engine, execution: Execution, digest: Digest, measured: Digest
) -> Generator:
    start = digest.start_ms / 1000 + asked.window.from_s
    end = digest.start_ms / 1000 + asked.window.to_s
    pauses = execution.pauses(start, end)
    totals = execution.reported
    connections = int(measured.sums["new_connections"].sum())
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


def _stages(
    load: Load, digest: Digest, slots: list[tuple[int, int]], window: Window, *, cut_short: bool
) -> list[StageFigures]:
    """By the pacing's own count of slots; of a run that was cut short, by the samples in each stage.

    Such a run's stages end with its last whole slice: what was due later was not missed, but never came.
    """
    newest = digest.cells["slice"].max()
    until_s = int(str(newest)) * digest.slice_s if cut_short and newest is not None else math.inf
    stages = []
    for index, (start, stage) in enumerate(load.timeline()):
        if start >= until_s:
            break
        end = min(start + stage.seconds, until_s)
        due = stage.slots if end == start + stage.seconds else math.ceil(load.due_between(start, end) - 1e-9)
        told = index < len(slots) and not cut_short
        begun = slots[index][1] if told else digest.between(start, end).count
        measured = whole_slices(max(start, window.from_s), min(end, window.to_s), digest.slice_s)
        inside = digest.between(measured.from_s, measured.to_s) if measured.seconds > 0 else None
        held = inside if inside is not None and inside.count and stage.is_hold else None
        response = latency_figures(held, "response") if held else None
        stages.append(
            StageFigures(
                name=stage.name,
                from_s=start,
                to_s=end,
                due=due,
                started=begun,
                missed=max(0, due - begun),
                waiting_share=waiting_share(inside, load, whole=digest) if inside is not None else None,
                elapsed=latency_figures(held, "elapsed") if held else None,
                response=response if response and response.count else None,
            )
        )
    return stages


def _counted(
    workload: Workload,
    rpc_endpoint: str,
    digest: Digest,
    before: Counted,
    after: Counted,
) -> dict[str, tuple[int, int]]:
    """By handler: requests the gateway counted meanwhile, and samples to which it answered."""
    if not isinstance(before, Counters) or not isinstance(after, Counters):
        return {}
    if before.started != after.started:
        return {}
    answered: dict[str, int] = {}
    for label, pattern in workload.handlers.items():
        handler = pattern.replace("${MCP_RPC_ENDPOINT}", rpc_endpoint)
        outcomes = outcome_counts(digest.only(label))
        answers = sum(count for outcome, count in outcomes.items() if not outcome.startswith(UNANSWERED))
        answered[handler] = answered.get(handler, 0) + answers
    grown = after.since(before)
    return {handler: (grown.get(handler, 0), answers) for handler, answers in answered.items()}


def _gone(carried: Carried, asked: Asked) -> str:
    before, after = carried.before, carried.after
    if asked.local is not None and (failure := asked.local.failure):
        return f"the gateway did not last: {failure}"
    if any(service.startswith(GATEWAY) for service in carried.ended):
        return ""  # which is told with its moment
    if not isinstance(before, Counters):
        return ""
    if isinstance(after, SilentError):
        return ""  # so are its answers to the load: its counters are missing, not the gateway
    if isinstance(after, GatewayError):
        return f"the gateway did not last: {after}"
    restarted = after is None or after.restarted_since(before)
    return "the gateway was restarted during the run" if restarted else ""


def _ended(carried: Carried, log_files: Mapping[str, Path]) -> list[Reason]:
    """One of several gateways that ends makes the others' load another than was asked for."""

    def log(service: str) -> str:
        # nginx's own is that of requests.
        path = log_files.get(f"{service}-errors") or log_files.get(service)
        return f"its log, {path}," if path else "its log,"

    return [
        Reason(
            level="invalid" if service.startswith(GATEWAY) else "warning",
            text=f"{service} ended {max(at_s, 0):.0f} s into the run",
            remedy=f"see {log(service)} and run again",
        )
        for service, at_s in carried.ended.items()
    ]


def _not_known(before: Counted, after: Counted, asked: Asked) -> Iterator[Reason]:
    """Why the gateway's own count is missing, where it is."""
    for text in dict.fromkeys(str(one) for one in (before, after) if isinstance(one, GatewayError)):
        yield _warning(f"the gateway's counters: {text}", "see the gateway's log")
    if before is None and after is None and (asked.credentials or asked.identities):
        text = "the gateway does not count its requests: that it was restarted would not be seen"
        yield _warning(text, "start it with ENABLE_METRICS=true")
    if (
        isinstance(before, Counters)
        and isinstance(after, Counters)
        and before.started != after.started
        and not after.restarted_since(before)
    ):
        text = "several gateway processes answer at this URL: their counts cannot be told apart"
        yield _warning(text, "give the URL of one, or read the report without the gateway's own count")


def _warning(text: str, remedy: str) -> Reason:
    return Reason(level="warning", text=text, remedy=remedy)
