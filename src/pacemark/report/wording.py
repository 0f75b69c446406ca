"""The sentences that every form of the report shares."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pacemark.report.numerals import MARK, clock, milliseconds, plain
from pacemark.results.omission import Corrected
from pacemark.results.record import LEAST_BEYOND, JudgedObjective, Reason, RunRecord, StageFigures
from pacemark.workloads.load import Load

NO_VERDICT = "none"
RESPONSE = (
    "Elapsed is what JMeter timed, from sending a request to the last byte of its answer. Response also "
    "counts the wait before it: from when the request was due, so a stalled gateway cannot hide its delay."
)
ELAPSED_ONLY = (
    "Elapsed is what JMeter timed, from sending a request to the last byte of its answer. When each request "
    "was due is not recorded here, so waiting before a request is not in these figures."
)
SIDE_BY_SIDE = (
    "Raw is elapsed, as JMeter timed it. Corrected is response, from when each request was due, and so free "
    "of coordinated omission. Only within a stage of constant rate do the two compare."
)
TOO_FEW = f"{MARK} too few samples for this percentile: fewer than {LEAST_BEYOND} lie beyond it."
PERCENTILES = "Percentiles are exact (nearest rank) and count failed samples too."


def verdict(record: RunRecord | None) -> str:
    """``pass``, ``fail``, ``invalid``, or ``none`` for samples that came without a run."""
    return record.verdict if record else NO_VERDICT


def verdict_word(record: RunRecord | None) -> str:
    """The verdict as its one word on a banner."""
    return record.verdict if record else "no verdict"


def headline(record: RunRecord | None, objectives: Sequence[JudgedObjective] = ()) -> str:
    """What the verdict means, or what came of the objectives put on samples alone, as one sentence."""
    if record is None:
        if objectives:
            return f"These are samples alone, without a run: {_outcomes(objectives)}"
        return "These are samples alone, without a run's objectives: figures to read, nothing judged."
    if record.verdict == "invalid":
        return "This run says nothing about the gateway: its figures are not a baseline."
    if record.verdict == "fail" and not any(one.outcome == "missed" for one in record.objectives):
        return "No objective was missed, but the run failed for the reason below."
    told = _outcomes(record.objectives)
    return f"{told[0].upper()}{told[1:]}"


def judged(record: RunRecord | None, objectives: Sequence[JudgedObjective]) -> Sequence[JudgedObjective]:
    """A run's own objectives; of samples without one those that were put on them."""
    return record.objectives if record else objectives


def _outcomes(objectives: Sequence[JudgedObjective]) -> str:
    of = Counter(one.outcome for one in objectives)
    if of["missed"]:
        return f"{of['missed']} of {_objectives(len(objectives))} missed."
    if of["not judged"]:
        return f"{_objectives(of['met'])} met, {of['not judged']} not judged."
    met = of["met"]
    return "the objective was met." if met == 1 else f"all {met} objectives were met."


def reasons(record: RunRecord | None) -> list[Reason]:
    """The verdict's reasons, those that decided it first and warnings last."""
    if record is None:
        return []
    order = [record.verdict, "invalid", "fail", "warning"]
    return sorted(record.reasons, key=lambda reason: order.index(reason.level))


def _objectives(count: int) -> str:
    return f"{count} objective{'' if count == 1 else 's'}"


def metric(judged: JudgedObjective) -> str:
    """``Response p95``, ``Errors``, ``Rate``: what an objective limits."""
    objective = judged.objective
    if objective.promql:
        return "Prometheus"
    if not objective.is_latency:
        return objective.metric.replace("_", " ").capitalize()
    name = {"p999": "p99.9"}.get(objective.metric, objective.metric)
    return f"{(judged.basis or objective.basis).capitalize()} {name}"


def worst(charts: dict[str, Any]) -> str:
    """One sentence on the slowest stretch of the latency chart, for those who do not hover."""
    basis = charts["bases"][0]
    points = [
        (p95, at) for p95, at in zip(charts["latency"][basis][0]["p95"], charts["at"], strict=True) if p95
    ]
    if not points:
        return "Each point is one stretch of time."
    p95, at = max(points)
    return f"Slowest at {clock(at)}, with a {basis} p95 of {milliseconds(p95)} ms over all labels."


def steady_stages(record: RunRecord | None) -> list[StageFigures]:
    """The stages of constant rate of which both latencies are known."""
    return [stage for stage in record.stages if stage.elapsed and stage.response] if record else []


def corrected(figures: Corrected) -> str:
    """What corrected latencies are, as a sentence."""
    interval = f"{figures.expected_interval_ms:g} ms"
    return (
        "Corrected is an estimate, not a measurement: each sample of more than the expected interval of "
        f"{interval} adds those that its thread would have sent while it waited (as HdrHistogram does)."
        + (
            f" Of {', '.join(figures.slower)} it is too low: they usually take longer."
            if figures.slower
            else ""
        )
    )


def legend(*texts: str) -> str:
    """What ``MARK`` means, where one of the texts has it."""
    return TOO_FEW if any(MARK in text for text in texts) else ""


def asked_rate(record: RunRecord) -> float | None:
    """Requests a second that the load asked for over the measured window; None where none was."""
    window = record.window
    if record.load.rate_per_s is None or window.seconds <= 0:
        return None
    return record.load.due_between(window.from_s, window.to_s) / window.seconds


def pace(load: Load) -> str:
    """``1,000 requests a second``, ``think time 3-5 s``: how often the load's users come."""
    if load.think_s:
        least, most = load.think_s
        return f"think time {least:g}-{most:g} s" if least < most else f"think time {least:g} s"
    return f"{plain(load.rate_per_s)} request{'' if load.rate_per_s == 1 else 's'} a second"
