"""Is everything here that a run needs? Each answer with its remedy."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pacemark.errors import PacemarkError
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.fixtures import Listed
from pacemark.gateway.identities import Identities
from pacemark.gateway.machine import machine_findings
from pacemark.gateway.preflight import preflight
from pacemark.gateway.stack import detached_credentials
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Asked, asked_engine, find_engine
from pacemark.jmeter.java import find_java
from pacemark.results.record import Finding
from pacemark.workloads.load import Load


def examine(
    url: str | None,
    loads: Sequence[Load],
    *,
    engine: Asked,
    environ: Mapping[str, str],
    out: Path,
    rpc_endpoint: str,
    listed_tools: Listed,
    connection: Connection = DIRECT,
    identities: Identities | None = None,
) -> list[Finding]:
    """Engine, Java and this machine and, when ``url`` is given, the gateway, for the largest of ``loads``."""
    findings = [_java(environ), _engine(engine, environ)]
    seconds = max(load.duration_s for load in loads)
    rate_per_s = max(load.highest_per_s for load in loads)
    threads = max(load.threads for load in loads)
    if url is None:
        remedy = "give --gateway URL or set GATEWAY_URL; `pacemark stack up` starts a local one"
        findings += machine_findings(threads=threads, seconds=seconds, rate_per_s=rate_per_s, out_dir=out)
        return [*findings, Finding(name="gateway", level="warning", detail="none named", remedy=remedy)]
    credentials = Credentials.from_environment(environ, seconds=seconds)
    found = preflight(
        url,
        credentials or detached_credentials(url, seconds=seconds),
        seconds=seconds,
        rate_per_s=rate_per_s,
        threads=threads,
        needs_mcp=True,
        out_dir=out,
        rpc_endpoint=rpc_endpoint,
        listed_tools=listed_tools,
        connection=connection,
        identities=identities,
    )
    return [*findings, *found.findings]


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
