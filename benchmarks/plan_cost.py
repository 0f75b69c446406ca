"""What a plan costs beside a JMeter plan with one sampler, the same headers and one check; beside itself
without traces and with all headers that can be asked for; beside the barest plan; and, alone, beside k6,
Locust, wrk and Vegeta on the same nginx, where they are on PATH.

The five plans run side by side, each in a JMeter of its own, in the same seconds on the same processors:
one after another, the same plan took from 249 to 437 us a request within ten minutes on a shared machine.
Those of other tools, each with all processors to itself, are that far from certain.
Exits with 1 when a plan has less than 90 % of the requests a second of the bare one, or with all headers less
than 85 % of those that it has without traces.
"""

import argparse
import statistics
from concurrent.futures import ThreadPoolExecutor

from harness import Carried, engine, row, table_head, wait_until_quiet
from loopback import Loopback
from peers import NAMES, WITHOUT_CHECKS, Cost, peers

from pacemark.jmx import assertions, mix, plan
from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load
from pacemark.workloads.model import Mix

MIXES = {name: one for name, one in WORKLOADS.items() if isinstance(one, Mix)}
OURS, UNTRACED, TAGGED, BARE = "ours", "ours, no traces", "ours, all headers", "bare plan"
ALONE = "ours, alone"
THREADS = 8
"""Of each contender."""
SETTLED_S = 95
"""HotSpot still compiles after 40 s when several share two processors; by then it has done."""
WITHIN = 0.9
"""Of the bare plan's requests a second: what Pacemark adds may cost a tenth."""
TAGGED_WITHIN = 0.85
"""With X-Correlation-ID, traceparent and an APM's tags, of the same plan's without any of them."""
GIVEN = {UNTRACED: {"TRACING": "false"}, TAGGED: {"APM": "otel"}}
"""Properties of a plan."""
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
                assertions.json_assertion(
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


def side_by_side(documents: dict[str, bytes], seconds: int, nginx: Loopback) -> dict[str, Cost]:
    """Every plan at once; counted in the seconds in which all of them were settled and none had ended."""
    load = Load(threads=THREADS, ramp_up_s=0, duration_s=SETTLED_S + seconds, rate_per_s=NO_LIMIT_PER_S)
    with ThreadPoolExecutor(len(documents)) as pool:
        runs = pool.map(
            lambda name: Carried.out(engine(), documents[name], load, nginx.url, **GIVEN.get(name, {})),
            documents,
        )
        carried = dict(zip(documents, runs, strict=True))
    starts = [one.digest.start_ms / 1000 for one in carried.values()]
    first, last = max(starts) + SETTLED_S, min(starts) + SETTLED_S + seconds - 1
    return {name: _cost(one, first, last) for name, one in carried.items()}


def _cost(carried: Carried, first: float, last: float) -> Cost:
    """Between two times, in seconds since the epoch."""
    if carried.digest.errors:
        raise SystemExit(f"{carried.digest.errors} of {carried.digest.count} samples failed")
    start = carried.digest.start_ms / 1000
    from_s, to_s = round(first - start), round(last - start)
    count = carried.digest.between(from_s, to_s).count
    return Cost(count / (to_s - from_s), 1e6 * carried.cpu_s(from_s, to_s) / count)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=45, help=f"counted, after {SETTLED_S} of warm-up")
    parser.add_argument("--workloads", nargs="+", default=["rest_api_baseline"], choices=list(MIXES))
    parser.add_argument("--without-peers", action="store_true", help="only the five plans")
    asked = parser.parse_args()
    held = []
    with Loopback() as nginx:
        for workload in (MIXES[name] for name in asked.workloads):
            rounds = []
            for _ in range(asked.rounds):
                wait_until_quiet()
                rounds.append(_round(workload, asked.seconds, nginx, with_peers=not asked.without_peers))
                print(f"round {len(rounds)}: {100 * _share(OURS, rounds[-1:]):.1f} %", flush=True)
            print(f"\n{workload.name}, {THREADS} threads each, medians of {asked.rounds} rounds\n")
            print(table_head("sent by", "requests a second", "CPU us a request", "of the rate of"))
            for name in rounds[0]:
                print(_row(name, rounds), flush=True)
            traced, tagged = (_beside(UNTRACED, name, rounds) for name in (OURS, TAGGED))
            print(f"\nwith traces {traced:.1%} of the rate without, with all headers {tagged:.1%}\n")
            held += [_share(OURS, rounds) >= WITHIN, tagged >= TAGGED_WITHIN]
    raise SystemExit(0 if all(held) else 1)


def _round(workload: Mix, seconds: int, nginx: Loopback, *, with_peers: bool) -> dict[str, Cost]:
    """Our plans at once, then each of the others alone."""
    documents = {
        OURS: plan.render(workload),
        UNTRACED: plan.render(workload),
        TAGGED: plan.render(workload),
        BARE: bare(workload),
        "barest plan": bare(workload, barest=True),
    }
    costs = side_by_side(documents, seconds, nginx)
    if with_peers and all(request.method == "GET" for request in workload.requests):
        wait_until_quiet()
        costs[ALONE] = side_by_side({OURS: documents[OURS]}, seconds, nginx)[OURS]
        for name, carried in peers(workload, THREADS, seconds).items():
            wait_until_quiet()
            costs[name] = carried(nginx.url)
    return costs


def _share(name: str, rounds: list[dict[str, Cost]]) -> float:
    """Of the bare plan's rate in the same seconds; the median of the rounds."""
    return _beside(BARE, name, rounds)


def _beside(other: str, name: str, rounds: list[dict[str, Cost]]) -> float:
    return statistics.median(costs[name].per_s / costs[other].per_s for costs in rounds)


def _row(name: str, rounds: list[dict[str, Cost]]) -> str:
    """Who runs alone is set beside ours alone, the others beside the bare plan in the same seconds."""
    per_s = statistics.median(costs[name].per_s for costs in rounds)
    cpu_us = statistics.median(costs[name].cpu_us for costs in rounds)
    other = ALONE if name in (ALONE, *NAMES) else BARE
    share = f"{other}: {100 * _beside(other, name, rounds):.1f} %"
    shown = f"{name}, no check of the answer" if name in WITHOUT_CHECKS else name
    return row(shown, f"{per_s:,.0f}", f"{cpu_us:.0f}", share)


if __name__ == "__main__":
    main()
