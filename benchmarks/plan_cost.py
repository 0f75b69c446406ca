"""What a plan costs beside a JMeter plan that does nothing but send: one sampler, one check, no pacing."""

import argparse
import statistics
from typing import NamedTuple

from harness import Carried, engine, row, table_head, wait_until_quiet
from loopback import Loopback

from pacemark.jmx import elements as jmx
from pacemark.jmx import mix, plan
from pacemark.jmx.elements import Node
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load
from pacemark.workloads.model import Mix

MIXES = {name: one for name, one in WORKLOADS.items() if isinstance(one, Mix)}
THREADS = 16
SETTLED_S = 10
"""By then everything is compiled."""
NO_LIMIT_PER_S = 1_000_000
"""At this rate no thread ever waits for its slot."""


class Cost(NamedTuple):
    """Requests a second, and JMeter's processor time for one."""

    per_s: float
    cpu_us: float


def bare(workload: Mix) -> bytes:
    """One of the workload's requests with its headers and its check, sent as fast as it goes."""
    request = next(
        one for one in workload.requests if not one.feeds and not one.absences and one.path != "/health"
    )
    sampler = Node(
        jmx.http_request(
            request.label, request.method, "${GATEWAY_URL}" + request.path, _fixed(request.body)
        ),
        (
            Node(
                jmx.json_assertion(
                    request.check.name, request.check.path, _fixed(request.check.expect), False
                )
            ),
        ),
    )
    group = jmx.thread_group("users", "${THREADS}", "${RAMP_UP}", "${DURATION}", "")
    return jmx.document(
        Node(
            jmx.plan_root(f"{workload.title}, bare", "", plan._variables(workload)),
            (
                Node(jmx.http_defaults("Connections", plan.CONNECT_TIMEOUT_MS, plan.RESPONSE_TIMEOUT_MS)),
                Node(mix._headers(workload)),
                Node(group, (sampler,)),
            ),
        )
    )


def _fixed(text: str) -> str:
    return text.replace("${REQUEST_ID}", "a-fixed-id-0001")


def measure(document: bytes, seconds: int, nginx: Loopback) -> Cost:
    load = Load(threads=THREADS, ramp_up_s=0, duration_s=seconds, rate_per_s=NO_LIMIT_PER_S)
    carried = Carried.out(engine(), document, load, nginx.url)
    if carried.digest.errors:
        raise SystemExit(f"{carried.digest.errors} of {carried.digest.count} samples failed")
    end_s = seconds - 1
    count = carried.digest.between(SETTLED_S, end_s).count
    return Cost(count / (end_s - SETTLED_S), 1e6 * carried.cpu_s(SETTLED_S, end_s) / count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=25, help=f"of load, the first {SETTLED_S} not counted")
    parser.add_argument("--workloads", nargs="+", default=list(MIXES), choices=list(MIXES))
    asked = parser.parse_args()
    print(table_head("plan", "bare, /s", "ours, /s", "fewer", "bare, CPU us", "ours, CPU us", "more CPU"))
    with Loopback() as nginx:
        for workload in (MIXES[name] for name in asked.workloads):
            documents = {"bare": bare(workload), "ours": plan.render(workload)}
            costs: dict[str, list[Cost]] = {name: [] for name in documents}
            for _ in range(asked.rounds):
                wait_until_quiet()
                for name, document in documents.items():
                    costs[name].append(measure(document, asked.seconds, nginx))
            print(_row(workload.name, costs["bare"], costs["ours"]), flush=True)


def _row(name: str, bare: list[Cost], ours: list[Cost]) -> str:
    """The ratios are the medians of those of each pair, which ran one after the other."""
    rate = statistics.median(our.per_s / one.per_s for one, our in zip(bare, ours, strict=True))
    cpu = statistics.median(our.cpu_us / one.cpu_us for one, our in zip(bare, ours, strict=True))
    return row(
        name,
        *(f"{statistics.median(cost.per_s for cost in costs):,.0f}" for costs in (bare, ours)),
        f"{100 * (1 - rate):.1f} %",
        *(f"{statistics.median(cost.cpu_us for cost in costs):.0f}" for costs in (bare, ours)),
        f"{100 * (cpu - 1):.1f} %",
    )


if __name__ == "__main__":
    main()
