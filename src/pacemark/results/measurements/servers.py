"""Each MCP server by itself: its tools, its REST endpoints, its sessions; and all direct requests."""

from collections.abc import Iterable

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements.model import Measurement, Subject, latency_columns
from pacemark.results.outcomes import OK
from pacemark.results.record import LEAST_BEYOND, Column, Section
from pacemark.results.statistics import figures, latency_figures, outcome_counts, samples_beyond
from pacemark.workloads.servers import GATEWAY, Servers

EVERYTHING = "all requests"


def measure(subject: Subject) -> Measurement:
    """``direct_p95``, and a table of what each server did; latencies are ``response``."""
    workload = subject.workload
    assert isinstance(workload, Servers)
    digest = subject.digest.between(subject.window.from_s, subject.window.to_s)
    asked: dict[str, list[str]] = {}
    for request in workload.requests:
        asked.setdefault(request.to, []).append(request.label)
    rows = []
    for server, labels in asked.items():
        rows.append(_row(server, EVERYTHING, _of(digest, labels)))
        rows += [_row(server, label.removeprefix(f"{server} "), digest.only(label)) for label in labels]
    direct = [label for server, labels in asked.items() if server != GATEWAY for label in labels]
    section = Section(
        title="By server and tool",
        summary=_sessions(workload, subject.digest),
        note="Latencies are from when each request was due. The sessions are of the whole run.",
        columns=[
            Column(name="Server"),
            Column(name="Request"),
            Column(name="Requests"),
            Column(name="Errors"),
            Column(name="Rate", unit="/s"),
            *latency_columns(("P50", "P95", "P99"), counted_in="Requests"),
        ],
        rows=rows,
    )
    return Measurement(own={("direct_p95", "ms"): _p95(_of(digest, direct))}, sections=[section])


def _of(digest: Digest, labels: Iterable[str]) -> Digest:
    return digest.where(pl.col("label").cast(pl.String).is_in(list(labels)))


def _row(server: str, what: str, digest: Digest) -> list[str | int | float | None]:
    found = figures(digest)
    times = found.response or found
    return [server, what, found.count, found.errors, found.throughput, times.p50, times.p95, times.p99]


def _sessions(workload: Servers, digest: Digest) -> str:
    """How many sessions were opened, and in vain."""
    parts = []
    for server in workload.sessions:
        outcomes = outcome_counts(_of(digest, server.openings[:1]))
        failed = sum(count for outcome, count in outcomes.items() if outcome != OK)
        vain = f", {failed} tries in vain" if failed else ""
        parts.append(f"{server.name} {outcomes.get(OK, 0)}{vain}")
    return f"Sessions opened: {'; '.join(parts)}."


def _p95(digest: Digest) -> Own:
    found = latency_figures(digest, "response")
    if not found.count:
        return Own(None, "no request was sent directly")
    if found.count < digest.count:
        return Own(None, "it is not known when each request was due")
    if (beyond := samples_beyond(found.count, "95")) < LEAST_BEYOND:
        return Own(None, f"{beyond} of {found.count} samples lie beyond p95, it takes {LEAST_BEYOND}")
    return Own(found.p95)
