"""WebSocket connections at 20 messages a second each: what one JMeter holds against a fast server.

Tries the rates from the highest down, shortly each, and holds the first that it keeps for the whole time.
Exits with 1 when that run lost a message, or when the server has other books than JMeter.
"""

import argparse
import json
from typing import NamedTuple

from go_server import GoServer
from harness import Carried, engine, row, table_head, wait_until_quiet

from pacemark.jmx.plan import render
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Subject
from pacemark.results.record import Window
from pacemark.results.statistics import figures
from pacemark.results.wake_up import late_wake_up_p95_ms
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective
from pacemark.workloads.websocket_baseline import WORKLOAD

SHARES = (1.0, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
"""Of the rate that was asked for, in this order."""
RAMP_UP_S = 10
PROBE_S = 15
HELD = 0.99
"""Of the planned messages: so many have to start in their window for a rate to be held."""


class Books(NamedTuple):
    """What the server counted."""

    connections: int
    most_open: int
    asked: int
    answered: int
    closes: int


class Held(NamedTuple):
    """One run, judged."""

    line: str
    rate_held: bool
    agreed: bool


def hold(connections: int, rate_per_s: float, seconds: int) -> Held:
    """Carry it out against a server of its own; ``seconds`` are those after the ramp-up."""
    load = Load(
        threads=connections, ramp_up_s=RAMP_UP_S, duration_s=RAMP_UP_S + seconds, rate_per_s=rate_per_s
    )
    with GoServer("websocket_server.go") as server:
        carried = Carried.out(engine(), render(WORKLOAD), load, server.url)
        books = Books(**json.loads(server.books()))
    window = Window(from_s=load.ramp_up_s, to_s=load.duration_s)
    found = measure(Subject(workload=WORKLOAD, load=load, window=window, digest=carried.digest))
    steady = carried.digest.between(window.from_s, window.to_s)
    due = load.due_between(window.from_s, window.to_s)
    (rate,) = judge([Objective.parse("rate >= 99%")], steady, window=window, due=due)
    sent = sum(carried.digest.only(label).count for label in WORKLOAD.message_labels)
    loss = found.own["loss", "%"].value
    agreed = books == Books(connections, connections, sent, sent, connections) and not loss
    messages = figures(steady.without_lifetimes())
    cpu_s = carried.cpu_s(window.from_s, window.to_s)
    line = row(
        connections,
        f"{rate_per_s:,.0f}",
        seconds,
        f"{sent:,}",
        f"{rate.value or 0:.2f} %",
        f"{loss:g} %",
        f"{messages.p50}, {messages.p99}",
        f"{messages.response.p99 if messages.response else '-'}",
        f"{late_wake_up_p95_ms(steady):g}",
        f"{cpu_s * 1e6 / (messages.count or 1):.0f}",
        "yes" if agreed else f"no: {books}",
    )
    return Held(line, (rate.value or 0) >= 100 * HELD, agreed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--messages", type=float, default=20, help="a second and connection")
    parser.add_argument("--seconds", type=int, default=60, help="how long the rate is held")
    asked = parser.parse_args()
    print(
        table_head(
            "connections", "messages/s", "seconds", "sent", "of the rate", "lost", "p50, p99 ms",
            "response p99 ms", "late P95 ms", "CPU us", "server agrees",
        )
    )  # fmt: skip
    for share in SHARES:
        rate_per_s = asked.connections * asked.messages * share
        wait_until_quiet()
        probe = hold(asked.connections, rate_per_s, PROBE_S)
        print(probe.line, flush=True)
        if probe.rate_held:
            whole = hold(asked.connections, rate_per_s, asked.seconds)
            print(whole.line, flush=True)
            if whole.rate_held:
                return 0 if whole.agreed else 1
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
