"""The real JMeter against a server that keeps its own books."""

import itertools
import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest
from fake_gateway import FakeGateway, true_answer
from loopback_server import Answer
from polars.testing import assert_frame_equal

from pacemark.errors import RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import reported_totals, slots_taken
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import Execution, execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.growing import GrowingDigest
from pacemark.results.statistics import figures
from pacemark.workloads import workload
from pacemark.workloads.fixtures import EMBEDDED
from pacemark.workloads.load import Load

pytestmark = pytest.mark.jmeter

SECRET = "a-token-that-must-not-be-seen"
SHORT = Load(threads=8, ramp_up_s=1, duration_s=5, rate_per_s=100)


class Runner:
    def __init__(self, engine: Engine, gateway: FakeGateway, directory: Path) -> None:
        self.engine, self.gateway, self.directory = engine, gateway, directory
        self.looks: list[Progress] = []
        self.growing = GrowingDigest(directory / "samples.jtl")

    def run(self, name: str, load: Load = SHORT) -> Execution:
        one = workload(name)
        plan = self.directory / "plan.jmx"
        plan.write_bytes(render(one))
        write_data(self.directory / "data", one.feeds)
        properties = {
            **JMETER_SETTINGS,
            **load_properties(load),
            "GATEWAY_URL": self.gateway.url,
            "TOKEN": SECRET,
        }
        return execute(
            self.engine,
            plan,
            properties,
            load,
            self.directory,
            heap_mb=512,
            on_progress=self.look,
            follow=lambda _: self.growing,
        )

    def look(self, progress: Progress) -> None:
        self.looks.append(progress)

    @property
    def digest(self) -> Digest:
        return Digest.from_jtl(self.directory / "samples.jtl")

    def requires_the_same_digest(self, looks: int = 3) -> None:
        """What was counted while JMeter ran, at several looks, is what its file says afterwards."""
        assert len({look.samples for look in self.looks}) >= looks
        came, expected = self.growing.finished(), self.digest
        assert_frame_equal(came.cells, expected.cells)
        assert_frame_equal(came.sums, expected.sums)
        for name in ("start_ms", "end_ms", "slice_s", "window", "seconds", "absent", "parents", "notes"):
            assert getattr(came, name) == getattr(expected, name), name


@pytest.fixture
def runner(engine: Engine, fake_gateway: FakeGateway, tmp_path: Path) -> Runner:
    return Runner(engine, fake_gateway, tmp_path)


@pytest.mark.parametrize("name", ["rest_api_baseline", "mcp_jsonrpc_baseline"])
def test_every_slot_is_counted_once_sent_and_in_the_mix(runner: Runner, name: str) -> None:
    execution = runner.run(name)
    digest = runner.digest
    assert execution.exit_code == 0
    assert execution.stopped == ""
    slots = slots_taken(runner.directory / "jmeter.log")
    assert [planned for planned, _ in slots] == [stage.slots for stage in SHORT.stages] == [50, 400]
    # A machine that does other things too may be behind when a stage ends; what is due then stays unsent.
    sent = sum(taken for _, taken in slots)
    assert sent > 400
    assert reported_totals(runner.directory / "jmeter.log") == (sent, 0)
    assert figures(digest).outcomes == {"ok": sent}
    # Request for request what the server has in its books.
    assert {label: digest.only(label).count for label in digest.labels} == dict(runner.gateway.requests)
    off = 1 if sent == 450 else 2  # slots left out were of any request
    for request in workload(name).requests:
        assert abs(digest.only(request.label).count - sent * request.weight / 100) <= off
    assert runner.gateway.connections <= SHORT.threads
    assert runner.looks[-1].samples == sent
    runner.requires_the_same_digest()


def test_any_thousand_requests_have_the_mix(runner: Runner) -> None:
    runner.run("rest_api_baseline", Load(threads=50, ramp_up_s=1, duration_s=6, rate_per_s=300))
    sent = [label for label in runner.gateway.order if label.startswith("GET")]
    for start in range(0, len(sent) - 1000, 100):
        shares = Counter(sent[start : start + 1000])
        for request in workload("rest_api_baseline").requests:
            assert abs(shares[request.label] - request.weight * 10) <= 10


def test_ids_are_fresh_and_arguments_come_from_the_data(runner: Runner) -> None:
    runner.run("mcp_jsonrpc_baseline")
    calls = [json.loads(body) for body in runner.gateway.bodies]
    assert len({call["id"] for call in calls}) == len(calls)
    tools = [call["params"] for call in calls if call["method"] == "tools/call"]
    assert {tool["name"] for tool in tools} >= {"fast-test-echo", "fast-time-get-system-time"}
    assert all("$" not in json.dumps(tool) for tool in tools)
    read = {call["params"]["uri"] for call in calls if call["method"] == "resources/read"}
    assert read == set(EMBEDDED.resources)


KINDS = (
    "json-rpc error -32601",
    "tool error",
    "wrong id",
    "check failed: result.content[0]",
    "check failed: empty answer",
    "HTTP 503",
    "reset",
)


def _spoiled(kind: str, answer: dict[str, object]) -> Answer | None:
    match kind:
        case "json-rpc error -32601":
            del answer["result"]
            answer["error"] = {"code": -32601, "message": 'no "such"\nmethod, <b>'}
        case "tool error":
            answer["result"] = {"content": [{"type": "text", "text": "boom"}], "isError": True}
        case "wrong id":
            answer["id"] = "another"
        case "check failed: result.content[0]":
            answer["result"] = {"content": []}
        case "check failed: empty answer":
            return 200, {}, b""
        case "HTTP 503":
            return 503, {}, b"<html>busy</html>"
        case "reset":
            return None
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def test_each_kind_of_failure_is_an_outcome_of_its_own(runner: Runner) -> None:
    kinds = itertools.cycle(("ok", *KINDS))
    books: Counter[str] = Counter()

    def answer(method: str, path: str, body: bytes) -> Answer | None:
        status, headers, content = true_answer(method, path, body)
        if json.loads(body)["method"] != "tools/call":
            return status, headers, content
        kind = next(kinds)
        books[kind] += 1
        return _spoiled(kind, json.loads(content))

    runner.gateway.answer = answer
    runner.run("mcp_jsonrpc_baseline")
    assert figures(runner.digest.only("MCP tools/call")).outcomes == dict(books)
    assert runner.digest.errors == sum(books.values()) - books["ok"]
    runner.requires_the_same_digest()  # their messages have quotes, commas and newlines


FALSE_LISTS = (b'{"detail":"no"}', b"{}", b'[{"name":"no id"}]', b"<html></html>", b"", b'"text"', b"null")
FALSE_ANSWERS = (b"[]", b"{}", b"null", b'"x"', b"<html></html>", b'{"jsonrpc":"2.0","result":{}}')


def test_no_false_list_passes(runner: Runner) -> None:
    """An empty list is a true answer to GET /tools; nothing else of these is, and none is healthy."""
    bodies = itertools.cycle((b"[]", *FALSE_LISTS))
    empty_lists = 0

    def answer(method: str, path: str, _: bytes) -> Answer:
        nonlocal empty_lists
        body = next(bodies)
        empty_lists += path != "/health" and body == b"[]"
        return 200, {}, body

    runner.gateway.answer = answer
    runner.run("rest_api_baseline")
    assert runner.digest.count - runner.digest.errors == empty_lists > 10
    assert runner.digest.only("GET /health").errors == runner.digest.only("GET /health").count


def test_no_false_json_rpc_answer_passes(runner: Runner) -> None:
    """Nor does a batch that holds the true answer: one request was sent."""
    bodies = itertools.cycle((*FALSE_ANSWERS, None))

    def answer(method: str, path: str, request: bytes) -> Answer:
        body = next(bodies)
        return 200, {}, b"[" + true_answer(method, path, request)[2] + b"]" if body is None else body

    runner.gateway.answer = answer
    runner.run("mcp_jsonrpc_baseline")
    assert runner.digest.errors == runner.digest.count > 400


def test_the_token_is_in_no_file_and_no_process_list(runner: Runner) -> None:
    seen: list[str] = []

    def look(progress: Progress) -> None:
        for process in psutil.process_iter(["cmdline"]):
            seen.extend(process.info["cmdline"] or [])

    runner.look = look  # type: ignore[method-assign]
    runner.run("rest_api_baseline")
    assert any("ApacheJMeter.jar" in word for word in seen)
    assert not any(SECRET in word for word in seen)
    files = [path for path in runner.directory.rglob("*") if path.is_file()]
    assert len(files) >= 3
    assert not any(SECRET.encode() in path.read_bytes() for path in files)


def test_a_killed_jmeter_leaves_what_it_recorded(runner: Runner) -> None:
    def look(progress: Progress) -> None:
        runner.looks.append(progress)
        if progress.samples > 100:
            for child in psutil.Process().children():
                if child.name() == "java":
                    child.send_signal(signal.SIGKILL)

    runner.look = look  # type: ignore[method-assign]
    execution = runner.run("rest_api_baseline", SHORT.model_copy(update={"duration_s": 60}))
    assert execution.exit_code == -signal.SIGKILL
    assert runner.digest.count > 100
    runner.requires_the_same_digest(looks=1)


def test_an_interrupted_run_ends_in_order_and_leaves_what_it_recorded(runner: Runner) -> None:
    interrupts: list[threading.Timer] = []

    def look(progress: Progress) -> None:
        if progress.samples > 100 and not interrupts:
            interrupts.append(threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)))
            interrupts[0].start()

    runner.look = look  # type: ignore[method-assign]
    execution = runner.run("rest_api_baseline", SHORT.model_copy(update={"duration_s": 60}))
    assert execution.stopped == "interrupted"
    assert runner.digest.count == sum(runner.gateway.requests.values())
    assert reported_totals(runner.directory / "jmeter.log") == (runner.digest.count, 0)


def test_a_plan_that_cannot_start_says_why(runner: Runner) -> None:
    load = SHORT.model_copy(update={"rate_per_s": 0.0})
    with pytest.raises(RunError, match="TARGET_RPS must be above 0"):
        runner.run("rest_api_baseline", load)
    assert sum(runner.gateway.requests.values()) == 0
