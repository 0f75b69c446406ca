from dataclasses import replace

import pytest

from pacemark.results.record import Generator, JudgedObjective, StageFigures, Window
from pacemark.results.verdict import Evidence, decide
from pacemark.workloads.objective import Objective

HEALTHY = Generator(
    jmeter="5.6.3", java="21", cpu_share=0.2, late_wake_up_p95_ms=1, waiting_share=0.0, reported_count=1000,
    reported_errors=0, exit_code=0, gc_pause_ms=5, gc_pauses=1, gc_pause_max_ms=5, new_connection_share=0.0,
)  # fmt: skip


def judged(text: str, value: float, outcome: str = "met") -> JudgedObjective:
    return JudgedObjective.model_validate(
        {"objective": Objective.parse(text), "value": value, "outcome": outcome}
    )


MET = (judged("p95 < 200", 100), judged("errors < 0.1", 0), judged("rate >= 95%", 100))
SLOW = (judged("p95 < 200", 231, "missed"), *MET[1:])
RATE = (*MET[:2], judged("rate >= 95%", 60, "missed"))
ERRORS = (MET[0], judged("errors < 0.1", 40, "missed"), judged("rate >= 95%", 60, "missed"))
UNJUDGED = tuple(one.model_copy(update={"outcome": "not judged", "why": "too few"}) for one in MET)
MOOT = UNJUDGED[2].model_copy(update={"is_moot": True})

GOOD = Evidence(
    window=Window(from_s=10, to_s=60),
    warm_up_s=10,
    outcomes={"ok": 1000},
    recorded=1000,
    parents=0,
    in_window=900,
    labels=("a",),
    expected_labels=("a",),
    objectives=MET,
    generator=HEALTHY,
)


def generator(**changes: object) -> Generator:
    return HEALTHY.model_copy(update=changes)


def stage(due: int, started: int, waiting_share: float | None = None) -> StageFigures:
    return StageFigures(
        name="Spike", from_s=10, to_s=20, due=due, started=started, missed=due - started,
        waiting_share=waiting_share,
    )  # fmt: skip


WAITING = generator(waiting_share=0.9)
UNTOLD = generator(waiting_share=None)


@pytest.mark.parametrize(
    ("evidence", "verdict", "reason"),
    [
        (GOOD, "pass", None),
        (replace(GOOD, objectives=SLOW), "fail", "p95 231 ms, limit < 200 ms"),
        (replace(GOOD, in_window=0), "invalid", "no samples in the measured window"),
        (replace(GOOD, expected_labels=("a", "b")), "invalid", "no samples of b"),
        (replace(GOOD, recorded=990), "invalid", "1000 samples, samples.jtl holds 990: 10 lost"),
        (replace(GOOD, recorded=990, parents=10), "pass", None),
        (replace(GOOD, generator=generator(reported_count=None)), "invalid", "did not say how many"),
        (replace(GOOD, generator=generator(exit_code=-9)), "invalid", "killed by signal 9"),
        (replace(GOOD, generator=generator(stopped="interrupted")), "invalid", "cut short: interrupted"),
        (replace(GOOD, outcomes={"ok": 999, "HTTP 429": 1}), "invalid", "answered 429 to 1 of 1000"),
        (replace(GOOD, outcomes={"HTTP 401": 5}, token_expires=10, ended=20), "invalid", "token expired"),
        (replace(GOOD, outcomes={"HTTP 401": 5}, token_expires=30, ended=20), "pass", None),
        (replace(GOOD, gateway_gone="the gateway was restarted"), "invalid", "restarted"),
        (replace(GOOD, generator=generator(cpu_share=0.91)), "invalid", "91% of the processor time"),
        (replace(GOOD, generator=generator(late_wake_up_p95_ms=21)), "invalid", "woke 21 ms late at P95"),
        (
            replace(GOOD, generator=generator(cpu_share=0.91), generator_judged=True),
            "pass",
            "in rates that are not counted as held or not held",
        ),
        (replace(GOOD, objectives=UNJUDGED), "invalid", "no objective could be judged"),
        (replace(GOOD, objectives=(*MET[:2], UNJUDGED[2])), "pass", "too few"),
        (replace(GOOD, objectives=(*MET[:2], MOOT)), "pass", None),
        (replace(GOOD, objectives=RATE, generator=WAITING), "fail", "threads waited for"),
        (replace(GOOD, objectives=RATE), "invalid", "threads were idle"),
        (replace(GOOD, objectives=RATE, generator=UNTOLD), "invalid", "not keep its rate"),
        (
            replace(GOOD, objectives=RATE, generator=generator(gc_pause_ms=20_000, waiting_share=0.9)),
            "invalid",
            "garbage collection stood still for 40%",
        ),
        (replace(GOOD, objectives=RATE, generator=generator(stopped="interrupted")), "invalid", "cut short"),
        (replace(GOOD, objectives=ERRORS), "fail", "errors 40 %"),
        (replace(GOOD, objectives=SLOW, recorded=990), "invalid", "10 lost"),
        (replace(GOOD, generator=generator(gc_pause_max_ms=300)), "pass", "300 ms at most"),
        (replace(GOOD, generator=generator(new_connection_share=0.5)), "pass", "50.0% of the requests"),
        (replace(GOOD, clock_step_s=-3.2), "pass", "the clock was set by -3.2 s"),
        (
            replace(GOOD, stages=(stage(1000, 940, 0.9),)),
            "pass",
            "stage Spike: 940 of 1000 requests were started, 94 of 100 a second: 90% of the threads waited",
        ),
        (replace(GOOD, stages=(stage(1000, 940, 0.1),)), "pass", "though 90% of the threads were idle"),
        (replace(GOOD, stages=(stage(1000, 940),)), "pass", "94 of 100 a second"),
        (
            replace(GOOD, stages=(stage(1000, 940, 0.9), stage(2000, 500, 0.9), stage(3000, 400, 0.9))),
            "pass",
            "3 stages started fewer requests than were asked for, since their threads waited for replies: "
            "Spike 940 of 1000, Spike 500 of 2000, Spike 400 of 3000",
        ),
        (replace(GOOD, stages=(stage(1000, 950), stage(99, 0))), "pass", None),
        (replace(GOOD, generator=generator(all_busy_share=0.06)), "pass", "busy when 6.0% of the requests"),
        (replace(GOOD, generator=generator(all_busy_share=0.05)), "pass", None),
        (replace(GOOD, warm_up_s=51), "pass", "warm-up (51 s) is longer"),
        (replace(GOOD, counted={"GET /tools": (10, 12)}), "pass", "counted 10 requests, JMeter 12"),
    ],
)  # fmt: skip
def test_the_verdict_and_its_reason(evidence: Evidence, verdict: str, reason: str | None) -> None:
    found, reasons = decide(evidence)
    assert found == verdict
    if reason is None:
        assert reasons == []
    else:
        assert reason in reasons[0].text
        level = "warning" if verdict == "pass" else verdict
        assert reasons[0].level == level


@pytest.mark.parametrize(
    ("has_rate", "remedies"),
    [
        (True, ["lengthen the run or raise its rate", "lower the rate, or give JMeter more cores"]),
        (False, ["lengthen the run or give it more users", "take fewer users, or give JMeter more cores"]),
    ],
)
def test_the_remedies_suit_the_load(has_rate: bool, remedies: list[str]) -> None:
    """Where users think, there is no rate to change."""
    too_few = replace(GOOD, objectives=UNJUDGED, has_rate=has_rate)
    too_much = replace(GOOD, generator=generator(cpu_share=0.91), has_rate=has_rate)
    _, reasons = decide(too_few)
    assert {reason.remedy for reason in reasons} == {remedies[0]}
    assert [reason.remedy for reason in decide(too_much)[1]] == [remedies[1]]


def test_the_remedy_says_who_counted_more() -> None:
    for gateway, remedy in ((12, "is it under other load?"), (10, "did something before it answer?")):
        _, reasons = decide(replace(GOOD, counted={"GET /tools": (gateway, 11)}))
        assert [reason.remedy for reason in reasons] == [remedy]
