"""Can a comparison be believed? By simulation, with noise as real runs have it. Exits with 1 when not.

The noise is that of the embedded gateway, from two times five runs (`pacemark run rest_api_baseline
--embedded --scale smoke --duration 60s`, ten requests a second, AMD EPYC, 2 cores):

| | alone on the machine | with others at work |
| :-- | --: | --: |
| deviation between runs, p50, p95, p99 | 10 %, 6 %, 14 % | 12 %, 45 %, 74 % |
| deviation between seconds (of the logarithm of a second's p50) | 14 % | 19 % |
| its correlation with the second before | 0.5 | 0.4 |
| bursts (seconds of 1.75 times the run's p50) a minute | 0 | 2.8 |
| how long, and how many times as slow | | 1.3 s, 2.4 |

Simulated are `ALONE`, with a burst a minute all the same, and `SHARED`; in both the whole of a run has an
offset besides, of 6 % and 12 %.

The claims, with a threshold of 5 % at p95, 60 s at 200 requests a second:

* runs of one and the same gateway are called worse in at most 1 % of comparisons;
* a gateway that is 10 % slower is called worse in at least 95 %, or else inconclusive, hardly ever the same;
* with as many runs on each side as an inconclusive comparison asks for, it is called worse in at least 95 %.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from harness import row, table_head
from noisy_runs import Gateway

from pacemark.results.compare import Comparison, compare
from pacemark.results.threshold import Threshold

ALONE = Gateway()
SHARED = Gateway(offset=0.12, sway=0.19, keeps=0.4, bursts_per_min=2.8)
NARROW = Gateway(median_ms=200, sigma=0.02, sway=0.02, bursts_per_min=0)
"""Runs differ more than the samples of one, as where a fixed delay is most of the latency."""
THRESHOLD = [Threshold.parse("p95", "5%")]
RISE = 1.1
SEED = 20260130
"""The one that the method was made with; --seed gives others."""
COLUMNS = ("baseline and current", "runs a side", "labels", "comparisons", "worse", "inconclusive", "same")


def trial(before: Gateway, after: Gateway, chance: np.random.Generator, runs: int, labels: int) -> Comparison:
    """A comparison of so many runs of one gateway with as many of another."""
    sides = [[one.run(chance, labels=labels) for _ in range(runs)] for one in (before, after)]
    return compare(sides[0], sides[1], THRESHOLD)


def case(
    name: str,
    gateways: tuple[Gateway, Gateway],
    trials: int,
    holds: Callable[[Counter[str]], bool],
    *,
    seed: int,
    runs: int | None = 1,
    labels: int = 1,
) -> tuple[str, bool]:
    """A row of the table, and whether its claim held. Without ``runs``, each trial takes as many on each side
    as its own first comparison, of single runs, asked for; those with no number are left
    out."""
    chance = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    taken = []
    for _ in range(trials):
        found = trial(*gateways, chance, runs or 1, labels)
        if runs is None and found.verdict == "inconclusive":
            if found.runs_needed is None:
                continue
            taken.append(found.runs_needed)
            found = trial(*gateways, chance, found.runs_needed, labels)
        outcomes[found.verdict] += 1
    shown = runs or f"as asked: {min(taken)} to {max(taken)}, median {int(np.median(taken))}"
    shares = [
        f"{100 * outcomes[verdict] / outcomes.total():.1f} %" for verdict in ("worse", "inconclusive", "same")
    ]
    held = holds(outcomes)
    return row(name, shown, labels, outcomes.total(), *shares, "yes" if held else "**no**"), held


def measured(trials: int, seed: int) -> Iterator[tuple[str, bool]]:
    """Every case."""

    def no_alarms(outcomes: Counter[str]) -> bool:
        return outcomes["worse"] <= 0.01 * outcomes.total()

    def no_changes(outcomes: Counter[str]) -> bool:
        return outcomes["worse"] + outcomes["better"] <= max(1, 0.01 * outcomes.total())

    def not_missed(outcomes: Counter[str]) -> bool:
        return outcomes["worse"] + outcomes["inconclusive"] >= 0.95 * outcomes.total()

    def found(outcomes: Counter[str]) -> bool:
        return outcomes["worse"] >= 0.95 * outcomes.total()

    of = partial(case, seed=seed)
    few = max(1, trials // 5)
    slower, shared_slower = ALONE.slower(RISE), SHARED.slower(RISE)
    yield of("alone, the same", (ALONE, ALONE), trials, no_alarms)
    yield of("alone, the same", (ALONE, ALONE), trials, no_alarms, labels=4)
    yield of("alone, 10 % slower", (ALONE, slower), trials, not_missed)
    yield of("alone, the same", (ALONE, ALONE), 3 * few, no_alarms, runs=None)
    yield of("alone, 10 % slower", (ALONE, slower), few, found, runs=None)
    yield of("alone, 10 % slower", (ALONE, slower), few, found, runs=None, labels=4)
    yield of("shared, the same", (SHARED, SHARED), trials, no_alarms)
    yield of("shared, the same", (SHARED, SHARED), trials, no_alarms, runs=3)
    yield of("shared, the same", (SHARED, SHARED), few, no_alarms, runs=5, labels=4)
    yield of("shared, 10 % slower", (SHARED, shared_slower), few, not_missed, runs=5)
    yield of("narrow, the same", (NARROW, NARROW), trials, no_changes, runs=5)
    yield of("narrow, the same", (NARROW, NARROW), trials, no_changes, runs=10)
    yield of("narrow, the same", (NARROW, NARROW), few, no_changes, runs=20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=500, help="of single runs; of many fewer")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    print(f"seed {asked.seed}\n")
    held = []
    print(table_head(*COLUMNS, "holds"))
    for line, holds in measured(asked.trials, asked.seed):
        print(line, flush=True)
        held.append(holds)
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
