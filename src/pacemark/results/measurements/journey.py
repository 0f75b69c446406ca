"""Users' journeys: who signed in and out, how many rounds were finished, how long one waits in a round."""

from collections.abc import Iterable
from itertools import accumulate

import polars as pl

from pacemark.results.digest import Digest
from pacemark.results.measurements.model import Measurement, Subject, latency_columns
from pacemark.results.outcomes import OK
from pacemark.results.record import Chart, Column, Reason, Section, Series
from pacemark.results.statistics import Figures, figures, outcome_counts
from pacemark.workloads.journey import SIGNED_OUT, Journey

UNAUTHORIZED = "HTTP 401"
"""How the gateway refuses a request of a page's script whose session it does not know."""


def measure(subject: Subject) -> Measurement:
    """The journeys of all users, sign-in and sign-out included, over the whole run."""
    workload = subject.workload
    assert isinstance(workload, Journey)
    sign_in = figures(subject.digest.only(workload.before[-1].label))
    sign_out = figures(subject.digest.only(workload.after[-1].label))
    users = subject.load.threads
    return Measurement(
        sections=[_pages(subject, workload), _section(subject, workload, sign_in, sign_out)],
        reasons=list(_reasons(sign_in, sign_out, users, cut_short=subject.cut_short)),
    )


def _ok(found: Figures) -> int:
    return found.count - found.errors


def _reasons(sign_in: Figures, sign_out: Figures, users: int, *, cut_short: bool) -> Iterable[Reason]:
    """A few logins drown among all other requests, and most are before the measured window."""
    if sign_in.errors:
        yield Reason(
            level="fail",
            text=f"{sign_in.errors} of {sign_in.count} logins failed: {_kinds(sign_in)}",
            remedy="see the gateway's log",
        )
    if _ok(sign_in) < users and not cut_short:
        yield Reason(level="fail", text=f"{_ok(sign_in)} of {users} users could sign in")
    if _ok(sign_out) < _ok(sign_in) and not cut_short:
        why = f": {_kinds(sign_out)}" if sign_out.errors else ""
        yield Reason(level="fail", text=f"{_ok(sign_out)} of {_ok(sign_in)} users could sign out{why}")


def _kinds(found: Figures) -> str:
    failed = ((outcome, count) for outcome, count in found.outcomes.items() if outcome != OK)
    return ", ".join(f"{outcome} ({count})" for outcome, count in failed)


def _section(subject: Subject, workload: Journey, sign_in: Figures, sign_out: Figures) -> Section:
    digest = subject.digest
    rounds = _ok(figures(digest.only(workload.round[-1])))
    thrown_out = sum(outcome_counts(digest).get(outcome, 0) for outcome in (SIGNED_OUT, UNAUTHORIZED))
    measured = digest.between(subject.window.from_s, subject.window.to_s)
    waits = [figures(measured.only(label)).mean for label in workload.round]
    a_round = _sum(waits)
    whole = _sum([sign_in.mean, a_round, sign_out.mean])
    waited = "" if a_round is None else f" A round keeps its user waiting for {a_round:,.0f} ms in all."
    sent_back = "nobody was" if not thrown_out else f"{thrown_out} answers were to users"
    return Section(
        title="Journeys",
        summary=(
            f"{_ok(sign_in)} of {subject.load.threads} users signed in, {_ok(sign_out)} signed out; they "
            f"finished {rounds} rounds, and {sent_back} signed out on the way.{waited}"
        ),
        note=(
            "Signing in and out are counted over the whole run; most of both is outside the measured window, "
            "so the objectives do not speak of it. Waiting is the sum of each request's mean elapsed time "
            "over the measured window, think time left out."
        ),
        columns=[
            Column(name="Part"),
            Column(name="Requests"),
            Column(name="Failed"),
            Column(name="Mean wait", unit="ms"),
            Column(name="Longest wait", unit="ms"),
        ],
        rows=[
            ["Sign in", sign_in.count, sign_in.errors, sign_in.mean, sign_in.max],
            [f"A round: {len(workload.round)} requests", *_counts(digest, workload.round), a_round, None],
            ["Sign out", sign_out.count, sign_out.errors, sign_out.mean, sign_out.max],
            ["Sign in, one round, sign out", None, None, whole, None],
        ],
        charts=[_signed_in(digest, workload)],
    )


def _pages(subject: Subject, workload: Journey) -> Section:
    """Which page keeps its users waiting: every request of a round, in the order of the journey."""
    measured = subject.digest.between(subject.window.from_s, subject.window.to_s)
    found = {label: figures(measured.only(label)) for label in dict.fromkeys(workload.round)}
    waits = {label: one.p95 for label, one in found.items() if one.p95 is not None}
    slowest = max(waits, key=lambda label: waits[label], default=None)
    summary = "No page was asked for in the measured window."
    if slowest is not None:
        summary = f"The slowest is {slowest}, with a P95 of {waits[slowest]:,} ms."
    return Section(
        title="Pages",
        summary=summary,
        note="In the order of the journey, over the measured window. Latencies are elapsed.",
        columns=[
            Column(name="Page"),
            Column(name="Requests"),
            Column(name="Failed"),
            *latency_columns(("P50", "P95"), counted_in="Requests", has_bars=True),
            Column(name="Max", unit="ms"),
        ],
        rows=[[label, one.count, one.errors, one.p50, one.p95, one.max] for label, one in found.items()],
    )


def _sum(values: list[float | None]) -> float | None:
    """None where one of them is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _counts(digest: Digest, labels: Iterable[str]) -> tuple[int, int]:
    each = [figures(digest.only(label)) for label in dict.fromkeys(labels)]
    return sum(one.count for one in each), sum(one.errors for one in each)


def _signed_in(digest: Digest, workload: Journey) -> Chart:
    cells = digest.cells.filter(pl.col("outcome") == OK)
    last = int(digest.window.to_s // digest.slice_s)
    changes = [0] * (last + 1)
    for label, step in ((workload.before[-1].label, 1), (workload.after[-1].label, -1)):
        counted = cells.filter(pl.col("label") == label).group_by("slice").agg(pl.col("count").sum())
        for at, count in counted.iter_rows():
            changes[min(at, last)] += step * count
    return Chart(
        title="Users signed in",
        note="By when their login and their logout began.",
        unit="users",
        at=[float(n * digest.slice_s) for n in range(last + 1)],
        series=[Series(name="signed in", values=[float(n) for n in accumulate(changes)])],
    )
