"""Is everything here that a run needs? Each answer with its remedy."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pacemark.errors import PacemarkError
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.detached import detached
from pacemark.gateway.fixtures import Listed
from pacemark.gateway.identities import Identities
from pacemark.gateway.machine import machine_findings
from pacemark.gateway.preflight import preflight
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Asked, asked_engine, find_engine
from pacemark.jmeter.java import find_java
from pacemark.results.record import Finding
from pacemark.telemetry.checks import monitoring_findings
from pacemark.workloads import workload
from pacemark.workloads.load import Load


def examine(
    url: str | None,
    loads: Mapping[str, Load],
    *,
    are_named: bool,
    engine: Asked,
    environ: Mapping[str, str],
    out: Path,
    rpc_endpoint: str,
    listed_tools: Listed,
    connection: Connection = DIRECT,
    identities: Identities | None = None,
    loki_query: str,
) -> list[Finding]:
    """Engine, Java, the monitoring whose URLs are set, and, when ``url`` is given, the gateway; and this
    machine and the token for all ``loads``.

    What the longest or the greatest of them lacks is an error where the user has named them, and where they
    are just all there are, a warning that tells which of them lacks it.
    """
    monitoring = monitoring_findings(environ, connection, loki_query)
    findings = [_java(environ), _engine(engine, environ), *monitoring]
    first = min(loads, key=lambda name: _samples(loads[name]))
    least, others = loads[first], {name: load for name, load in loads.items() if name != first}
    longest_s = max(load.duration_s for load in loads.values())
    if url is None:
        remedy = "give --gateway URL or set GATEWAY_URL; `pacemark stack up` starts a local one"
        findings += _machine(least, out)
        findings += _lacking(others, out, None, are_named=are_named)
        return [*findings, Finding(name="gateway", level="warning", detail="none named", remedy=remedy)]
    credentials = Credentials.from_environment(environ, seconds=longest_s)
    if credentials is None and (stack := detached(url)):
        credentials = stack.credentials(seconds=longest_s)
    found = preflight(
        url,
        credentials,
        seconds=least.duration_s,
        rate_per_s=least.highest_per_s,
        threads=least.threads,
        needs_mcp=any(workload(name).calls_mcp for name in loads),
        out_dir=out,
        rpc_endpoint=rpc_endpoint,
        listed_tools=listed_tools,
        connection=connection,
        identities=identities,
        needs_token=not all(workload(name).signs_in for name in loads),
    )
    bearer = identities or credentials
    expires = bearer.expires_at if bearer and not found.errors else None
    return [*findings, *found.findings, *_lacking(others, out, expires, are_named=are_named)]


def _samples(load: Load) -> float:
    return load.duration_s * load.highest_per_s


def _machine(load: Load, out: Path) -> list[Finding]:
    return machine_findings(
        threads=load.threads, seconds=load.duration_s, rate_per_s=load.highest_per_s, out_dir=out
    )


def _lacking(
    loads: Mapping[str, Load], out: Path, expires: datetime | None, *, are_named: bool
) -> Iterator[Finding]:
    """What each load would lack of this machine, and of the token's life, beside the least of all."""
    level: Literal["error", "warning"] = "error" if are_named else "warning"
    for name, load in loads.items():
        for finding in _machine(load, out):
            if finding.level == "error":
                yield finding.model_copy(update={"name": f"{finding.name} for {name}", "level": level})
        left_s = None if expires is None else (expires - datetime.now(UTC)).total_seconds()
        if left_s is not None and left_s < load.duration_s:
            detail = f"it lives {left_s / 60:.0f} min more, the run takes {load.duration_s / 60:.0f} min"
            remedy = "give a token that lives longer, or JWT_SECRET_KEY to have one made"
            yield Finding(name=f"token for {name}", level=level, detail=detail, remedy=remedy)


def _java(environ: Mapping[str, str]) -> Finding:
    try:
        java = find_java(environ)
    except PacemarkError as error:
        return Finding(name="java", level="error", detail=error.message, remedy=error.hint)
    return Finding(name="java", level="ok", detail=f"{java.version} ({java.origin}: {java.path})")


def _engine(asked: Asked, environ: Mapping[str, str]) -> Finding:
    try:
        engine = find_engine(asked_engine(asked, environ), environ=environ)
    except PacemarkError as error:
        return Finding(name="jmeter", level="error", detail=error.message, remedy=error.hint)
    if engine is None:
        return Finding(name="jmeter", level="error", detail="not installed", remedy="pacemark setup")
    return Finding(name="jmeter", level="ok", detail=f"{engine.version} at {engine.home}")
