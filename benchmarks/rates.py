"""Do the plans hold their rate and their mix? Exits with 1 when a claim does not hold."""

import argparse
import statistics
from functools import partial

import polars as pl
from harness import Carried, engine, row, show, table_head
from loopback import Loopback

from pacemark.jmx.plan import render
from pacemark.results.digest import Digest
from pacemark.results.wake_up import late_wake_up_p95_ms, overdue_share
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load
from pacemark.workloads.model import Mix

# Those whose rate is constant after the ramp-up.
STEADY = {
    name: one for name, one in WORKLOADS.items() if isinstance(one, Mix) and not one.scales["full"].shape
}
WINDOW_S = 10
"""The claim: over any so many seconds after warm-up the mean is within 1 % of the target, or one request."""
MIX_OVER = 1000
"""The claim: in any so many consecutive requests each share is within 1 % of all."""


KEPT = 0.01
"""The claim: fewer than one in a hundred samples opens a connection."""


def new_connection_share(digest: Digest) -> float:
    return int(digest.sums["new_connections"].sum()) / digest.count


def rate_error(carried: Carried) -> tuple[float, bool]:
    """The largest deviation of any window in percent of the target, and whether all keep the claim."""
    load = carried.load
    counts = per_second(carried)
    target = load.rate_per_s * WINDOW_S
    sums = [sum(counts[i : i + WINDOW_S]) for i in range(len(counts) - WINDOW_S + 1)]
    worst = max(abs(count - target) for count in sums)
    return 100 * worst / target, worst <= max(0.01 * target, 1)


def per_second(carried: Carried) -> list[int]:
    """Requests started in each second after warm-up, those without any too."""
    load = carried.load
    counted = dict(carried.samples.group_by("second").len().iter_rows())
    return [counted.get(second, 0) for second in range(load.ramp_up_s, load.duration_s)]


def mix_error(carried: Carried, workload: Mix) -> float:
    """The largest deviation of a request's share, in percent of all, in any ``MIX_OVER`` in a row."""
    shares = carried.samples.select(
        (pl.col("label") == one.label).cast(pl.Int64).rolling_sum(MIX_OVER).sub(one.weight * MIX_OVER / 100)
        .abs().max().alias(one.label)
        for one in workload.requests
    )  # fmt: skip
    return 100 * max(shares.row(0)) / MIX_OVER


def measure(workload: Mix, load: Load, nginx: Loopback) -> tuple[str, bool]:
    """A row of the table, and whether the claims held."""
    before, requests_before = nginx.connections, nginx.requests()
    carried = Carried.out(engine(), render(workload), load, nginx.url)
    requests, connections = nginx.requests() - requests_before - 1, nginx.connections - before
    counted = sum(
        carried.digest.only(label).count * (1 + label.startswith("MCP ")) for label in workload.labels
    )
    steady = carried.digest.between(load.ramp_up_s, load.duration_s)
    planned = sum(stage.slots for stage in load.stages)
    rate, rate_holds = rate_error(carried)
    mix = mix_error(carried, workload)
    whole = carried.digest.count == planned and carried.digest.errors == 0
    agreed = requests == counted and new_connection_share(steady) < KEPT
    holds = rate_holds and mix <= 1 and connections <= load.threads and whole and agreed
    seconds = load.duration_s - load.ramp_up_s
    cpu_s = carried.cpu_s(load.ramp_up_s, load.duration_s)
    return row(
        workload.name,
        f"{load.rate_per_s:g}",
        f"{carried.digest.count:,} of {planned:,}",
        carried.digest.errors,
        f"{rate:.2f} %",
        f"{statistics.pstdev(per_second(carried)):.1f}",
        f"{mix:.2f} %",
        f"{requests:,} / {counted:,}",
        f"{connections} / {load.threads}",
        f"{late_wake_up_p95_ms(steady)} ms",
        f"{100 * (overdue_share(steady) or 0):.2f} %",
        f"{100 * cpu_s / (carried.execution.cores * seconds):.0f} %",
        "yes" if holds else "**no**",
    ), holds


def load_of(workload: Mix, rate_per_s: float, seconds: int) -> Load:
    threads = workload.scales["full"].threads
    return Load(threads=threads, ramp_up_s=10, duration_s=seconds, rate_per_s=rate_per_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=float, nargs="+", default=[100, 500, 1000, 2000])
    parser.add_argument("--seconds", type=int, default=60, help="of load, 10 of them ramp-up")
    parser.add_argument("--workloads", nargs="+", default=list(STEADY), choices=list(STEADY))
    asked = parser.parse_args()
    print(
        table_head(
            "plan",
            "asked, /s",
            "samples",
            "errors",
            f"worst {WINDOW_S} s window",
            "sd, /s",
            f"worst mix of {MIX_OVER}",
            "requests, nginx / JMeter",
            "connections / threads",
            "late P95",
            "overdue",
            "JMeter's CPU",
            "holds",
        )
    )
    steady = [STEADY[name] for name in asked.workloads]
    with Loopback() as nginx:
        show(
            partial(measure, workload, load_of(workload, rate, asked.seconds), nginx)
            for rate in asked.rates
            for workload in steady
        )


if __name__ == "__main__":
    main()
