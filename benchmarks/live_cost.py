"""What JMeter's live figures cost: the same plan with and without them, side by side on the same nginx, the
endpoint scraped once a second. Exits with 1 when they cost 3 % of the requests a second or more.

What HotSpot makes of the same plan differs by some percent from one JVM to the next (two of the same plan had
95.9, 102.8 and 98.8 % of each other's rate), so there are several rounds, and who starts first alternates.
"""

import argparse
import statistics
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from harness import Carried, engine, row, table_head, wait_until_quiet
from loopback import Loopback
from peers import Cost
from plan_cost import MIXES, NO_LIMIT_PER_S, SETTLED_S, THREADS, _cost

from pacemark.jmx.live import live_properties
from pacemark.jmx.plan import render
from pacemark.workloads.load import Load
from pacemark.workloads.model import Mix

WITHOUT, WITH = "without", "with live figures"
WITHIN = 0.97
PORT = 19270


class Scraper(threading.Thread):
    """Reads the endpoint once a second until ``stop`` is set, and counts how often it answered."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.answers = 0

    def run(self) -> None:
        while not self.stop.wait(1):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
                    self.answers += b"jmeter_samples_total" in answer.read()
            except (urllib.error.URLError, OSError):
                continue  # not there yet, or no more


def side_by_side(workload: Mix, seconds: int, nginx: Loopback, order: Sequence[str]) -> dict[str, Cost]:
    """Both, started in that order; counted in the seconds in which both were settled and none had ended."""
    load = Load(threads=THREADS, ramp_up_s=0, duration_s=SETTLED_S + seconds, rate_per_s=NO_LIMIT_PER_S)
    scraper = Scraper()
    scraper.start()

    def carry(name: str) -> Carried:
        more = live_properties(PORT) if name == WITH else {}
        return Carried.out(engine(), render(workload, live=name == WITH), load, nginx.url, **more)

    with ThreadPoolExecutor(2) as pool:
        carried = dict(zip(order, pool.map(carry, order), strict=True))
    scraper.stop.set()
    if scraper.answers < seconds:
        raise SystemExit(f"the endpoint answered {scraper.answers} times only")
    starts = [one.digest.start_ms / 1000 for one in carried.values()]
    first, last = max(starts) + SETTLED_S, min(starts) + SETTLED_S + seconds - 1
    return {name: _cost(one, first, last) for name, one in carried.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=45, help=f"counted, after {SETTLED_S} of warm-up")
    parser.add_argument("--workload", default="rest_api_baseline", choices=list(MIXES))
    asked = parser.parse_args()
    rounds = []
    with Loopback() as nginx:
        for n in range(asked.rounds):
            wait_until_quiet()
            order = (WITHOUT, WITH) if n % 2 else (WITH, WITHOUT)
            rounds.append(side_by_side(MIXES[asked.workload], asked.seconds, nginx, order))
            print(f"round {len(rounds)}: {_share(rounds[-1:]):.1%}", flush=True)
    print(f"\n{asked.workload}, {THREADS} threads each, medians of {asked.rounds} rounds\n")
    print(table_head("plan", "requests a second", "CPU us a request"))
    for name in (WITHOUT, WITH):
        per_s, cpu_us = (
            statistics.median(values) for values in zip(*(one[name] for one in rounds), strict=True)
        )
        print(row(name, f"{per_s:,.0f}", f"{cpu_us:.0f}"))
    print(f"\nwith live figures {_share(rounds):.1%} of the rate without")
    raise SystemExit(0 if _share(rounds) > WITHIN else 1)


def _share(rounds: list[dict[str, Cost]]) -> float:
    return statistics.median(one[WITH].per_s / one[WITHOUT].per_s for one in rounds)


if __name__ == "__main__":
    main()
