"""A run from end to end: preflight, load, digest, verdict, report."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pacemark import distributed
from pacemark.asked import Asked
from pacemark.details import with_details
from pacemark.errors import InputError, InterruptedRunError, PacemarkError, RunError
from pacemark.gateway.client import GatewayClient, GatewayError
from pacemark.gateway.counters import read_counters, together
from pacemark.gateway.mcp_servers import find_servers
from pacemark.gateway.openings import try_opening
from pacemark.gateway.preflight import PreflightResult, preflight
from pacemark.gateway.processes import ProcessWatch
from pacemark.gateway.sign_in import sign_in_properties, try_journey
from pacemark.jmeter.engine import Engine, default_heap_mb
from pacemark.jmeter.jvm import JvmSettings, jvm_settings
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import Execution, execute
from pacemark.jmeter.workers.share import SharedExecution
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.live import live_properties
from pacemark.jmx.plan import load_properties, render
from pacemark.judging import Begun, Carried, Counted, judged, unmeasured
from pacemark.probing import cpu_share, most_seconds, probed
from pacemark.report.files import write_all, write_without_samples
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE, Digest
from pacemark.results.growing import GrowingDigest
from pacemark.results.measurements.model import ProcessReading, Subject
from pacemark.results.processes import PROCESSES_FILE, save_readings
from pacemark.results.record import Finding, Reason, RunRecord
from pacemark.results.statistics import summarize
from pacemark.telemetry.annotations import Annotations
from pacemark.telemetry.grafana import Grafana
from pacemark.telemetry.log_files import LogFiles
from pacemark.telemetry.observation import Observation, Observed, Observing
from pacemark.workloads.connections import Connections
from pacemark.workloads.journey import Journey
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload
from pacemark.workloads.servers import Servers
from pacemark.workloads.streams import Streams

DASHBOARD_LIMIT = 5_000_000
"""Samples above which JMeter's own dashboard, at 17 s a million, is left to the user."""
WHOLE_WINDOW = "-Jjmeter.reportgenerator.statistic_window=-1"
"""Without it that dashboard makes its percentiles of the last 20,000 samples of a label."""


def run(
    asked: Asked,
    engine: Engine,
    *,
    on_progress: Callable[[Progress], None],
    on_probe: Callable[[str, Load], None] = lambda name, load: None,
    on_verdict: Callable[[RunRecord], None] = lambda record: None,
) -> tuple[RunRecord, Path]:
    """Carry out one workload; its record, and the directory that holds everything about it.

    Whatever happens after the preflight, what was recorded is analysed and written. ``on_probe`` is told the
    number and the load of each probe that follows, ``on_verdict`` the record before the report is made, which
    takes seconds for a day's samples.
    """
    started = datetime.now(UTC)
    asked, found = _examined(asked)
    begun = Begun(asked, engine, started, found)
    directory = _new_directory(asked.out / asked.workload.name)
    if found.errors:
        reasons = [_stopped_by(finding) for finding in found.errors]
        return _without_samples(begun, reasons, directory, on_verdict)
    observation = Observation(_observing(asked))
    files = LogFiles(asked.log_files)
    found = found.model_copy(update={"findings": [*found.findings, *observation.findings]})
    begun = replace(begun, found=found)
    before = _counters(asked)
    watch = ProcessWatch(asked.pids, asked.load.duration_s)
    annotations, warnings = _annotations(asked, directory.name)

    def look(progress: Progress) -> None:
        watch.look()
        annotations.look(progress.elapsed_s, progress.samples)
        on_progress(progress)

    observation.start()
    try:
        execution, digest = _load(asked, engine, found, directory, look)
    except (RunError, InputError) as error:
        observation.abandon()
        annotations.verdict("invalid", error.message, 0, 0)
        reasons = [Reason(level="invalid", text=error.message, remedy=error.hint), *annotations.close()]
        interrupted = isinstance(error, InterruptedRunError)
        return _without_samples(begun, reasons, directory, on_verdict, interrupted=interrupted)
    observed = observation.stop(digest.start_ms / 1000, asked.window)
    annotations.end(digest.start_ms / 1000, min(digest.window.to_s, asked.load.duration_s))
    readings = _kept(directory, digest, observed, watch)
    ended = {service: at - digest.start_ms / 1000 for service, at in watch.ended.items()}
    after = _counters(asked)

    def carry(one: Workload, load: Load, folder: Path) -> tuple[Execution, Digest]:
        on_probe(folder.name, load)
        return _load(replace(asked, workload=one, load=load), engine, found, folder, on_progress)

    subject = probed(_subject(asked, execution, digest, readings), directory, carry)
    record = judged(begun, Carried(execution, subject, before, after, observed, ended))
    record.save_to(directory)
    on_verdict(record)
    why = next((reason.text for reason in record.reasons), "")
    annotations.verdict(record.verdict, why, asked.window.from_s, asked.window.to_s)
    warnings += annotations.close()
    record = with_details(record, asked, digest, directory, files, warnings)
    record.save_to(directory)
    write_all(directory, record, digest, summarize(digest, window=asked.window))
    return record, directory


def _examined(asked: Asked) -> tuple[Asked, PreflightResult]:
    """What the preflight found; of servers that are asked directly, only what they were found to offer."""
    workload, load = asked.workload, asked.load
    found = preflight(
        asked.url,
        asked.credentials,
        seconds=load.duration_s + most_seconds(workload, load),
        rate_per_s=load.highest_per_s,
        threads=load.threads,
        needs_mcp=workload.calls_mcp,
        out_dir=asked.out,
        rpc_endpoint=asked.rpc_endpoint,
        listed_tools=asked.listed_tools,
        connection=asked.connection,
        identities=asked.identities,
        needs_token=not workload.signs_in,
    )
    if found.errors:
        return asked, found
    if not found.takes_token:
        asked = replace(asked, credentials=None, identities=None)
    more: list[Finding] = []
    token = asked.identities.first if asked.identities else asked.credentials
    if isinstance(workload, Journey):
        more = try_journey(workload, asked.url, asked.admin_url, asked.administrator, asked.connection)
    elif isinstance(workload, Servers):
        there = find_servers(workload, asked.server_urls, asked.url, token, asked.connection)
        more = there.findings
        properties = {**asked.properties, **there.properties}
        asked = replace(asked, workload=workload.only(there.labels), properties=properties)
    elif isinstance(workload, Streams | Connections):
        more = [try_opening(workload, asked.url, token, asked.connection)] if token else []
    return asked, found.model_copy(update={"findings": [*found.findings, *more]})


def _annotations(asked: Asked, run: str) -> tuple[Annotations, list[Reason]]:
    """What Grafana is told, where there is one that knows us; a warning, where that cannot be."""
    grafana, warnings = None, []
    if asked.grafana_url and asked.grafana_token:
        try:
            grafana = Grafana(asked.grafana_url, asked.grafana_token, asked.connection)
        except InputError as error:
            warnings = [Reason(level="warning", text=f"no annotations: {error.message}", remedy=error.hint)]
    elif asked.grafana_url:
        text = "no annotations: GRAFANA_URL is set, GRAFANA_TOKEN is not"
        warnings = [Reason(level="warning", text=text, remedy="give a token that may write them, or neither")]
    return Annotations(grafana, asked.workload.name, run, asked.load), warnings


def _observing(asked: Asked) -> Observing:
    """Test servers that are loaded directly need no direct call beside that."""
    return Observing(
        run_s=asked.load.duration_s,
        prometheus_url=asked.prometheus_url,
        prometheus_token=asked.prometheus_token,
        promql=[(one.promql, one.worst) for one in asked.objectives if one.promql],
        server_urls={} if isinstance(asked.workload, Servers) else asked.server_urls,
        connection=asked.connection,
    )


def _kept(
    directory: Path, digest: Digest, observed: Observed, watch: ProcessWatch
) -> Sequence[ProcessReading]:
    """Save what was seen; the gateway's processes as Pacemark saw them, or else as Prometheus did."""
    digest.save(directory / DIGEST_FILE)
    observed.save(directory)
    readings = [ProcessReading(seen.at - digest.start_ms / 1000, *seen[1:]) for seen in watch.looks]
    readings = readings or observed.readings
    if readings:
        save_readings(directory / PROCESSES_FILE, readings)
    return readings


def _without_samples(
    begun: Begun,
    reasons: list[Reason],
    directory: Path,
    on_verdict: Callable[[RunRecord], None],
    *,
    interrupted: bool = False,
) -> tuple[RunRecord, Path]:
    record = unmeasured(begun, reasons).model_copy(update={"interrupted": interrupted})
    record.save_to(directory)
    on_verdict(record)
    write_without_samples(directory, record)
    return record, directory


def write_dashboard(engine: Engine, directory: Path) -> None:
    """JMeter's own dashboard of a run, over all its samples, in ``jmeter-report``.

    Raises:
        PacemarkError: JMeter could not make it.
    """
    with tempfile.TemporaryDirectory(prefix="pacemark-") as scratch:
        whole = directory.absolute()
        args = ["-g", str(whole / SAMPLES_FILE), "-o", str(whole / "jmeter-report")]
        args += ["-j", f"{scratch}/jmeter.log", WHOLE_WINDOW]
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
) -> tuple[Execution, Digest]:
    growing = GrowingDigest(directory / SAMPLES_FILE)
    plan = directory / "plan.jmx"
    plan.write_bytes(render(asked.workload, live=asked.live_port is not None))
    feeds = asked.workload.feeds
    if feeds:
        write_data(directory / "data", feeds, found.fixtures)
    with tempfile.TemporaryDirectory(prefix="pacemark-") as stores:
        given = settings_of(asked, Path(stores))
        properties = {
            **given.properties,
            "DATA_DIR": str(directory.resolve() / "data"),
            "TEST_NAME": f"{asked.workload.name} {directory.name}",
            "summariser.interval": "5",
        }
        carried_out = (
            partial(distributed.execute, engine, asked.workers)
            if asked.workers
            else partial(execute, engine, follow=lambda _: growing)
        )
        execution = carried_out(
            plan,
            properties,
            asked.load,
            directory,
            heap_mb=asked.heap_mb,
            on_progress=on_progress,
            system=given.system,
        )
    if isinstance(execution, SharedExecution):
        return execution, distributed.digest_of(execution)
    return execution, growing.finished()


def settings_of(asked: Asked, stores: Path) -> JvmSettings:
    """What JMeter and its Java are given, but for where the data is; secrets are among it.

    Trust store and key store are written into ``stores``.

    Raises:
        InputError: a certificate or key cannot be read.
    """
    workload = asked.workload
    properties = {
        **JMETER_SETTINGS,
        **load_properties(asked.load),
        "GATEWAY_URL": asked.url,
        "TOKEN": asked.credentials.token if asked.credentials else "",
        "MCP_RPC_ENDPOINT": asked.rpc_endpoint,
        **({} if asked.traces else {"TRACING": "false"}),
        **({"APM": asked.apm} if asked.apm else {}),
        **({"MCP_SSE_ENDPOINT": workload.endpoint} if isinstance(workload, Streams) else {}),
        **(sign_in_properties(asked.admin_url, asked.administrator) if workload.signs_in else {}),
        **(live_properties(asked.live_port, asked.live_host) if asked.live_port else {}),
        **asked.properties,
    }
    if asked.identities:
        properties["TOKENS_FILE"] = str(asked.identities.path)
    jvm = jvm_settings(asked.connection, asked.url, stores, others=asked.properties.values())
    return JvmSettings(jvm.system, properties | jvm.properties)


def _subject(
    asked: Asked, execution: Execution, digest: Digest, processes: Sequence[ProcessReading]
) -> Subject:
    return Subject(
        workload=asked.workload,
        load=asked.load,
        window=asked.window,
        digest=digest,
        processes=processes,
        cut_short=bool(execution.stopped or execution.exit_code),
        cpu_share=cpu_share(execution, digest),
    )


def _counters(asked: Asked) -> Counted:
    token = asked.credentials or (asked.identities.first if asked.identities else None)
    if token is None:
        return None  # they are for those with a token; the preflight has said so
    readings = []
    try:
        for url in asked.gateway_urls or (asked.url,):
            with GatewayClient(url, token, connection=asked.connection) as client:
                readings.append(read_counters(client))
    except GatewayError as error:
        return error
    counted = [one for one in readings if one is not None]
    return together(counted) if len(counted) == len(readings) else None
