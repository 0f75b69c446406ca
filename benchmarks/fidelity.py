"""What does each tool report of a server whose delays are known? Exits with 1 where Pacemark is off.

The delays are lognormal (median 20 ms, sigma 0.6), 200 requests a second are asked for, for 20 s. First the
server is steady, and the truth is how long it held each request, by its own books of that tool's run. Then it
freezes for 2 s, and the truth is what users would have met who come at that rate whatever happens: reckoned
from when each of 4,000 evenly spaced requests was due. Pacemark, k6 and Vegeta ask at a rate, Locust's users
keep a pace, wrk's connections ask again when they are answered (as many as make about that rate).
Pacemark leaves out its ramp-up, as it does by default; the others report all that they sent.

The claim is Pacemark's: each percentile within 5 % or 2 ms of the truth.
"""

import argparse
import csv
import json
import math
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

from go_server import GoServer
from harness import Carried, engine, row, table_head, wait_until_quiet
from peers import carried

from pacemark.jmx.plan import render
from pacemark.results.record import LatencyFigures
from pacemark.results.statistics import latency_figures
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Basis

RATE, SECONDS, THREADS = 200, 20, 400
"""As many threads as requests are due during the freeze: with fewer, those due later wait for one."""
MEDIAN_MS, SIGMA = 20, 0.6
FREEZE_AT_S, FREEZE_S = 12, 2
RAMP_UP_S = 5
"""Of Pacemark's, before the 20 s and as ever not measured: JMeter compiles then."""
PERCENTS = (50, 95, 99)
WITHIN, WITHIN_MS = 0.05, 2.0
CONNECTIONS = round(RATE * MEDIAN_MS / 1000 * math.exp(SIGMA**2 / 2))
"""Of wrk: with so many closed loops the mean delay makes the rate."""

_K6 = """
import http from 'k6/http';
export const options = {{
  summaryTrendStats: ['p(50)', 'p(95)', 'p(99)'],
  scenarios: {{ all: {{ executor: 'constant-arrival-rate', rate: {rate}, timeUnit: '1s',
                        duration: '{seconds}s', preAllocatedVUs: {threads}, maxVUs: 1000 }} }},
}};
export default function () {{ http.get('{url}/tools'); }}
"""
_LOCUST = """
from locust import FastHttpUser, constant_throughput, task


class User(FastHttpUser):
    host = "{url}"
    wait_time = constant_throughput({pace})

    @task
    def ask(self):
        self.client.get("/tools")
"""
_WRK = """
done = function(summary, latency)
  local file = io.open("out.txt", "w")
  file:write(string.format("%d", summary.requests))
  for _, percent in ipairs({{ {percents} }}) do
    file:write(string.format(" %d", latency:percentile(percent)))
  end
  file:close()
end
"""


class Told(NamedTuple):
    """What a tool reports: samples, and the percentiles in milliseconds."""

    samples: int
    ms: tuple[float, ...]


Rows = dict[str, Told]
"""By what it calls the figures."""


def pacemark(server: GoServer) -> Rows:
    """The REST baseline's plan: response from when each request was due, and JMeter's elapsed."""
    load = Load(threads=THREADS, ramp_up_s=RAMP_UP_S, duration_s=RAMP_UP_S + SECONDS, rate_per_s=RATE)
    every = Carried.out(engine(), render(workload("rest_api_baseline")), load, server.url).digest
    if every.errors:
        raise SystemExit(f"{every.errors} of {every.count} samples failed")
    found = every.between(load.ramp_up_s, load.duration_s)
    bases: tuple[Basis, ...] = ("response", "elapsed")
    return {f"Pacemark, {basis}": _told(latency_figures(found, basis)) for basis in bases}


def _told(figures: LatencyFigures) -> Told:
    return Told(figures.count, tuple(float(getattr(figures, f"p{percent}")) for percent in PERCENTS))


def k6(server: GoServer) -> Rows:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        Path(scratch, "at.js").write_text(
            _K6.format(url=server.url, rate=RATE, seconds=SECONDS, threads=THREADS), encoding="utf-8"
        )
        carried(["k6", "run", "--quiet", "--summary-export", "out.json", "at.js"], scratch)
        metrics = json.loads(Path(scratch, "out.json").read_text(encoding="utf-8"))["metrics"]
        took = metrics["http_req_duration"]
        return {
            "k6": Told(metrics["http_reqs"]["count"], tuple(took[f"p({percent})"] for percent in PERCENTS))
        }


def vegeta(server: GoServer) -> Rows:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        Path(scratch, "targets").write_text(f"GET {server.url}/tools\n", encoding="utf-8")
        attack = ["vegeta", "attack", f"-rate={RATE}", f"-duration={SECONDS}s", "-targets=targets"]
        carried([*attack, "-output=results"], scratch)
        carried(["vegeta", "report", "-type=json", "-output=out.json", "results"], scratch)
        told = json.loads(Path(scratch, "out.json").read_text(encoding="utf-8"))
        names = ("50th", "95th", "99th")
        return {"vegeta": Told(told["requests"], tuple(told["latencies"][name] / 1e6 for name in names))}


def locust(server: GoServer) -> Rows:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        Path(scratch, "locustfile.py").write_text(
            _LOCUST.format(url=server.url, pace=RATE / THREADS), encoding="utf-8"
        )
        users = ["-u", str(THREADS), "-r", str(THREADS), "-t", f"{SECONDS}s"]
        carried(["locust", "--headless", *users, "--csv", "out", "--only-summary"], scratch)
        with Path(scratch, "out_stats.csv").open(encoding="utf-8", newline="") as file:
            *_, total = csv.DictReader(file)
        return {
            "locust": Told(int(total["Request Count"]), tuple(float(total[f"{one}%"]) for one in PERCENTS))
        }


def wrk(server: GoServer) -> Rows:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        Path(scratch, "told.lua").write_text(
            _WRK.format(percents=", ".join(map(str, PERCENTS))), encoding="utf-8"
        )
        loops = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
        carried(["wrk", *loops, "-s", "told.lua", f"{server.url}/tools"], scratch)
        samples, *us = map(int, Path(scratch, "out.txt").read_text(encoding="utf-8").split())
        return {"wrk": Told(samples, tuple(one / 1000 for one in us))}


CONTENDERS: dict[str, Callable[[GoServer], Rows]] = {
    "pacemark": pacemark,
    "k6": k6,
    "vegeta": vegeta,
    "locust": locust,
    "wrk": wrk,
}


def nearest_rank(values: Sequence[float]) -> tuple[float, ...]:
    """``PERCENTS`` of the values."""
    ordered = sorted(values)
    return tuple(ordered[math.ceil(percent * len(ordered) / 100) - 1] for percent in PERCENTS)


def books(server: GoServer) -> tuple[float, ...]:
    """How long the server held what it was asked, in milliseconds."""
    return nearest_rank([int(line) / 1000 for line in server.books().split()])


def users() -> tuple[float, ...]:
    """What those would have met who come evenly whatever happens, in milliseconds: the rest of the freeze
    and a delay."""
    normal, count = NormalDist(math.log(MEDIAN_MS), SIGMA), RATE * SECONDS
    delays = [math.exp(normal.inv_cdf((n + 0.5) / count)) for n in range(count)]
    random.Random(1).shuffle(delays)
    ends = FREEZE_AT_S + FREEZE_S
    frozen = [max(0.0, ends - at) if at >= FREEZE_AT_S else 0.0 for at in (n / RATE for n in range(count))]
    return nearest_rank([1000 * wait + ms for wait, ms in zip(frozen, delays, strict=True)])


def measured(
    name: str, options: Sequence[str], truth: Callable[[GoServer], tuple[float, ...]]
) -> dict[str, bool]:
    """Print a contender's rows; whether each is as near to the truth as Pacemark claims to be."""
    wait_until_quiet()
    with GoServer("delay_server.go", *options) as server:
        rows = CONTENDERS[name](server)
        true = truth(server)
    near = {}
    for what, told in rows.items():
        off = [told_ms - true_ms for told_ms, true_ms in zip(told.ms, true, strict=True)]
        pairs = list(zip(off, true, strict=True))
        near[what] = all(abs(ms) <= max(WITHIN_MS, WITHIN * of) for ms, of in pairs)
        furthest, of = max(pairs, key=lambda one: abs(one[0]) / one[1])
        said = [f"{ms:,.1f}" for ms in (*told.ms, *true)]
        share = f"{100 * furthest / of:+.1f} %"
        print(row(what, f"{told.samples:,}", *said, share, "yes" if near[what] else "no"), flush=True)
    return near


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tools", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    asked = parser.parse_args()
    here = [name for name in asked.tools if name == "pacemark" or shutil.which(name)]
    if missing := [name for name in asked.tools if name not in here]:
        print(f"left out, not on PATH: {', '.join(missing)}\n")
    freeze = (f"-freeze-at={FREEZE_AT_S}s", f"-freeze={FREEZE_S}s")
    cases = {
        "a steady server; truth: its own books": ((), books, ("response", "elapsed")),
        f"frozen for {FREEZE_S} s; truth: users": (freeze, lambda _: users(), ("response",)),
    }
    held = []
    heads = [f"{key}{percent} ms" for key in ("P", "true P") for percent in PERCENTS]
    for case, (options, truth, claimed) in cases.items():
        print(f"\n{case}\n")
        print(table_head("tool", "samples", *heads, "furthest off", "within 5 % or 2 ms"))
        for name in here:
            near = measured(name, options, truth)
            held += [near[f"Pacemark, {basis}"] for basis in claimed if name == "pacemark"]
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
