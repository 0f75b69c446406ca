"""Runs, one after another, each to its verdict and its report."""

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from pacemark.asked import Apm, Asked
from pacemark.commands.compare import ended
from pacemark.commands.engine import find_or_install
from pacemark.commands.given import (
    SCALES,
    connection_for,
    identities_for,
    listed_tools,
    loki,
    placed,
    rpc_endpoint,
)
from pacemark.commands.terminal import (
    TIME,
    AsJson,
    CaFile,
    Cert,
    Gateway,
    Insecure,
    Key,
    Tokens,
    complain,
    err,
    print_json,
    tell,
)
from pacemark.distributed import require
from pacemark.errors import Exit, InputError, PacemarkError
from pacemark.gateway.sign_in import admin_url
from pacemark.gateway.target import target
from pacemark.jmeter.engine import Engine, default_heap_mb
from pacemark.jmeter.process import require_free_port
from pacemark.jmeter.workers.address import Address, addresses
from pacemark.jmx.live import HOST
from pacemark.probing import most_seconds
from pacemark.report import comparison_page
from pacemark.report import console as show
from pacemark.report.overview import write_overview
from pacemark.report.progress import RunProgress
from pacemark.results import baselines, history
from pacemark.results.record import RunRecord
from pacemark.results.sides import compare_sides
from pacemark.run import DASHBOARD_LIMIT, WHOLE_WINDOW, run, write_dashboard
from pacemark.settings import File, Shape, loads_for, objectives_for, warm_up_for
from pacemark.telemetry.live import scraped
from pacemark.workloads import WORKLOADS, workload
from pacemark.workloads.model import Workload


def run_command(
    names: Annotated[list[str], typer.Argument(metavar="WORKLOAD...", help=f"Of {', '.join(WORKLOADS)}.")],
    gateway: Gateway = None,
    embedded: Annotated[bool, typer.Option("--embedded", help="Start a local gateway for this run.")] = False,
    scale: Annotated[str | None, typer.Option(help=f"{SCALES} [default: full]")] = None,
    rate: Annotated[float | None, typer.Option(help="Requests a second.")] = None,
    threads: Annotated[int | None, typer.Option(help="Concurrent users.")] = None,
    ramp_up: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"{TIME}; part of the duration.")
    ] = None,
    duration: Annotated[str | None, typer.Option(metavar="TIME", help=f"{TIME}, in all.")] = None,
    warm_up: Annotated[
        str | None, typer.Option(metavar="TIME", help="Not measured. [default: the ramp-up]")
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            help="Such as 'p95 < 200ms'; replaces one on the same metric and label, joins the rest."
        ),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(metavar="HOST[:PORT],...", help="Machines that make the load: see pacemark worker."),
    ] = None,
    baseline: Annotated[str | None, typer.Option(metavar="NAME|PATH", help="Compare with it.")] = None,
    live_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="JMeter's live figures for Prometheus: 127.0.0.1:PORT/metrics."),
    ] = None,
    live_host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Of this machine, where a container can reach them.")
    ] = HOST,
    ca_file: CaFile = None,
    insecure: Insecure = False,
    cert: Cert = None,
    key: Key = None,
    tokens: Tokens = None,
    apm: Annotated[Apm | None, typer.Option(help="Tag each request for it: see docs/apm.")] = None,
    no_traces: Annotated[
        bool, typer.Option("--no-traces", help="Send no X-Correlation-ID and no traceparent.")
    ] = False,
    no_dashboard: Annotated[
        bool, typer.Option("--no-dashboard", help="Leave out JMeter's own dashboard, which takes a while.")
    ] = False,
    out_dir: Annotated[Path | None, typer.Option("--out", help="[default: results]")] = None,
    as_json: AsJson = False,
) -> int:
    """Run workloads one after another; each ends in a verdict and a report."""
    file = File.read(Path())
    typed = Shape.read(
        {"rate": rate, "threads": threads, "ramp_up": ramp_up, "duration": duration},
        {"rate": "--rate", "threads": "--threads", "ramp_up": "--ramp-up", "duration": "--duration"},
    )
    chosen = [placed(workload(name)) for name in names]
    asked_loads = loads_for(chosen, scale=scale, typed=typed, environ=os.environ, file=file)
    if asked_loads.set_aside:
        tell(asked_loads.set_aside)
    warm_ups = [warm_up_for(load, warm_up) for load in asked_loads.loads]
    objectives = [
        objectives_for(one, file.for_workload(one.name).objectives, objective or ()) for one in chosen
    ]
    if baseline is not None:
        _check_baseline(baseline, chosen)
    connection = connection_for(file, ca_file, insecure, cert, key)
    identities = identities_for(file, tokens)
    if embedded and gateway == os.environ.get("GATEWAY_URL"):
        gateway = None  # the command line goes before the environment
    url = gateway or (None if embedded else file.gateway)
    machines = addresses(workers) if workers else ()
    if live_port:
        _check_live(live_port, live_host, machines)
    if machines:
        require(machines, asked_loads.loads)
    if apm not in (None, Apm.DYNATRACE) and (no_traces or not file.traces):
        raise InputError(f"--apm {apm} needs the traceparent", "leave out --no-traces, or --apm")
    engine = find_or_install(file)
    statuses: list[int] = []
    printed: list[dict[str, Any]] = []
    records: list[tuple[RunRecord, Path]] = []
    life = sum(
        load.duration_s + most_seconds(one, load) + 120
        for one, load in zip(chosen, asked_loads.loads, strict=True)
    )
    with (
        target(url, embedded=embedded, seconds=life, environ=os.environ, progress=tell) as at,
        _summed_up(records, of=len(chosen)),
        scraped(at.live_targets, live_port, live_host),
    ):
        # Before any load: a wrong one is not to be found hours later, when that workload's turn has come.
        admin_at = admin_url(at.url, os.environ) if any(one.signs_in for one in chosen) else ""
        for one, load, warm_up_s, wanted in zip(chosen, asked_loads.loads, warm_ups, objectives, strict=True):
            asked = Asked(
                workload=one,
                scale=asked_loads.scale,
                load=load,
                warm_up_s=warm_up_s,
                objectives=wanted,
                url=at.url,
                credentials=at.credentials,
                out=out_dir or Path(file.out or "results"),
                local=at.stack,
                pids=at.pids,
                heap_mb=file.heap_mb or default_heap_mb(),
                admin_url=admin_at if one.signs_in else "",
                administrator=at.administrator,
                rpc_endpoint=rpc_endpoint(),
                listed_tools=listed_tools(file),
                server_urls=at.server_urls,
                connection=connection,
                identities=identities,
                prometheus_url=os.environ.get("PROMETHEUS_URL") or file.prometheus or at.prometheus_url,
                gateway_urls=at.gateway_urls,
                log_files=at.log_files,
                loki=loki(file),
                grafana_url=os.environ.get("GRAFANA_URL") or file.grafana or "",
                grafana_token=os.environ.get("GRAFANA_TOKEN") or "",
                trace_url=file.trace_url or "",
                traces=file.traces and not no_traces,
                apm=apm,
                prometheus_token=os.environ.get("PROMETHEUS_TOKEN") or "",
                live_port=live_port,
                live_host=live_host,
                workers=machines,
            )
            record, directory = _run_one(asked, engine)
            records.append((record, directory))
            status, shown = _shown(record, directory, baseline)
            statuses.append(status)
            printed.append(shown)
            if not no_dashboard:
                make_dashboard(engine, record, directory)
            if record.interrupted:
                break
    if as_json:
        print_json({"exit_status": _worst(statuses), "runs": printed})
    return _worst(statuses)


@contextmanager
def _summed_up(records: list[tuple[RunRecord, Path]], *, of: int) -> Iterator[None]:
    """Several workloads end in one table of those that were run, also when a later one ends by an error."""
    try:
        yield
    finally:
        if of > 1 and records:
            err.print(show.runs_table(records))


def _run_one(asked: Asked, engine: Engine) -> tuple[RunRecord, Path]:
    with RunProgress(err, asked.workload.name, asked.load) as progress:

        def tell_verdict(record: RunRecord) -> None:
            progress.end()
            err.print(show.verdict_panel(record))
            for line in show.failing_lines(record):
                complain(line)

        record, directory = run(
            asked,
            engine,
            on_progress=progress.show,
            on_probe=progress.probe,
            on_verdict=tell_verdict,
        )
    _remembered(directory)
    if (directory / "index.html").is_file():
        tell(f"Report: {directory / 'index.html'}")
    _overview(asked.out)
    return record, directory


def _remembered(directory: Path) -> None:
    try:
        history.add(directory)
    except (InputError, OSError) as error:
        complain(f"the run was not added to the history: {error}")


def _overview(folder: Path) -> None:
    try:
        write_overview(folder)
    except (InputError, OSError) as error:
        complain(f"the page of all runs was not written: {error}")


def make_dashboard(engine: Engine, record: RunRecord, directory: Path) -> None:
    """JMeter's own, after the verdict: it takes minutes where the verdict takes seconds."""
    if 0 < record.recorded.count <= DASHBOARD_LIMIT:
        try:
            write_dashboard(engine, directory)
        except PacemarkError as error:
            complain(str(error))
    elif record.recorded.count:
        files = ["-g", f"{directory}/samples.jtl", "-o", f"{directory}/jmeter-report"]
        make = shlex.join(["pacemark", "jmeter", *files, WHOLE_WINDOW])
        tell(f"more than {DASHBOARD_LIMIT} samples; JMeter's own dashboard: {make}")


def _shown(record: RunRecord, directory: Path, baseline: str | None) -> tuple[int, dict[str, Any]]:
    """The run's exit status, with its comparison's, and what ``--json`` says of it."""
    shown = {"directory": str(directory), **record.model_dump(mode="json")}
    if baseline is None or record.verdict == "invalid":
        return record.exit_status, shown
    return _worst([record.exit_status, _compared(baseline, directory, shown)]), shown


def _compared(baseline: str, directory: Path, shown: dict[str, Any]) -> int:
    try:
        sides = compare_sides([baseline], str(directory), ())
    except PacemarkError as error:
        complain(str(error))
        return error.exit_status
    err.print(show.comparison_table(sides.comparison))
    comparison_page.write(directory / "comparison.html", sides)
    tell(f"Comparison: {directory / 'comparison.html'}")
    shown["comparison"] = sides.comparison.model_dump(mode="json")
    return ended(sides.comparison)


def _check_live(port: int, host: str, machines: Sequence[Address]) -> None:
    if machines:
        raise InputError("--live-port is for a load that this machine makes", "leave out one of the two")
    require_free_port(port, host)
    tell(f"JMeter's live figures: http://{host}:{port}/metrics, from the first sample on")


def _check_baseline(baseline: str, chosen: list[Workload]) -> None:
    """Before any load: that it is there, and of the workload that is to be compared with it."""
    kept = {RunRecord.load_from(path).workload for path in baselines.resolve(baseline) if path.is_dir()}
    if kept and {one.name for one in chosen} != kept:
        raise InputError(
            f"the baseline '{baseline}' is of {', '.join(sorted(kept))}", "run that workload alone"
        )


def _worst(statuses: Iterable[int]) -> int:
    return max(statuses, default=Exit.INVALID)
