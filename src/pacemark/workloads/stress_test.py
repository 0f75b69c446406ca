"""Stress test: where the gateway breaks, and whether it recovers.

The request's phases, each a climb to its rate and then a hold at it, up to 10,000 requests a second; then the
load steps down to the first phase's at once. A hold is held with errors < 1 %, response P95 < 500 ms and at
least 95 % of the rate asked (``results/holds.py``). The breaking point is the highest rate held: between the
last phase that held and the first that did not, Pacemark then looks closer, by short loads of one rate each.

What its verdict means: the request's objective is "find limit", so to find one is no failure. The run passes
when the limit was found, or lies above the highest rate; when at least the first phase's rate, a tenth of the
highest, was held; and when P95 was back within 30 s of the step down and errors within 60 s (the request's
criteria of recovery). It fails when the gateway was not back at the end, and is invalid when JMeter was the
limit. How high the breaking point must be is the user's to say: ``--objective 'breaking_point >= 2000/s'``.
"""

from pacemark.workloads.load import Load, Stage
from pacemark.workloads.mixed import REQUESTS
from pacemark.workloads.model import Mix
from pacemark.workloads.objective import Objective

PHASES = (
    ("warm-up", 30, 90, 1000, 200),
    ("ramp 1", 60, 240, 2000, 400),
    ("ramp 2", 60, 240, 4000, 800),
    ("ramp 3", 60, 240, 6000, 1200),
    ("ramp 4", 60, 240, 8000, 1600),
    ("peak", 60, 240, 10_000, 2000),
    ("recovery", 0, 180, 1000, 200),
)
"""Name, seconds of climb, seconds of hold, requests a second, threads. The request gives the sum of both."""


def _shape() -> tuple[Stage, ...]:
    stages, reached = [], 0.0
    for name, climb_s, hold_s, rate, threads in PHASES:
        if climb_s:
            climb = Stage(
                name=f"climb to {name}", seconds=climb_s, from_per_s=reached, to_per_s=rate, threads=threads
            )
            stages.append(climb)
        stages.append(Stage(name=name, seconds=hold_s, from_per_s=rate, to_per_s=rate, threads=threads))
        reached = rate
    return tuple(stages)


SHAPE = _shape()

WORKLOAD = Mix(
    name="stress_test",
    title="Stress test",
    protocol="HTTP, JSON-RPC",
    summary="REST and MCP, half of each, in steps up to 10,000 requests a second and down again: "
    "where the gateway breaks, and whether it recovers.",
    requests=REQUESTS,
    objectives=(
        Objective.parse("breaking_point >= 10%"),
        Objective.parse("recovery <= 30s"),
        Objective.parse("clearance <= 60s"),
    ),
    scales={
        "full": Load(threads=2000, ramp_up_s=30, duration_s=1800, rate_per_s=10_000, shape=SHAPE),
        # A gateway on two cores breaks between 30 and 60 requests a second of this mix. In 15 s no hold would
        # have enough requests to be judged.
        "ci": Load(threads=40, ramp_up_s=3, duration_s=180, rate_per_s=120, shape=SHAPE),
        "local": Load(threads=40, ramp_up_s=4, duration_s=240, rate_per_s=120, shape=SHAPE),
        "smoke": Load(threads=20, ramp_up_s=1, duration_s=30, rate_per_s=40, shape=SHAPE),
    },
    calls_mcp=True,
    measurements=("stages", "breaking_point"),
)
