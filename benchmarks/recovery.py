"""Is the recovery time that is measured the one that was? Exits with 1 when a claim does not hold."""

import argparse
from collections.abc import Mapping
from functools import partial

from harness import Carried, engine, row, show, table_head
from moody import Moody

from pacemark.jmx.plan import render
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Subject
from pacemark.results.record import Window
from pacemark.workloads import workload
from pacemark.workloads.load import Load, Stage
from pacemark.workloads.model import SCALES

# The limit to come back to is then 605 ms: 105 ms more than the server takes is what a busy machine may add.
BASE_PER_S, THREADS, BASE_MS, SLOW_MS = 25, 50, 500, 1500
SHAPE = (
    Stage(name="Baseline", seconds=12, from_per_s=BASE_PER_S, to_per_s=BASE_PER_S, threads=THREADS),
    Stage(name="Spike", seconds=3, from_per_s=BASE_PER_S, to_per_s=10 * BASE_PER_S, threads=10 * THREADS),
    Stage(
        name="Sustain", seconds=8, from_per_s=10 * BASE_PER_S, to_per_s=10 * BASE_PER_S, threads=10 * THREADS
    ),
    Stage(name="Recovery", seconds=20, from_per_s=BASE_PER_S, to_per_s=BASE_PER_S, threads=THREADS),
    Stage(name="Verify", seconds=10, from_per_s=BASE_PER_S, to_per_s=BASE_PER_S, threads=THREADS),
)
LOAD = Load(threads=10 * THREADS, ramp_up_s=4, duration_s=53, rate_per_s=10 * BASE_PER_S, shape=SHAPE)
STEP_S = 23

# What the server does, and what must be measured: (recovery from, to), (clearance from, to), in seconds.
CASES: dict[str, tuple[Mapping[str, float], tuple[float, float], tuple[float, float]]] = {
    "is back at once": ({"spike_s": 11}, (0, 1), (0, 0)),
    "takes 12 s to recover": ({"spike_s": 11, "slow_s": 12}, (12, 17), (0, 0)),
    "stalls for 3 s": ({"stall_s": 3}, (2, 4), (0, 0)),
    "fails for 12 s": ({"fail_s": 12}, (0, 1), (11, 13)),
    "never recovers": ({"spike_s": 11, "slow_s": 100}, (30, 30), (0, 0)),
}


def measured(case: str) -> tuple[str, bool]:
    """A row of the table, and whether the claims held."""
    options, recovery_in, clearance_in = CASES[case]
    spike = workload("spike_test").model_copy(update={"scales": dict.fromkeys(SCALES, LOAD)})
    with Moody(step_s=STEP_S, base_ms=BASE_MS, slow_ms=SLOW_MS, **options) as server:
        carried = Carried.out(engine(), render(spike), LOAD, server.url)
    found = measure(Subject(spike, LOAD, Window(from_s=LOAD.ramp_up_s, to_s=LOAD.duration_s), carried.digest))
    recovery, clearance = found.own["recovery", "s"], found.own["clearance", "s"]
    planned = sum(stage.slots for stage in LOAD.stages)
    values = [own.value if own.value is not None else -1 for own in (recovery, clearance)]
    holds = all(
        low <= value <= high for value, (low, high) in zip(values, (recovery_in, clearance_in), strict=True)
    )
    p95 = [f"{phase[4]}" for phase in found.sections[0].rows]
    return row(
        case,
        f"{carried.digest.count:,} of {planned:,}",
        recovery.why or f"{values[0]:g} s",
        f"{recovery_in[0]:g} to {recovery_in[1]:g} s",
        clearance.why or f"{values[1]:g} s",
        f"{clearance_in[0]:g} to {clearance_in[1]:g} s",
        ", ".join(p95),
        "yes" if holds else "**no**",
    ), holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    asked = parser.parse_args()
    print(
        table_head(
            "the server", "samples", "P95 back", "claim", "errors back", "claim", "P95 by phase, ms", "holds"
        )
    )
    show(partial(measured, case) for case in asked.cases)


if __name__ == "__main__":
    main()
