"""The test servers' plan on the real JMeter, against MCP servers that keep their own books."""

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import unquote

import pytest
from fake_mcp_server import FakeMcpServer, Message

from pacemark.gateway.mcp_servers import Found, find_servers
from pacemark.gateway.spec import adjacent_ports
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import reported_totals, slots_taken
from pacemark.jmeter.run import Execution, execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.record import Window
from pacemark.results.statistics import figures
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.servers import Servers

pytestmark = pytest.mark.jmeter

TOKEN = "a-token-that-must-not-be-seen"
LOAD = Load(threads=8, ramp_up_s=1, duration_s=9, rate_per_s=60)
ADDED_MS = 20
THREADS = {"fast_time": 6, "fast_test": 6, "benchmark": 6, "gateway": 2}
"""Of eight a quarter calls through the gateway, and does nothing else."""
PREFIXES = {"fast-time": "get-system-time", "fast-test": "echo", "benchmark": "benchmark-tool-1"}


@dataclass
class Run:
    """Servers of every kind, one run of the plan against them, and what both sides say of it."""

    directory: Path
    servers: dict[str, list[FakeMcpServer]] = field(default_factory=dict)
    found: Found = field(default_factory=Found)
    before: dict[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        return Digest.from_jtl(self.directory / "samples.jtl")

    def execute(self, engine: Engine, one: Servers, load: Load, properties: dict[str, str]) -> Execution:
        plan = self.directory / "plan.jmx"
        plan.write_bytes(render(one))
        write_data(self.directory / "data", one.feeds)
        given = {**JMETER_SETTINGS, **load_properties(load), **properties}
        return execute(
            engine, plan, given, load, self.directory, heap_mb=512, on_progress=lambda progress: None
        )

    def outcomes(self, label: str) -> dict[str, int]:
        return figures(self.digest.only(label)).outcomes

    def calls(self, *names: str) -> Counter[str]:
        """What the servers counted since the run began."""
        total: Counter[str] = Counter()
        for name in names:
            for server in self.servers[name]:
                total += server.calls
        return total

    def measured(self, one: Servers) -> Measurement:
        window = Window(from_s=0, to_s=LOAD.duration_s)
        return measure(Subject(workload=one, load=LOAD, window=window, digest=self.digest))


def once(
    at: int, then: Callable[[], None], lost: bool = False
) -> Callable[[Message, Message], Message | None]:
    """Answers that are true, and something that happens at one of them, which is ``lost`` with it."""
    turns = itertools.count(1)

    def answer(call: Message, true: Message) -> Message | None:
        if next(turns) != at:
            return true
        then()
        return None if lost else true

    return answer


class Trouble:
    """In turn: a tool error, another's id, a JSON-RPC error, three true answers."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.turn = 0

    def __call__(self, call: Message, true: Message) -> Message:
        if call["params"]["name"] != "benchmark_tool_2":
            return true
        self.turn += 1
        match self.turn % 6:
            case 1:
                self.made["tool error"] += 1
                return {**true, "result": {"content": [{"type": "text", "text": "x"}], "isError": True}}
            case 2:
                self.made["wrong id"] += 1
                return {**true, "id": "another-one"}
            case 3:
                self.made["json-rpc error -32603"] += 1
                error = {"code": -32603, "message": 'a "quoted" failure'}
                return {"jsonrpc": "2.0", "id": true["id"], "error": error}
        self.made["ok"] += 1
        return true


@pytest.fixture(scope="module")
def run(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """JSON at another path and an older protocol, event streams that forget, two ports, and a gateway."""
    one = workload("mcp_test_servers_baseline")
    assert isinstance(one, Servers)
    run = Run(tmp_path_factory.mktemp("servers"))
    fast_time = FakeMcpServer(path="/http", versions=("2024-11-05",), strict=True)
    fast_test = FakeMcpServer(streams=True)
    benchmarks = [FakeMcpServer(streams=port % 2 == 0, sessions=port % 2 == 0, rest={}) for port in (0, 1)]
    for server, port in zip(benchmarks, adjacent_ports(2), strict=True):
        server.port = port
    tools = [f"{prefix}-{tool}" for prefix, tool in PREFIXES.items()]
    gateway = FakeMcpServer(tools=tools, token=TOKEN, rest={}, sessions=False)
    gateway.delay_s = ADDED_MS / 1000
    run.servers = {
        "fast_time": [fast_time], "fast_test": [fast_test], "benchmark": benchmarks, "gateway": [gateway]
    }  # fmt: skip
    with ExitStack() as running:
        every = [running.enter_context(server) for servers in run.servers.values() for server in servers]
        ports = f"{benchmarks[0].url}-{benchmarks[1].port}"
        urls = {"fast_time": fast_time.url, "fast_test": fast_test.url, "benchmark": ports}
        run.found = find_servers(one, urls, gateway.url, Credentials(TOKEN, "test"))
        for server in every:
            server.opened.clear()
            server.notified.clear()
            for book in (server.calls, server.by_session, server.gets):
                book.clear()
            server.complaints.clear()
        for server in benchmarks:
            server.answer = Trouble()
        fast_test.answer = once(60, fast_test.forget)
        for server in every:
            server.traces.clear()
            server.tags.clear()
        properties = {**run.found.properties, "GATEWAY_URL": gateway.url, "TOKEN": TOKEN, "APM": "otel"}
        execution = run.execute(engine, one.only(run.found.labels), LOAD, properties)
        assert (execution.exit_code, execution.stopped) == (0, "")
        yield run


def test_the_ways_of_each_server_are_found_out(run: Run) -> None:
    found = run.found
    assert found.properties["FAST_TIME_MCP"] == "/http"
    assert found.properties["FAST_TIME_PROTOCOL"] == "2024-11-05"
    assert found.properties["FAST_TEST_MCP"] == "/mcp"
    assert found.properties["FAST_TIME_TIME"] == "/api/time?tz="
    assert found.properties["BENCHMARK_HEALTH"] == ""
    details = {finding.name: finding.detail for finding in found.findings if finding.level == "ok"}
    assert details["fast_time"].endswith("MCP 2024-11-05 at /http, a session, answers as JSON")
    assert details["fast_test"].endswith("MCP 2025-11-25 at /mcp, a session, answers as event streams")
    left = [finding.detail for finding in found.findings if finding.detail.startswith("left out")]
    assert left == ["left out: benchmark GET health (no such endpoint)"]


def test_every_slot_is_one_request_and_the_openings_are_beside_them(run: Run) -> None:
    log = run.directory / "jmeter.log"
    digest = run.digest
    openings = sum(
        digest.only(label).count for label in digest.labels if label.endswith(("initialize", "initialized"))
    )
    slots = sum(taken for _, taken in slots_taken(log))
    totals = reported_totals(log)
    assert totals is not None
    assert totals[0] == digest.count == slots + openings
    unpaced = digest.cells.filter(digest.cells["waited"] == 2)
    assert int(unpaced["count"].sum()) == openings


@pytest.mark.parametrize("name", ["fast_time", "gateway"])
def test_a_thread_opens_one_session_with_each_server_and_says_that_it_did(run: Run, name: str) -> None:
    (server,) = run.servers[name]
    assert len(server.opened) == len(server.notified) == THREADS[name]
    assert run.outcomes(f"{name} initialize") == {"ok": THREADS[name]}
    assert server.complaints == []


def test_the_threads_are_spread_over_the_ports_of_a_range(run: Run) -> None:
    first, second = run.servers["benchmark"]
    assert len(first.opened) == len(second.opened) == THREADS["benchmark"] / 2
    assert set(first.by_session) == set(first.opened)
    assert sum(first.calls.values()) > 0 < sum(second.calls.values())


def test_each_call_carries_the_trace_of_its_sample_and_its_tags(run: Run) -> None:
    with (run.directory / "samples.jtl").open(encoding="utf-8", newline="") as file:
        sampled = {row["trace_id"]: row["label"] for row in csv.DictReader(file) if row["trace_id"]}
    carried = {
        trace: dict(pair.split("=", 1) for pair in tags["baggage"].split(","))
        for servers in run.servers.values()
        for server in servers
        for (trace, _), tags in zip(server.traces, server.tags, strict=True)
    }
    assert sampled.keys() <= carried.keys()
    assert len(sampled) > LOAD.duration_s * 20
    for trace, label in sampled.items():
        assert unquote(carried[trace]["test.case.name"]) == label
        assert carried[trace]["test.suite.name"] == "mcp_test_servers_baseline"


def test_the_books_agree_call_by_call(run: Run) -> None:
    digest = run.digest
    direct = run.calls("fast_time", "benchmark")
    for label, tool in {
        "fast_time get_system_time": "get_system_time",
        "fast_time convert_time": "convert_time",
        "benchmark benchmark_tool_1": "benchmark_tool_1",
        "benchmark benchmark_tool_2": "benchmark_tool_2",
    }.items():
        assert digest.only(label).count == direct[tool] > 0
    through = run.calls("gateway")
    assert through == {
        f"{prefix}-{tool}": digest.only(f"gateway {prefix.replace('-', '_')} {tool.replace('-', '_')}").count
        for prefix, tool in PREFIXES.items()
    }
    (fast_test,) = run.servers["fast_test"]
    rest = {
        f"fast_test {name}": n for name, n in (("POST echo", "POST /api/echo"), ("GET time", "GET /api/time"))
    }
    for label, counted in rest.items():
        assert digest.only(label).count == fast_test.gets[counted] > 0
        assert run.outcomes(label) == {"ok": fast_test.gets[counted]}


def test_a_session_that_is_gone_is_opened_anew_once_a_thread(run: Run) -> None:
    (server,) = run.servers["fast_test"]
    assert 0 < server.forgotten <= THREADS["fast_test"]
    assert len(server.opened) == THREADS["fast_test"] + server.forgotten
    assert len(server.notified) == len(server.opened)
    calls = [label for label in run.digest.labels if label.startswith("fast_test") and "POST" not in label]
    lost = sum(run.outcomes(label).get("HTTP 404", 0) for label in calls)
    assert lost == server.forgotten
    assert set().union(*(run.outcomes(label) for label in calls)) == {"ok", "HTTP 404"}
    assert server.complaints == []


def test_each_kind_of_failure_has_its_own_outcome(run: Run) -> None:
    made: Counter[str] = Counter()
    for server in run.servers["benchmark"]:
        assert isinstance(server.answer, Trouble)
        made += server.answer.made
    assert len(made) == 4
    assert run.outcomes("benchmark benchmark_tool_2") == made
    assert set(run.outcomes("benchmark benchmark_tool_1")) == {"ok"}


def test_the_tax_is_the_delay_that_was_put_in(run: Run) -> None:
    one = workload("mcp_test_servers_baseline")
    assert isinstance(one, Servers)
    found = run.measured(one.only(run.found.labels))
    tax = next(section for section in found.sections if section.title == "The gateway's tax")
    rows = {(row[0], row[1]): row for row in tax.rows}
    *_, added, low, high = rows["all of them", "P50"]
    assert isinstance(low, int)
    assert isinstance(high, int)
    # A server that sleeps for 20 ms wakes after that, on a busy machine well after.
    slept_ms = median(run.servers["gateway"][0].slept_s) * 1000
    assert slept_ms >= ADDED_MS
    assert low <= added <= high
    assert low - 5 <= slept_ms <= high + 1
    assert found.own["direct_p95", "ms"].value is not None


def test_the_token_goes_to_the_gateway_only_and_into_no_file(run: Run) -> None:
    assert [
        path for path in run.directory.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ] == []


def test_neither_a_server_that_goes_off_nor_a_slow_gateway_holds_the_others_up(
    engine: Engine, tmp_path: Path
) -> None:
    """The plan as `jmeter -n` has it: nothing is sent to the servers that are not given."""
    load = Load(threads=4, ramp_up_s=1, duration_s=5, rate_per_s=25)
    one = workload("mcp_test_servers_baseline")
    assert isinstance(one, Servers)
    run = Run(tmp_path)
    gateway = FakeMcpServer(tools=["fast-time-get-system-time"], token=TOKEN)
    gateway.delay_s = 2
    with gateway, FakeMcpServer(rest={"/health": b'{"status":"healthy"}'}) as server:
        server.answer = once(20, server.go_away, lost=True)
        properties = {
            "FAST_TIME_URL": server.url,
            "GATEWAY_URL": gateway.url,
            "TOKEN": TOKEN,
            # Its time has another path in the embedded stack; empty, it is not asked.
            "FAST_TIME_TIME": "",
        }
        execution = run.execute(engine, one, load, properties)
    assert (execution.exit_code, execution.stopped) == (0, "")
    digest = run.digest
    assert {label.split(" ")[0] for label in digest.labels} == {"fast_time", "gateway"}
    direct = ("fast_time get_system_time", "fast_time convert_time")
    calls = sum(digest.only(label).count for label in direct)
    ok = sum(run.outcomes(label).get("ok", 0) for label in direct)
    assert ok == sum(server.calls.values()) - 1 == 19
    assert calls > ok
    assert set(figures(digest).outcomes) <= {"ok", "connect", "reset", "timeout"}
    # Without a session it is tried anew, but once for each request at the most.
    tried = digest.only("fast_time initialize").count - 3
    assert 0 <= tried <= calls - ok
    # One thread of four calls through the gateway, 2 s each: what it did not come to is not counted as sent.
    through = "gateway fast_time get_system_time"
    assert len(gateway.opened) == 1
    assert run.outcomes(through) == {"ok": gateway.calls["fast-time-get-system-time"]}
    assert digest.only(through).count <= 3
    unpaced = int(digest.cells.filter(digest.cells["waited"] == 2)["count"].sum())
    assert sum(taken for _, taken in slots_taken(tmp_path / "jmeter.log")) == digest.count - unpaced
    assert "slots were handed over and never sent" in (tmp_path / "jmeter.log").read_text(encoding="utf-8")
