"""The request's success criteria, each held against runs: shown, shown at a smaller scale, or not."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pacemark.report import numerals, wording
from pacemark.report.overview import PAGE
from pacemark.results.noise import UNSEEN
from pacemark.results.record import JudgedObjective, RunRecord
from pacemark.results.statistics import Summary
from pacemark.workloads import WORKLOADS
from pacemark.workloads.connections import Connections
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

MOST_REASONS = 2
"""Of an invalid run, that are told."""


class Outcome(StrEnum):
    """What runs say of a criterion."""

    SHOWN = "shown"
    SMALLER = "shown at a smaller scale"
    NOT = "not shown here"


class Run(NamedTuple):
    """A run of a results folder; ``summary`` is None for one without samples."""

    directory: Path
    record: RunRecord
    summary: Summary | None

    @property
    def counts(self) -> bool:
        """Whether its figures say something about the gateway."""
        return self.record.verdict != "invalid" and self.summary is not None


class Answer(NamedTuple):
    """What the runs show of a criterion, and on what that rests or why it is not shown."""

    outcome: Outcome
    because: str


@dataclass(frozen=True)
class Criterion:
    """One criterion in the request's words, and how runs answer it."""

    text: str
    answer: Callable[[Mapping[str, Sequence[Run]]], Answer]


def of_most_load(runs: Sequence[Run]) -> Run | None:
    """The run to document: of those that count the one with the highest rate, then the longest, then the
    newest."""
    return max((run for run in runs if run.counts), key=_size, default=None)


def load_text(load: Load) -> str:
    """``3 → 30 → 3 /s, 20 threads, 15 s``."""
    if load.think_s:
        pace = f"think time {load.think_s[0]:g}-{load.think_s[1]:g} s"
    else:
        pace = f"{' → '.join(numerals.plain(rate) for rate in load.turns_per_s)} /s"
    threads = f"{load.threads:,} thread{'' if load.threads == 1 else 's'}"
    return f"{pace}, {threads}, {numerals.duration(load.duration_s)}"


def is_full(run: Run) -> bool:
    """Whether the load was at least the request's: rate, threads and time."""
    asked, load = WORKLOADS[run.record.workload].scales["full"], run.record.load
    as_fast = asked.think_s == load.think_s if asked.think_s else load.highest_per_s >= asked.highest_per_s
    return as_fast and load.threads >= asked.threads and load.duration_s >= asked.duration_s


def _size(run: Run) -> tuple[float, float, str]:
    load = run.record.load
    return load.highest_per_s, load.duration_s, run.record.started.isoformat()


def _of_runs(name: str, one: Callable[[Run], Answer]) -> Callable[[Mapping[str, Sequence[Run]]], Answer]:
    """Of each load the newest run that counts; of their answers the best, of equal ones that to most load."""

    def answer(runs: Mapping[str, Sequence[Run]]) -> Answer:
        newest = {
            load_text(run.record.load): run for run in sorted(runs.get(name, ()), key=_size) if run.counts
        }
        answers = [one(run) for run in sorted(newest.values(), key=_size, reverse=True)]
        return min(answers, key=lambda found: list(Outcome).index(found.outcome), default=_none(name, runs))

    return answer


def _none(name: str, runs: Mapping[str, Sequence[Run]]) -> Answer:
    if not runs.get(name):
        return Answer(Outcome.NOT, f"there is no run of `{name}`")
    newest = max(runs[name], key=lambda run: run.record.started)
    texts = [reason.text for reason in wording.reasons(newest.record) if reason.level == "invalid"]
    why = "; ".join(texts[:MOST_REASONS]) or "it has no samples"
    return Answer(Outcome.NOT, f"no run of `{name}` is valid; of the newest: {why}")


def _scaled(run: Run, what: str) -> Answer:
    return Answer(
        Outcome.SHOWN if is_full(run) else Outcome.SMALLER, f"{what} ({load_text(run.record.load)})"
    )


def _documented(name: str) -> Callable[[Mapping[str, Sequence[Run]]], Answer]:
    """P50, P95 and P99 are there, at the rate that was asked for."""

    def answer(run: Run) -> Answer:
        is_held, why = _kept(run, "rate")
        if not is_held:
            return Answer(Outcome.NOT, f"the rate was not held: {why}")
        total = run.summary.total if run.summary else None
        latency = (total.response or total) if total else None
        if latency is None:
            return Answer(Outcome.NOT, "it has no samples")
        told = f"{', '.join(f'{key.upper()} {numerals.latency(latency, key)}' for key in _KEYS)} ms"
        if few := [key.upper() for key in _KEYS if key in latency.too_few]:
            return Answer(Outcome.NOT, f"{told}, of too few samples for {' and '.join(few)}")
        return _scaled(run, told)

    return _of_runs(name, answer)


def _met(
    name: str, *metrics: str, of: Callable[[Run], int] | None = None, what: str = ""
) -> Callable[[Mapping[str, Sequence[Run]]], Answer]:
    """The workload's objectives for these metrics were met, and its rate was held: what a gateway does with
    less than it was asked for is no answer. ``of`` counts what the first metric is a share of, its ``what``;
    it takes enough of them to show so small a share."""

    def answer(run: Run) -> Answer:
        found = [_kept(run, metric) for metric in (*metrics, "rate")]
        text = "; ".join(said for _, said in found)
        if not all(is_kept for is_kept, _ in found):
            return Answer(Outcome.NOT, f"{text} ({load_text(run.record.load)})")
        least = _least_to_show(_objective(run, metrics[0])) if of else 0
        if of and (seen := of(run)) < least:
            few = f"{seen:,} {what} are too few to show it, it takes {least:,}"
            return Answer(Outcome.NOT, f"{few}; {text} ({load_text(run.record.load)})")
        return _scaled(run, text)

    return _of_runs(name, answer)


def _objective(run: Run, metric: str) -> Objective:
    """The workload's own, which has the request's limit."""
    every = WORKLOADS[run.record.workload].objectives
    return next(one for one in every if one.metric == metric and one.label is None)


def _kept(run: Run, metric: str) -> tuple[bool, str]:
    """Whether the run met the workload's own limit, though it may have been given another, and what it
    says of it."""
    asked = _objective(run, metric)
    judged = next((one for one in run.record.objectives if _is_of(asked, one.objective)), None)
    if judged is None:
        return False, f"the run did not judge {asked}"
    if judged.outcome == "met" and judged.value is not None and not asked.allows(judged.value):
        return False, f"{_judged(judged)}, where {asked} is asked for"
    return judged.outcome == "met", _judged(judged)


def _is_of(asked: Objective, other: Objective) -> bool:
    """Whether it is on the same, in the same unit, and from the same side."""
    return all(
        getattr(asked, name) == getattr(other, name) for name in ("metric", "label", "basis", "unit", "worst")
    )


def _least_to_show(one: Objective) -> int:
    """How many it takes to show a share below the limit, even where none is seen."""
    return math.ceil(UNSEEN / one.limit)


def _messages(run: Run) -> int:
    workload = WORKLOADS[run.record.workload]
    labels = workload.message_labels if isinstance(workload, Connections) else ()
    return (
        sum(run.summary.labels[label].count for label in labels if label in run.summary.labels)
        if run.summary
        else 0
    )


def _streams(run: Run) -> int:
    """A thread is a stream; one that is opened again is the same user's."""
    return run.record.load.threads


def _judged(one: JudgedObjective) -> str:
    """``response p95 < 300 ms: 431 ms, missed``; for one that was not judged, why."""
    found = one.why if one.value is None else numerals.judged_value(one)
    return f"{one.objective}: {found or 'no data'}, {one.outcome}"


def _broken(run: Run) -> Answer:
    """A rate was held and a higher one was not, or all of the request's were held."""
    found = next((one for one in run.record.objectives if one.objective.metric == "breaking_point"), None)
    section = next((one for one in run.record.sections if one.title == "Breaking point"), None)
    said = section.summary if section else "the run has no section of it"
    if found is None or not found.value:
        return Answer(Outcome.NOT, f"{said} ({load_text(run.record.load)})")
    held_all = found.value >= (100 if found.objective.unit == "%" else run.record.load.highest_per_s)
    if held_all and not is_full(run):
        return Answer(Outcome.NOT, f"{said} ({load_text(run.record.load)})")
    return _scaled(run, said)


def _without_a_window(runs: Mapping[str, Sequence[Run]]) -> Answer:
    """Every workload has a run, and JMeter itself ended it well: Pacemark runs it with ``-n`` only."""
    ended = {
        name: any(run.record.generator and run.record.generator.exit_code == 0 for run in found)
        for name, found in runs.items()
    }
    missing = [name for name in WORKLOADS if not ended.get(name)]
    if missing:
        return Answer(Outcome.NOT, f"no finished run of {', '.join(f'`{name}`' for name in missing)}")
    return Answer(Outcome.SHOWN, "`jmeter -n` carried out all ten plans")


def _reported(runs: Mapping[str, Sequence[Run]]) -> Answer:
    every = [run for run in chain.from_iterable(runs.values()) if run.summary]
    without = [run for run in every if not (run.directory / PAGE).is_file()]
    if without or not every:
        what = (
            f"{len(without)} of {len(every)} runs have no {PAGE}" if every else "there is no run with samples"
        )
        return Answer(Outcome.NOT, what)
    return Answer(Outcome.SHOWN, f"each of the {len(every)} runs has its {PAGE}")


def _observed(runs: Mapping[str, Sequence[Run]]) -> Answer:
    names = ("telemetry.parquet", "logs.jsonl")
    every = chain.from_iterable(runs.values())
    seen = [run for run in every if all((run.directory / name).is_file() for name in names)]
    if not seen:
        return Answer(Outcome.NOT, f"no run's directory has {' and '.join(names)}")
    # Log files serve where there is no Loki, and no run tells what Grafana showed.
    told = "Prometheus's figures and the logs of their window, which need not be Loki's; Grafana had no part"
    return Answer(Outcome.NOT, f"in part only: {len(seen)} runs have {told}")


_KEYS = ("p50", "p95", "p99")

CRITERIA = (
    Criterion(
        "REST API baseline documented (P50, P95, P99 at 1,000 req/s)", _documented("rest_api_baseline")
    ),
    Criterion(
        "MCP JSON-RPC baseline documented (P50, P95, P99 at 1,000 req/s)", _documented("mcp_jsonrpc_baseline")
    ),
    Criterion(
        "MCP test servers baseline documented (fast_time, fast_test, benchmark)",
        _documented("mcp_test_servers_baseline"),
    ),
    Criterion("Load test sustains 4,000 RPS with P95 < 300ms", _met("load_test", "p95")),
    Criterion(
        "Stress test identifies breaking point (target: >10,000 RPS)", _of_runs("stress_test", _broken)
    ),
    Criterion(
        "Spike test demonstrates recovery within 30 seconds after 10,000 RPS spike",
        _met("spike_test", "recovery"),
    ),
    Criterion("24-hour soak test at 2,000 RPS shows memory growth < 10%", _met("soak_test", "growth")),
    Criterion(
        "SSE connection stability > 99% over 10 minutes (1,000 connections)",
        _met("sse_streaming_baseline", "drops", of=_streams, what="streams"),
    ),
    Criterion(
        "WebSocket message delivery > 99.9% (10,000 msg/s)",
        _met("websocket_baseline", "loss", of=_messages, what="messages"),
    ),
    Criterion("All test plans executable in non-GUI mode for CI/CD", _without_a_window),
    Criterion("HTML reports generated automatically", _reported),
    Criterion("Prometheus/Grafana/Loki integration validated", _observed),
)
"""In the request's order and words."""
