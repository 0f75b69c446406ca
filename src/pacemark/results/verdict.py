"""The verdict: what a run says about the gateway, or that it says nothing."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from pacemark.errors import Exit
from pacemark.results.judge import one_line
from pacemark.results.outcomes import OK
from pacemark.results.record import Generator, JudgedObjective, Reason, StageFigures, Verdict, Window
from pacemark.workloads.objective import OWN

CPU_LIMIT = 0.9
"""Of the processor time that JMeter could get: above it the generator was the limit."""
LATE_WAKE_UP_MS = 20
"""P95 above it: waiting threads were not woken in time, so the rate is the machine's doing."""
GC_LIMIT = 0.1
"""Share of the window in which garbage collection stood still: above it, it was the limit of the rate."""
GC_WARNING_MS = 100
GC_WARNING_SHARE = 0.01
CHURN_WARNING = 0.01
"""Share of samples that opened a connection; with keep-alive it is close to none."""
CLOCK_STEP_S = 0.5
STARTED_WARNING = 0.95
"""Of the requests that a stage asked for: with fewer its figures are those of a lower rate."""
LEAST_DUE = 100
"""Requests that a stage must ask for, so that one that comes late is no twentieth of them."""
BUSY_WARNING = 0.05
"""Share of the requests that came due while every thread was busy."""
MOST_STAGES = 2
"""Of those whose threads waited for replies, that are told one by one."""
WAITING_SHARE = 0.5
"""Of the threads, while requests that were due did not start: above it they waited for replies."""
NAMED_FAILURES = 3
"""Kinds of failure that a missed error objective names."""

COST_THE_RATE = frozenset({"errors", "loss", "drops", "reconnections"})
"""Objectives whose miss is the gateway's and can be why the rate is missed too: what falls due on a stream or
a connection that the gateway broke is not sent."""

STATUS = {"pass": Exit.PASS, "fail": Exit.MISSED, "invalid": Exit.INVALID}


@dataclass(frozen=True)
class Evidence:
    """All that a verdict is drawn from."""

    window: Window
    warm_up_s: float
    outcomes: dict[str, int]
    """Every sample of the run by outcome, inside the window or not."""
    recorded: int
    parents: int
    """Transaction parents, which JMeter counts and the digest does not."""
    in_window: int
    labels: Collection[str]
    expected_labels: Sequence[str]
    objectives: Sequence[JudgedObjective]
    generator: Generator
    stages: Sequence[StageFigures] = ()
    has_rate: bool = True
    """Whether a rate was asked for; without one users think, and their number makes it."""
    clock_step_s: float = 0.0
    token_expires: float | None = None
    """Epoch seconds; None when the token does not say."""
    ended: float = 0.0
    gateway_gone: str = ""
    """How the gateway was seen to restart or die, empty when it was not."""
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    own: Sequence[Reason] = ()
    """What the workload's own measurements say."""
    generator_judged: bool = False
    """Whether they looked at JMeter's part in each figure: what it lacked over the whole window then only
    warns."""

    @property
    def more_samples(self) -> str:
        """The remedy for too few samples."""
        return f"lengthen the run or {'raise its rate' if self.has_rate else 'give it more users'}"

    @property
    def was_cut_short(self) -> bool:
        """Whether the load ended before its time."""
        return self.generator.cut_short


def decide(evidence: Evidence) -> tuple[Verdict, list[Reason]]:
    """The verdict and its reasons, those that decide it first.

    The rules are design.md's: the rate is missed by the gateway when threads waited for its replies, by the
    generator otherwise; errors above an objective are the gateway's even when they also cost the rate; apart
    from that ``invalid`` outranks ``fail``.
    """
    own = [reason for reason in evidence.own if reason.level != "warning"]
    reasons = [*_invalid(evidence), *_objectives(evidence), *own]
    warnings = [*_warnings(evidence), *(reason for reason in evidence.own if reason.level == "warning")]
    for verdict in ("invalid", "fail"):
        if any(reason.level == verdict for reason in reasons):
            reasons.sort(key=lambda reason: reason.level != verdict)
            return verdict, [*reasons, *warnings]
    return "pass", warnings


def _invalid(evidence: Evidence) -> Iterator[Reason]:
    if evidence.in_window == 0:
        yield _reason("no samples in the measured window", "see jmeter.log; lengthen the run")
    missing = [label for label in evidence.expected_labels if label not in evidence.labels]
    if missing and not evidence.was_cut_short:
        yield _reason(f"no samples of {', '.join(missing)}", "lengthen the run, or see jmeter.log")
    yield from _cut_short(evidence)
    if limited := evidence.outcomes.get("HTTP 429", 0):
        yield _reason(
            f"rate limiting: the gateway answered 429 to {limited} of {evidence.recorded} requests",
            "start the gateway with RATE_LIMITING_ENABLED=false",
        )
    expired = evidence.token_expires is not None and evidence.token_expires < evidence.ended
    if expired and evidence.outcomes.get("HTTP 401"):
        yield _reason("the token expired during the run", "use one that lives longer than the run")
    if evidence.gateway_gone:
        yield _reason(evidence.gateway_gone, "see the gateway's log, and run again")
    if not evidence.generator_judged:
        yield from _generator_limit(evidence)
    if evidence.objectives and all(judged.outcome == "not judged" for judged in evidence.objectives):
        yield _reason("no objective could be judged", evidence.more_samples)


def _cut_short(evidence: Evidence) -> Iterator[Reason]:
    generator = evidence.generator
    if generator.stopped:
        yield _reason(f"the run was cut short: {generator.stopped}", "run it again to its end")
    elif generator.exit_code:
        how = f"was killed by signal {-generator.exit_code}" if generator.exit_code < 0 else "failed"
        yield _reason(f"JMeter {how} (exit status {generator.exit_code})", "see jmeter.log")
    elif generator.reported_count is None:
        yield _reason("JMeter did not say how many samples it took", "see jmeter.log")
    elif (lost := generator.reported_count - evidence.recorded - evidence.parents) != 0:
        yield _reason(
            f"JMeter counted {generator.reported_count} samples, samples.jtl holds "
            f"{evidence.recorded + evidence.parents}: {abs(lost)} {'lost' if lost > 0 else 'too many'}",
            "look for a full disk or a second writer",
        )


def _generator_limit(evidence: Evidence) -> Iterator[Reason]:
    generator = evidence.generator
    if generator.cpu_share is not None and generator.cpu_share > CPU_LIMIT:
        yield _reason(
            f"JMeter used {generator.cpu_share:.0%} of the processor time it could get, "
            f"limit {CPU_LIMIT:.0%}",
            f"{'lower the rate' if evidence.has_rate else 'take fewer users'}, or give JMeter more cores",
        )
    late = generator.late_wake_up_p95_ms
    if late is not None and late > LATE_WAKE_UP_MS:
        yield _reason(
            f"waiting threads woke {late:g} ms late at P95, limit {LATE_WAKE_UP_MS} ms",
            "free the machine of other work, or give JMeter more cores",
        )


def _objectives(evidence: Evidence) -> Iterator[Reason]:
    missed = [judged for judged in evidence.objectives if judged.outcome == "missed"]
    errors_missed = any(judged.objective.metric in COST_THE_RATE for judged in missed)
    for judged in missed:
        if judged.objective.metric == "rate" and evidence.was_cut_short:
            continue  # of course
        if judged.objective.metric == "rate" and not errors_missed:
            yield _rate_missed(evidence, judged)
        elif judged.objective.metric == "errors" and judged.objective.label is None:
            yield Reason(level="fail", text=f"{one_line(judged)}: {_failures(evidence.outcomes)}")
        else:
            yield Reason(level="fail", text=one_line(judged))


def _failures(outcomes: dict[str, int]) -> str:
    """The most frequent kinds of failure in the whole run, with their counts."""
    failed = Counter({outcome: count for outcome, count in outcomes.items() if outcome != OK})
    return ", ".join(f"{outcome} ({count})" for outcome, count in failed.most_common(NAMED_FAILURES))


def _rate_missed(evidence: Evidence, judged: JudgedObjective) -> Reason:
    generator = evidence.generator
    seconds = evidence.window.seconds
    gc_share = (generator.gc_pause_ms or 0) / 1000 / seconds
    if gc_share > GC_LIMIT:
        text = f"{one_line(judged)}: garbage collection stood still for {gc_share:.0%} of the window"
        return _reason(text, "give JMeter more memory (heap), or lower the rate")
    if generator.waiting_share is not None and generator.waiting_share > WAITING_SHARE:
        busy = f"{generator.waiting_share:.0%} of the threads waited for replies while requests were due"
        return Reason(
            level="fail",
            text=f"{one_line(judged)}: {busy}",
            remedy="the gateway answers more slowly than the load needs; more threads would queue there",
        )
    idle = "" if generator.waiting_share is None else ", though threads were idle"
    return _reason(
        f"{one_line(judged)}{idle}: the generator did not keep its rate",
        "free the machine of other work, or lower the rate",
    )


def _warnings(evidence: Evidence) -> Iterator[Reason]:
    generator, window = evidence.generator, evidence.window
    for judged in evidence.objectives:
        if judged.outcome == "not judged" and not judged.is_moot:
            is_own = judged.objective.metric in OWN or judged.objective.promql
            remedy = "" if is_own else evidence.more_samples
            yield _warning(one_line(judged), remedy)
    if evidence.generator_judged:
        for reason in _generator_limit(evidence):
            yield _warning(f"{reason.text}: in rates that are not counted as held or not held", reason.remedy)
    yield from _stages_short(evidence)
    busy = generator.all_busy_share or 0.0
    if busy > BUSY_WARNING:
        yield _warning(
            f"every thread was busy when {busy:.1%} of the requests came due, so they started late",
            "read response times, which count that wait, or give the load more threads",
        )
    pause, longest = generator.gc_pause_ms or 0.0, generator.gc_pause_max_ms or 0.0
    if longest > GC_WARNING_MS or pause > GC_WARNING_SHARE * window.seconds * 1000:
        yield _warning(
            f"JMeter's garbage collection paused {generator.gc_pauses} "
            f"time{'' if generator.gc_pauses == 1 else 's'}, {pause:.0f} ms in all, "
            f"{longest:.0f} ms at most",
            "give JMeter more memory (heap)",
        )
    churn = generator.new_connection_share or 0.0
    if churn > CHURN_WARNING:
        yield _warning(
            f"{churn:.1%} of the requests opened a new connection", "look for keep-alive limits on the way"
        )
    if abs(evidence.clock_step_s) > CLOCK_STEP_S:
        yield _warning(
            f"the clock was set by {evidence.clock_step_s:+.1f} s during the run",
            "run again with a steady one",
        )
    if evidence.warm_up_s > window.seconds:
        yield _warning(
            f"the warm-up ({evidence.warm_up_s:g} s) is longer than the measured window "
            f"({window.seconds:g} s)",
            "lengthen the run",
        )
    for handler, (gateway, jmeter) in evidence.counted.items():
        if gateway != jmeter:
            yield _warning(
                f"{handler}: the gateway counted {gateway} requests, JMeter {jmeter} answers",
                "is it under other load?" if gateway > jmeter else "did something before it answer?",
            )


def _stages_short(evidence: Evidence) -> Iterator[Reason]:
    """Stages that were offered to the gateway in part only; a run that was cut short has them of course.

    Above a gateway's limit all of them are: several whose threads waited for replies are told together.
    """
    if evidence.was_cut_short:
        return
    short = [one for one in evidence.stages if one.due >= LEAST_DUE and one.started_share < STARTED_WARNING]
    waited = [one for one in short if (one.waiting_share or 0.0) > WAITING_SHARE]
    if len(waited) > MOST_STAGES:
        names = ", ".join(f"{one.name} {one.started} of {one.due}" for one in waited)
        yield _warning(
            f"{len(waited)} stages started fewer requests than were asked for, since their threads waited "
            f"for replies: {names}",
            "read their figures as those of the rates that were achieved",
        )
        short = [one for one in short if one not in waited]
    yield from map(_stage_short, short)


def _stage_short(stage: StageFigures) -> Reason:
    waited = stage.waiting_share
    if waited is None:
        why, remedy = "", "see the generator's figures"
    elif waited > WAITING_SHARE:
        why = f": {waited:.0%} of the threads waited for replies"
        remedy = "read its figures as those of the rate that was achieved"
    else:
        why = f", though {1 - waited:.0%} of the threads were idle"
        remedy = "free the machine of other work, or lower the rate"
    seconds = stage.to_s - stage.from_s
    return _warning(
        f"stage {stage.name}: {stage.started} of {stage.due} requests were started, "
        f"{stage.started / seconds:.4g} of {stage.due / seconds:.4g} a second{why}",
        remedy,
    )


def _reason(text: str, remedy: str) -> Reason:
    return Reason(level="invalid", text=text, remedy=remedy)


def _warning(text: str, remedy: str) -> Reason:
    return Reason(level="warning", text=text, remedy=remedy)
