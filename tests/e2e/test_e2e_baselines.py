"""Both workloads at the real gateway with the real JMeter, as a user runs them: is what they say true?"""

import csv
import json
import math
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from e2e_command import JWT, RUN_FILES, Ended, Pacemark, files_with, rows
from polars.testing import assert_frame_equal

from pacemark.gateway.stack import Stack
from pacemark.results.digest import Digest
from pacemark.workloads import workload

pytestmark = [pytest.mark.gateway, pytest.mark.jmeter]

NAMES = ("rest_api_baseline", "mcp_jsonrpc_baseline")
SECONDS, RAMP_UP, RATE = 14, 2, 6
LOAD = ("--duration", f"{SECONDS}s", "--ramp-up", str(RAMP_UP), "--rate", str(RATE), "--threads", "12")
PLANNED = RATE * RAMP_UP / 2 + RATE * (SECONDS - RAMP_UP)
LISTS, PROMPTS = 3, 4
"""What the preflight asks for beside each tool and resource: the lists, and the prompts of fast_time and
benchmark."""
DATA = Path(__file__).parents[1] / "jmeter" / "data"


@dataclass(frozen=True)
class Both:
    """One command that ran both workloads, what was seen of it meanwhile, and the gateway's own count."""

    token: str
    pacemark: Pacemark
    ended: Ended
    command_lines: set[str]
    before: Counter[str]
    after: Counter[str]

    def run(self, name: str) -> Any:
        (found,) = (run for run in self.ended.json["runs"] if run["workload"] == name)
        return found

    def directory(self, name: str) -> Path:
        return self.pacemark.folder / str(self.run(name)["directory"])

    def stats(self, name: str, *args: str) -> Any:
        return self.pacemark("stats", self.directory(name), *args, "--json").json


def gateway_s_own_count(stack: Stack, token: str) -> Counter[str]:
    """``http_requests_total`` by method and handler, read from the text of its metrics."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{stack.url}/metrics/prometheus", headers=headers, trust_env=False)
    counts: Counter[str] = Counter()
    for line in answer.text.splitlines():
        if line.startswith("http_requests_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            counts[f"{labels['method']} {labels['handler']}"] += int(float(line.rsplit(" ", 1)[1]))
    return counts


@pytest.fixture(scope="module")
def both(embedded_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Both:
    token = embedded_stack.credentials(seconds=600).token
    pacemark = Pacemark(tmp_path_factory.mktemp("both"), MCPGATEWAY_BEARER_TOKEN=token)
    before = gateway_s_own_count(embedded_stack, token)
    with pacemark.started("run", *NAMES, "--gateway", embedded_stack.url, *LOAD, "--json") as running:
        running.watch_command_lines()
        ended = running.ended()
    after = gateway_s_own_count(embedded_stack, token)
    return Both(token, pacemark, ended, running.command_lines, before, after)


def nearest_rank(values: list[int], share: float) -> int:
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def test_it_passes_and_only_json_is_on_standard_output(both: Both) -> None:
    assert both.ended.status == 0, both.ended.stderr
    assert both.ended.json["exit_status"] == 0
    assert [run["workload"] for run in both.ended.json["runs"]] == list(NAMES)
    assert both.ended.errors == []
    assert both.ended.stderr.count("Report: ") == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_run_s_directory_is_whole(both: Both, name: str) -> None:
    directory = both.directory(name)
    assert both.run(name)["directory"] == f"results/{name}/{directory.name}"
    assert [file for file in RUN_FILES if not (directory / file).stat().st_size] == []
    record = json.loads((directory / "run.json").read_text())
    assert record == {key: value for key, value in both.run(name).items() if key != "directory"}
    assert record["verdict"] == "pass"
    assert sum(stage["due"] for stage in record["stages"]) == PLANNED
    assert record["recorded"] == {"count": sum(stage["started"] for stage in record["stages"]), "errors": 0}
    assert {judged["outcome"] for judged in record["objectives"] if judged["objective"]["unit"] == "%"} == {
        "met"
    }
    suites = ElementTree.parse(directory / "junit.xml").getroot()
    assert suites.findall(".//failure") == suites.findall(".//error") == []
    assert "<script src=" not in (directory / "index.html").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_its_summary_is_what_stats_says_of_the_run_and_the_samples(both: Both, name: str) -> None:
    directory = both.directory(name)
    summary = json.loads((directory / "summary.json").read_text())
    assert both.stats(name) == summary
    recorded = both.run(name)["recorded"]["count"]
    assert both.stats(name, "--warm-up", "0")["total"]["count"] == recorded
    assert both.pacemark("stats", directory / "samples.jtl", "--json").json["total"]["count"] == recorded


@pytest.mark.parametrize("name", NAMES)
def test_the_digest_made_while_it_ran_is_that_of_the_finished_file(both: Both, name: str) -> None:
    grown = Digest.load(both.directory(name) / "digest.parquet")
    counted = Digest.from_jtl(both.directory(name) / "samples.jtl")
    assert_frame_equal(grown.cells, counted.cells)
    assert_frame_equal(grown.sums, counted.sums)
    assert (grown.start_ms, grown.window) == (counted.start_ms, counted.window)


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_those_of_a_count_by_hand(both: Both, name: str) -> None:
    samples = rows(both.directory(name) / "samples.jtl")
    start = min(int(row["timeStamp"]) for row in samples)
    measured = [row for row in samples if RAMP_UP * 1000 <= int(row["timeStamp"]) - start < SECONDS * 1000]
    summary = both.stats(name)
    by_label: dict[str, list[dict[str, str]]] = {}
    for row in measured:
        by_label.setdefault(row["label"], []).append(row)
    assert set(summary["labels"]) == set(by_label) == set(workload(name).labels)
    for figures, own in [
        (summary["total"], measured),
        *((summary["labels"][k], v) for k, v in by_label.items()),
    ]:
        elapsed = [int(row["elapsed"]) for row in own]
        response = [int(row["elapsed"]) + int(row["late_ms"]) for row in own]
        assert figures["count"] == len(own)
        assert figures["outcomes"] == {"ok": len(own)}
        assert figures["bytes"] == sum(int(row["bytes"]) for row in own)
        assert (figures["min"], figures["max"]) == (min(elapsed), max(elapsed))
        assert figures["mean"] == pytest.approx(sum(elapsed) / len(own))
        assert figures["throughput"] == pytest.approx(len(own) / (SECONDS - RAMP_UP))
        for key, share in {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}.items():
            assert figures[key] == nearest_rank(elapsed, share)
            assert figures["response"][key] == nearest_rank(response, share)


@pytest.mark.parametrize("name", NAMES)
def test_the_mix_is_the_workload_s(both: Both, name: str) -> None:
    counted = Counter(row["label"] for row in rows(both.directory(name) / "samples.jtl"))
    for request in workload(name).requests:
        assert abs(counted[request.label] - counted.total() * request.weight / 100) < 2


def test_the_gateway_counted_every_sample(both: Both) -> None:
    """Request for request, by endpoint, as the run itself says and as its metrics say from outside."""
    rest = Counter(row["label"] for row in rows(both.directory("rest_api_baseline") / "samples.jtl"))
    calls = len(rows(both.directory("mcp_jsonrpc_baseline") / "samples.jtl"))
    assert both.run("rest_api_baseline")["gateway"]["counted"] == {k: [n, n] for k, n in rest.items()}
    assert both.run("mcp_jsonrpc_baseline")["gateway"]["counted"] == {"POST /rpc": [calls, calls]}
    grown = both.after - both.before
    # What nothing but the load asks for must agree from outside too; the preflights ask for the others.
    for handler in ("GET /servers", "GET /gateways", "GET /resources", "GET /prompts"):
        assert grown[handler] == rest[handler] > 0
    assert grown["GET /health"] - rest["GET /health"] == 2
    assert 2 <= grown["GET /tools"] - rest["GET /tools"] <= 4
    tried = sum(len(rows(DATA / file)) for file in ("tool_names.csv", "resource_uris.csv"))
    assert grown["POST /rpc"] - calls == LISTS + tried + PROMPTS


def test_what_is_called_is_what_the_gateway_offers_and_the_committed_plans_know(both: Both) -> None:
    found = both.directory("mcp_jsonrpc_baseline") / "data"
    assert {path.name for path in found.iterdir()} == {path.name for path in DATA.iterdir()}

    def table(path: Path) -> set[tuple[str, ...]]:
        with path.open(encoding="utf-8", newline="") as file:
            return {tuple(row) for row in csv.reader(file)}

    for path in DATA.iterdir():
        assert table(found / path.name) == table(path)


def test_the_token_is_in_no_file_no_output_and_no_process_list(both: Both) -> None:
    assert any("ApacheJMeter.jar -n" in line for line in both.command_lines)
    assert [line for line in both.command_lines if both.token in line or JWT.search(line.encode())] == []
    assert both.token not in both.ended.stdout + both.ended.stderr
    assert files_with(both.pacemark.folder, both.token) == []
    assert files_with(both.pacemark.folder, JWT) == []


def test_nothing_is_left_in_the_temporary_directory(both: Both) -> None:
    assert [path.name for path in both.pacemark.scratch.glob("pacemark-*")] == []


def test_a_token_made_from_the_gateway_s_secret_is_nowhere_either(
    embedded_stack: Stack, tmp_path: Path
) -> None:
    secret = embedded_stack.secrets.jwt_secret_key
    pacemark = Pacemark(tmp_path, JWT_SECRET_KEY=secret)
    load = ("--duration", "3s", "--ramp-up", "1s", "--rate", "10", "--threads", "4", "--no-dashboard")
    with pacemark.started("run", "rest_api_baseline", "--gateway", embedded_stack.url, *load) as running:
        running.watch_command_lines()
        ended = running.ended()
    assert ended.record["recorded"]["count"] > 0, ended.stderr
    assert any("ApacheJMeter.jar -n" in line for line in running.command_lines)
    assert [s for s in running.command_lines if secret in s or JWT.search(s.encode())] == []
    assert files_with(tmp_path, secret) == files_with(tmp_path, JWT) == []
