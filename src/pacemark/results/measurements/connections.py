"""Connections and their messages: handshakes, round trips, loss, lifetimes, how many were open at once."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.judge import Own
from pacemark.results.measurements.model import Measurement, Subject, latency_columns
from pacemark.results.outcomes import OK
from pacemark.results.record import Chart, Column, Reason, Section, Series
from pacemark.results.statistics import figures, outcome_counts
from pacemark.workloads.connections import CLOSE, CONNECTION_LIFETIME, HANDSHAKE, Connections

_REPLIED = ("check failed", "json-rpc error", "tool error")
"""How outcomes begin that a reply had, if no true one. What is neither ``ok`` nor one of these was lost: no
reply within its time, a connection that ended, a reply that belongs to another message."""
_LATENCIES = ("p50", "p95", "p99", "max")
_MOST_POINTS = 600


def measure(subject: Subject) -> Measurement:
    """``loss`` in percent of the window's messages, and two sections: messages, connections.

    Messages are those of the measured window; handshakes and lifetimes those of the whole run, for most
    connections open while it ramps up.
    """
    assert isinstance(subject.workload, Connections)
    measured = subject.digest.between(subject.window.from_s, subject.window.to_s)
    labels = subject.workload.message_labels
    messages = _of(measured, labels)
    sent, lost = messages.count, sum(_lost(messages).values())
    unsent = _unsent(subject, labels)
    loss = Own(lost * 100 / sent) if sent else Own(None, "no message was sent in the window")
    return Measurement(
        own={("loss", "%"): loss},
        sections=[_messages(measured, labels, sent, lost, unsent), _connections(subject)],
        reasons=list(_reasons(subject, unsent)),
    )


def _messages(measured: Digest, labels: Sequence[str], sent: int, lost: int, unsent: int) -> Section:
    summary = f"Of {sent} messages {sent - lost} were answered, {lost} lost"
    summary += f" ({lost / sent:.3%})." if sent else "."
    if unsent:
        summary += f" {unsent} more were planned and not sent."
    return Section(
        title="Messages",
        summary=summary,
        note="A message is lost that had no reply of its own within its time. Round trips in milliseconds, "
        "from the frame sent to the reply's frame; lost ones are in them with the time that was waited.",
        columns=[
            Column(name="Message"),
            Column(name="Sent"),
            Column(name="Answered"),
            Column(name="Lost"),
            *latency_columns(_LATENCIES, counted_in="Sent"),
            Column(name="Lost by"),
        ],
        rows=[_message_row(label, measured.only(label)) for label in labels],
    )


def _message_row(label: str, digest: Digest) -> list[str | int | float | None]:
    why = _lost(digest)
    lost = sum(why.values())
    return [label, digest.count, digest.count - lost, lost, *_latencies(digest), _listed(why)]


def _connections(subject: Subject) -> Section:
    digest = subject.digest
    handshakes, lifetimes = digest.only(HANDSHAKE), digest.only(CONNECTION_LIFETIME)
    opened, ended = handshakes.count - handshakes.errors, lifetimes.count
    anew = max(0, opened - subject.load.threads)
    at_s, counts = _open_at_once(digest, subject.load.threads)
    most = max(counts, default=0)
    parts = [f"{opened} connections were opened, {anew} of them anew, at most {most:g} at once"]
    if broken := _failed(lifetimes):
        parts.append(f"{lifetimes.errors} broke ({_listed(broken)})")
    if refused := _failed(handshakes):
        parts.append(f"{handshakes.errors} handshakes failed ({_listed(refused)})")
    if left := opened - ended:
        parts.append(f"{left} had not ended when the run did")
    rows = (
        ("Handshake", handshakes),
        ("Lifetime, ended by us", _with(lifetimes, OK)),
        ("Lifetime, broken", _without(lifetimes, OK)),
        ("Close", digest.only(CLOSE)),
    )
    return Section(
        title="Connections",
        summary="; ".join(parts) + ".",
        note="Of the whole run, its ramp-up too. A connection breaks when the gateway ends it, or when a "
        "message stays without its reply: then it is closed and opened anew.",
        columns=[
            Column(name=""),
            Column(name="Count"),
            Column(name="Failed"),
            *latency_columns(_LATENCIES, counted_in="Count"),
        ],
        rows=[[name, one.count, one.errors, *_latencies(one)] for name, one in rows],
        charts=[
            Chart(
                title="Connections open",
                note="By their handshakes and their ends, each known to half a slice of the digest.",
                unit="",
                at=at_s,
                series=[Series(name="open", values=[float(count) for count in counts])],
            )
        ],
    )


def _open_at_once(digest: Digest, threads: int) -> tuple[list[float], list[int]]:
    """At the end of each slice: handshakes that were done, less connections that had ended.

    An end is known to half a slice, so one may seem to come after the handshake that followed it; a thread
    has one connection at a time.
    """
    opened = _ends(_with(digest.only(HANDSHAKE), OK))
    ended = _ends(digest.only(CONNECTION_LIFETIME))
    last = max(max(opened, default=0), max(ended, default=0))
    counts, level = [], 0
    for n in range(last + 1):
        level += opened[n] - ended[n]
        counts.append(min(max(0, level), threads))
    step = math.ceil(len(counts) / _MOST_POINTS)
    return [float(n * digest.slice_s) for n in range(0, last + 1, step)], counts[::step]


def _ends(digest: Digest) -> Counter[int]:
    """How many samples end in each slice; a start is taken as the middle of its slice."""
    end = pl.col("slice") + 0.5 + pl.col("elapsed_ms") / (1000 * digest.slice_s)
    cells = digest.cells.group_by(end.floor().cast(pl.Int64).alias("end")).agg(pl.col("count").sum())
    return Counter(dict(cells.iter_rows()))


def _unsent(subject: Subject, labels: Sequence[str]) -> int:
    """Messages planned since the window began and never sent; 0 where the run was cut short.

    Up to the run's end, for the window's last messages may start just after it.
    """
    if subject.cut_short:
        return 0
    start, end = subject.window.from_s, subject.load.duration_s
    last_end_s = subject.digest.window.to_s
    begun = _of(subject.digest.between(start, max(end, last_end_s)), labels).count
    return max(0, round(subject.load.due_between(start, end)) - begun)


def _reasons(subject: Subject, unsent: int) -> Iterator[Reason]:
    handshakes = subject.digest.only(HANDSHAKE)
    if handshakes.count and handshakes.count == handshakes.errors:
        failed = _failed(handshakes)
        hint = "start the gateway with MCPGATEWAY_WS_RELAY_ENABLED=true, and give a token that it takes"
        yield Reason(
            level="invalid",
            text=f"no connection was opened: all {handshakes.count} handshakes failed: {_listed(failed)}",
            remedy=hint if "HTTP 403" in failed else "see whether the gateway's WebSocket can be reached",
        )
    elif unsent and (broken := subject.digest.only(CONNECTION_LIFETIME).errors):
        yield Reason(
            level="warning",
            text=f"{unsent} planned messages were not sent: replies were awaited, or no connection stood "
            f"(broken connections: {broken})",
            remedy="see the report's part on connections, and the gateway's log",
        )


def _of(digest: Digest, labels: Sequence[str]) -> Digest:
    return digest.where(pl.col("label").cast(pl.String).is_in(list(labels)))


def _with(digest: Digest, outcome: str) -> Digest:
    return digest.where(pl.col("outcome").cast(pl.String) == outcome)


def _without(digest: Digest, outcome: str) -> Digest:
    return digest.where(pl.col("outcome").cast(pl.String) != outcome)


def _failed(digest: Digest) -> dict[str, int]:
    return {outcome: count for outcome, count in outcome_counts(digest).items() if outcome != OK}


def _lost(digest: Digest) -> dict[str, int]:
    return {why: count for why, count in _failed(digest).items() if not why.startswith(_REPLIED)}


def _listed(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{outcome} ({count})" for outcome, count in outcomes.items())


def _latencies(digest: Digest) -> list[int | None]:
    found = figures(digest)
    return [getattr(found, name) for name in _LATENCIES]
