"""What a plan costs beside a JMeter plan with one sampler, the same headers and one check; and beside the
barest plan and, where they are on PATH, k6, Locust, wrk and Vegeta on the same nginx."""

import argparse
import statistics
from collections.abc import Callable

from harness import Carried, engine, row, table_head, wait_until_quiet
from loopback import Loopback
from peers import NAMES, WITHOUT_CHECKS, Cost, peers

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


def bare(workload: Mix, *, barest: bool = False) -> bytes:
    """One of the workload's requests with its headers and its check, sent as fast as it goes; the barest
    plan has neither."""
    request = next(
        one for one in workload.requests if not one.feeds and not one.absences and one.path != "/health"
    )
    sampler = Node(
        jmx.http_request(
            request.label, request.method, "${GATEWAY_URL}" + request.path, _fixed(request.body)
        ),
        ()
        if barest
        else (
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
                *(() if barest else (Node(mix._headers(workload)),)),
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
    with Loopback() as nginx:
        for workload in (MIXES[name] for name in asked.workloads):
            contenders = _contenders(workload, asked.seconds, nginx)
            costs: dict[str, list[Cost]] = {name: [] for name in contenders}
            for first in range(asked.rounds):
                wait_until_quiet()
                # Whoever runs first after a pause is at a disadvantage: each is in its turn.
                for name in _rotated(list(contenders), first):
                    costs[name].append(contenders[name](nginx.url))
            print(f"\n{workload.name}, {THREADS} threads, medians of {asked.rounds} interleaved rounds\n")
            print(table_head("sent by", "requests a second", "CPU us a request", "of the bare plan's rate"))
            for name, found in costs.items():
                print(_row(name, found, costs["bare plan"]), flush=True)


def _rotated(names: list[str], first: int) -> list[str]:
    first %= len(names)
    return [*names[first:], *names[:first]]


def _contenders(workload: Mix, seconds: int, nginx: Loopback) -> dict[str, Callable[[str], Cost]]:
    documents = {
        "ours": plan.render(workload),
        "bare plan": bare(workload),
        "barest plan": bare(workload, barest=True),
    }
    ours = {
        name: lambda _, document=document: measure(document, seconds, nginx)
        for name, document in documents.items()
    }
    is_rest = all(request.method == "GET" for request in workload.requests)
    others = peers(workload, THREADS, seconds) if is_rest else {}
    if is_rest and (missing := set(NAMES) - set(others)):
        print(f"left out, not on PATH: {', '.join(sorted(missing))}")
    return {**ours, **others}


def _row(name: str, found: list[Cost], bare_plan: list[Cost]) -> str:
    """The ratio is the median of those of each round, in which they ran one after the other."""
    ratio = statistics.median(one.per_s / other.per_s for one, other in zip(found, bare_plan, strict=True))
    per_s = statistics.median(cost.per_s for cost in found)
    cpu_us = statistics.median(cost.cpu_us for cost in found)
    if name in WITHOUT_CHECKS:
        name += ", no check of the answer"
    return row(name, f"{per_s:,.0f}", f"{cpu_us:.0f}", f"{100 * ratio:.1f} %")


if __name__ == "__main__":
    main()
