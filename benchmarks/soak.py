"""Is a leak found, and only where there is one? A real process under real load, an hour in seconds.

The server settles within the first eighth, its memory is a sawtooth, and it leaks or does not. Exits with 1
when a verdict is not the true one.
"""

import argparse
from functools import partial

import psutil
from harness import Carried, engine, row, show, table_head
from moody import Moody

from pacemark.gateway.processes import ProcessWatch
from pacemark.jmeter.live import Progress
from pacemark.jmx.plan import render
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import ProcessReading, Subject
from pacemark.results.record import JudgedObjective, Window
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

SOAK = workload("soak_test")
OBJECTIVE = Objective.parse("growth < 10%")
BASE_MB = 150


def verdict(leak_percent: float, load: Load) -> tuple[JudgedObjective, Carried, int]:
    """What a run says of a server that leaks so much in it, and how often its process was looked at."""
    moods = {"base_mb": BASE_MB, "settle_mb": 15, "settle_s": load.duration_s / 8}
    moods |= {"tooth_mb": 8, "tooth_s": load.duration_s / 30}
    with Moody(**moods) as idle:
        whole_mb = (psutil.Process(idle.pid).memory_info().rss / 1e6) + moods["settle_mb"]
    leak = whole_mb * leak_percent / 100 / load.duration_s
    with Moody(**moods, leak_mb_per_s=leak) as server:
        watch = ProcessWatch({"gateway": server.pid}, load.duration_s)

        def look(_: Progress) -> None:
            watch.look()

        carried = Carried.out(engine(), render(SOAK), load, server.url, look)
    start = carried.digest.start_ms / 1000
    readings = [ProcessReading(seen.at - start, *seen[1:]) for seen in watch.looks]
    window = Window(from_s=load.ramp_up_s, to_s=load.duration_s)
    own = measure(Subject(SOAK, load, window, carried.digest, readings)).own
    [judged] = judge([OBJECTIVE], carried.digest, window=window, due=None, own=own)
    return judged, carried, len(readings)


def measured(leak_percent: float, load: Load) -> tuple[str, bool]:
    """A row of the table, and whether the verdict was right."""
    judged, carried, looks = verdict(leak_percent, load)
    is_right = judged.outcome == ("missed" if leak_percent else "met")
    grown = "–" if judged.value is None else f"{judged.value:.1f} %"
    cells = (f"{leak_percent:g} %", carried.digest.count, looks, grown, judged.outcome, judged.why)
    return row(*cells, "yes" if is_right else "**no**"), is_right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=40, help="of load in a run")
    parser.add_argument("--times", type=int, default=3, help="runs of each kind")
    parser.add_argument("--leak", type=float, default=15, help="percent in a run, where there is a leak")
    asked = parser.parse_args()
    load = Load(threads=8, ramp_up_s=2, duration_s=asked.seconds, rate_per_s=25)
    print(table_head("leak in the run", "samples", "looks", "growth", "verdict", "why", "right"))
    show(partial(measured, leak, load) for leak in (asked.leak, 0.0) * asked.times)


if __name__ == "__main__":
    main()
