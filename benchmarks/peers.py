"""The REST mix as k6, Locust, wrk and Vegeta send it, as fast as it goes.

k6 and Locust send the same shares and headers and check the JSON of every answer. wrk and Vegeta send the
same shares and headers, as a cycle of a hundred, and look at the status alone.
"""

import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pacemark.workloads.model import Mix

NAMES = ("k6", "locust", "wrk", "vegeta")
WITHOUT_CHECKS = ("wrk", "vegeta")

_K6 = """
import http from 'k6/http';
import {{ check }} from 'k6';
const headers = {{ Authorization: 'Bearer none', Accept: 'application/json' }};
const mix = {mix};
const total = mix.reduce((sum, [, weight]) => sum + weight, 0);
const rows = (r) => Array.isArray(r) && r.every((row) => row.id);
export const options = {{ vus: {threads}, duration: '{seconds}s', thresholds: {{ checks: ['rate==1'] }} }};
export default function () {{
  let left = Math.random() * total, i = 0;
  while (left >= mix[i][1]) left -= mix[i++][1];
  const path = mix[i][0];
  const answer = http.get('{url}' + path, {{ headers, tags: {{ name: path }} }});
  check(answer, {{ true: (a) => {{
    const body = a.json();
    return a.status === 200 && (path === '/health' ? body.status === 'healthy' : rows(body));
  }} }});
}}
"""

_LOCUST = """
from locust import FastHttpUser, task

HEADERS = {{"Authorization": "Bearer none", "Accept": "application/json"}}


class User(FastHttpUser):
    host = "{url}"

    def ask(self, path):
        with self.client.get(path, headers=HEADERS, catch_response=True) as answer:
            body = answer.json()
            right = body["status"] == "healthy" if path == "/health" else all(row["id"] for row in body)
            if not right:
                answer.failure("not a true answer")
{tasks}
"""

_TASK = """
    @task({weight})
    def task_{n}(self):
        self.ask("{path}")
"""

_WRK = """
local paths = {{ {paths} }}
local at = 0
wrk.headers["Authorization"] = "Bearer none"
wrk.headers["Accept"] = "application/json"
request = function()
  at = at % #paths + 1
  return wrk.format("GET", paths[at])
end
done = function(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  local file = io.open("out.txt", "w")
  file:write(string.format("%d %d %d", summary.requests, failed, summary.duration))
  file:close()
end
"""


class Cost(NamedTuple):
    """Requests a second, and processor time for one."""

    per_s: float
    cpu_us: float


def peers(workload: Mix, threads: int, seconds: int) -> dict[str, Callable[[str], Cost]]:
    """Those of ``NAMES`` that are on PATH, each as a function of the server's URL."""
    shares = [(request.path, request.weight) for request in workload.requests]
    known = {"k6": _k6, "locust": _locust, "wrk": _wrk, "vegeta": _vegeta}
    return {
        name: partial(run, shares=shares, threads=threads, seconds=seconds)
        for name, run in known.items()
        if shutil.which(name)
    }


def _k6(url: str, shares: list[tuple[str, float]], threads: int, seconds: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        script, summary = Path(scratch, "mix.js"), Path(scratch, "summary.json")
        values = {"url": url, "threads": threads, "seconds": seconds, "mix": json.dumps(shares)}
        script.write_text(_K6.format(**values), encoding="utf-8")
        cpu_s = carried(["k6", "run", "--quiet", "--summary-export", str(summary), str(script)], scratch)
        metrics = json.loads(summary.read_text(encoding="utf-8"))["metrics"]
        return Cost(metrics["http_reqs"]["rate"], 1e6 * cpu_s / metrics["http_reqs"]["count"])


def _locust(url: str, shares: list[tuple[str, float]], threads: int, seconds: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        script = Path(scratch, "locustfile.py")
        tasks = "".join(
            _TASK.format(weight=round(weight), n=n, path=path) for n, (path, weight) in enumerate(shares)
        )
        script.write_text(_LOCUST.format(url=url, tasks=tasks), encoding="utf-8")
        command = ["locust", "-f", str(script), "--headless", "-u", str(threads), "-r", str(threads)]
        cpu_s = carried([*command, "-t", f"{seconds}s", "--csv", f"{scratch}/out"], scratch)
        *_, total = Path(scratch, "out_stats.csv").read_text(encoding="utf-8").splitlines()
        count, failed = (int(cell) for cell in total.split(",")[2:4])
        if failed:
            raise SystemExit(f"Locust: {failed} of {count} failed")
        return Cost(count / seconds, 1e6 * cpu_s / count)


def _wrk(url: str, shares: list[tuple[str, float]], threads: int, seconds: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        script = Path(scratch, "mix.lua")
        script.write_text(_WRK.format(paths=", ".join(f'"{path}"' for path in _cycle(shares))), "utf-8")
        processors = min(threads, os.cpu_count() or 1)
        command = ["wrk", f"-t{processors}", f"-c{threads}", f"-d{seconds}s", "-s", str(script), url]
        cpu_s = carried(command, scratch)
        count, failed, took_us = map(int, Path(scratch, "out.txt").read_text("utf-8").split())
        if failed:
            raise SystemExit(f"wrk: {failed} of {count} failed")
        return Cost(1e6 * count / took_us, 1e6 * cpu_s / count)


def _vegeta(url: str, shares: list[tuple[str, float]], threads: int, seconds: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        targets, results = Path(scratch, "targets"), Path(scratch, "results")
        targets.write_text("".join(f"GET {url}{path}\n\n" for path in _cycle(shares)), encoding="utf-8")
        attack = ["vegeta", "attack", "-rate=0", f"-max-workers={threads}", f"-duration={seconds}s"]
        attack += ["-header=Authorization: Bearer none", "-header=Accept: application/json"]
        cpu_s = carried([*attack, f"-targets={targets}", f"-output={results}"], scratch)
        report = subprocess.run(
            ["vegeta", "report", "-type=json", str(results)], capture_output=True, text=True, check=True
        )
        told = json.loads(report.stdout)
        if told["success"] != 1:
            raise SystemExit(f"Vegeta: {told['success']:.1%} of {told['requests']} succeeded")
        return Cost(told["throughput"], 1e6 * cpu_s / told["requests"])


def _cycle(shares: list[tuple[str, float]]) -> list[str]:
    """A hundred paths with these shares, each spread evenly over them."""
    places = [((n + 0.5) / weight, path) for path, weight in shares for n in range(round(weight))]
    return [path for _, path in sorted(places)]


def carried(command: list[str], folder: str) -> float:
    """Run it in ``folder``; the processor seconds that it took.

    Raises:
        SystemExit: it failed; the end of its output says why.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"}
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
