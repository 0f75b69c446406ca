"""Are the latencies those that users who come whatever happens would have met? Exits with 1 when not.

One server, frozen for 3 s, under 200 requests a second three times: by JMeter's Open Model Thread Group,
whose arrivals wait for nobody (the reference); by our pacing, which measures response; and by a closed
Thread Group, whose elapsed is corrected from the expected interval.
"""

import argparse
from collections.abc import Callable

from harness import Carried, engine, row, table_head, wait_until_quiet
from moody import Moody

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node
from pacemark.jmx.plan import render
from pacemark.results.omission import correct
from pacemark.results.record import LatencyFigures
from pacemark.results.statistics import latency_figures
from pacemark.workloads import workload
from pacemark.workloads.load import Load

RATE, SECONDS, FREEZE_AT_S, FREEZE_S = 200, 20, 8, 3
# Not a divisor of the rate, so that the closed plan's threads do not all send at the same instant.
THREADS = 19
INTERVAL_MS = 1000 * THREADS / RATE
WITHIN = 0.05
PERCENTILES = ("p90", "p95", "p99")
LOAD = Load(threads=THREADS, ramp_up_s=0, duration_s=SECONDS, rate_per_s=RATE)


def _document(group: Node) -> bytes:
    root = jmx.plan_root("omission", "", [])
    return jmx.document(Node(root, (Node(jmx.http_defaults("Connections", 5000, 30_000)), group)))


def _request() -> Node:
    return Node(jmx.http_request("GET /health", "GET", "${__P(GATEWAY_URL)}/health", ""))


def open_plan() -> bytes:
    """Arrivals, evenly spaced, each a thread of its own."""
    controller = jmx.part("ThreadGroup.main_controller", "OpenModelThreadGroupController", "", "")
    schedule = jmx.string("OpenModelThreadGroup.schedule", f"rate({RATE}/s) even_arrivals({SECONDS} s)")
    group = jmx.element("OpenModelThreadGroup", "OpenModelThreadGroupGui", "arrivals", [controller, schedule])
    return _document(Node(group, (_request(),)))


def closed_plan() -> bytes:
    """Threads that keep a pace and make up for nothing that a slow answer cost them."""
    timer = jmx.element(
        "ConstantThroughputTimer",
        "TestBeanGUI",
        "pace",
        [jmx.prop("intProp", "calcMode", 0), jmx.string("throughput", f"{60 * RATE / THREADS:.6f}")],
    )
    group = jmx.thread_group("users", str(THREADS), "1", str(SECONDS), "")
    return _document(Node(group, (Node(timer), _request())))


def carried(document: bytes) -> Carried:
    wait_until_quiet()
    with Moody(step_s=FREEZE_AT_S, stall_s=FREEZE_S) as server:
        found = Carried.out(engine(), document, LOAD, server.url)
    if found.digest.errors:
        raise SystemExit(f"{found.digest.errors} of {found.digest.count} samples failed")
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    reference = latency_figures(carried(open_plan()).digest, "elapsed")
    ours, closed = carried(render(workload("rest_api_baseline"))).digest, carried(closed_plan()).digest
    print(table_head("latency, ms", "samples", *PERCENTILES, "furthest off", "within 5 %"))
    print(_line("open model, elapsed: the reference", reference, reference, str))
    print(_line("ours, elapsed: raw", latency_figures(ours, "elapsed"), reference, str))
    print(_line("closed, elapsed: raw", latency_figures(closed, "elapsed"), reference, str))
    claims = {
        "ours, response: measured": latency_figures(ours, "response"),
        f"closed, corrected from {INTERVAL_MS:g} ms": correct(closed, INTERVAL_MS).figures.total,
    }
    for name, figures in claims.items():
        print(_line(name, figures, reference, lambda off: "yes" if off <= WITHIN else "**no**"))
    off = max(_off(figures, reference) for figures in claims.values())
    raise SystemExit(0 if off <= WITHIN else 1)


def _off(figures: LatencyFigures, reference: LatencyFigures) -> float:
    return max(abs(getattr(figures, name) / getattr(reference, name) - 1) for name in PERCENTILES)


def _line(
    name: str, figures: LatencyFigures, reference: LatencyFigures, judged: Callable[[float], str]
) -> str:
    off = _off(figures, reference)
    values = [f"{getattr(figures, one):,}" for one in PERCENTILES]
    said = "" if judged is str else judged(off)
    return row(name, f"{figures.count:,}", *values, f"{off:.1%}", said)


if __name__ == "__main__":
    main()
