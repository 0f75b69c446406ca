"""The SSE plan in the real JMeter against a server of event streams that keeps its own books."""

import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from event_streams import EVENT_STREAM, EventStreams, true_reply

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import log_errors, reported_totals, slots_taken
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import Execution, execute
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Subject
from pacemark.results.measurements.streams import open_streams
from pacemark.results.record import Window
from pacemark.results.statistics import figures
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.streams import (
    CONNECT,
    FIRST_EVENT,
    OUTAGE_LIFETIME,
    RECONNECT,
    ROUND_TRIP,
    SILENCE,
    STREAM_LIFETIME,
)

pytestmark = pytest.mark.jmeter

WORKLOAD = workload("sse_streaming_baseline")
FOREIGN = "check failed: the endpoint is of another origin than the stream"
LOAD = Load(threads=10, ramp_up_s=1, duration_s=7, rate_per_s=10)


class Runner:
    """One run of the plan; ``act`` is done once, when the server has seen so many messages."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder = engine, folder

    def run(self, server: EventStreams, act: Any, *, after_posts: int) -> Execution:
        once = iter((act,))

        def look(_: Progress) -> None:
            if server.books.posts >= after_posts:
                for one in once:
                    one()

        plan = self.folder / "plan.jmx"
        plan.write_bytes(render(WORKLOAD))
        properties = {**JMETER_SETTINGS, **load_properties(LOAD), "GATEWAY_URL": server.url, "TOKEN": "none"}
        return execute(self.engine, plan, properties, LOAD, self.folder, heap_mb=512, on_progress=look)

    @property
    def log(self) -> Path:
        return self.folder / "jmeter.log"


@pytest.fixture
def runner(engine: Engine, tmp_path: Path) -> Runner:
    return Runner(engine, tmp_path)


def measured(digest: Digest) -> dict[tuple[str, str], float | None]:
    window = Window(from_s=1, to_s=LOAD.duration_s)
    found = measure(Subject(workload=WORKLOAD, load=LOAD, window=window, digest=digest))
    return {key: own.value for key, own in found.own.items()}


def test_client_and_server_agree_on_every_stream_message_and_drop(runner: Runner) -> None:
    """Odd framing, refusals, false replies, three ways to break a stream, a foreign endpoint, known delay."""
    kinds = itertools.cycle(("ok", "ok", "error", "ok", "false", "ok"))
    books: Counter[str] = Counter()

    def opening(number: int) -> tuple[int, str]:
        return {3: (503, EVENT_STREAM), 5: (200, "text/html")}.get(number, (200, EVENT_STREAM))

    def reply(call: dict[str, Any]) -> dict[str, Any]:
        answer, kind = true_reply(call), next(kinds)
        if kind == "error":
            books["json-rpc error -32601"] += 1
            return {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "no"}}
        if kind == "false":
            books[f"check failed: result.{call['method'].removesuffix('/list')}[0:]"] += 1
            # The gateway's way to say on a stream that a call failed.
            return {**answer, "result": {}}
        books["ok"] += 1
        return answer

    with EventStreams() as server, EventStreams() as foreign:
        server.opening, server.reply, server.delay_s = opening, reply, 0.15
        server.own_url = lambda number: foreign.url if number == 7 else ""
        ways = ("end", "cut", "reset")
        execution = runner.run(server, lambda: [server.drop(2, way) for way in ways], after_posts=20)
        time.sleep(0.2)
        seen = server.books
    assert (execution.exit_code, execution.stopped, log_errors(runner.log)) == (0, "", [])
    digest = Digest.from_jtl(runner.folder / "samples.jtl")
    outcomes = {label: figures(digest.only(label)).outcomes for label in digest.labels}

    assert outcomes[CONNECT] == {"ok": 10, "HTTP 503": 1, "check failed: the answer is no event stream": 1}
    assert outcomes[RECONNECT] == outcomes[OUTAGE_LIFETIME] == {"ok": 6}
    assert (seen.opened, seen.refused, seen.dropped, seen.closed) == (16, 2, 6, 10)
    assert outcomes[FIRST_EVENT] == {"ok": 15, FOREIGN: 1}
    assert outcomes[SILENCE] == {"ok": 16}
    lifetimes = {"ok": 10, "reset": 4, "check failed: the server ended the stream": 2}
    assert outcomes[STREAM_LIFETIME] == lifetimes
    assert len(seen.resumed_with) == 6
    assert seen.wrong_resumes == 0

    if seen.posts_without_stream:
        books["check failed: the stream ended before the reply"] = seen.posts_without_stream
    # The token went nowhere else.
    assert foreign.books.paths == {}
    kept_back = outcomes[ROUND_TRIP].pop(FOREIGN)
    assert outcomes[ROUND_TRIP] == books
    assert seen.posts == len(seen.ids) == sum(books.values()) > 40
    replied = digest.cells.filter((pl.col("label") == ROUND_TRIP) & (pl.col("outcome") == "ok"))
    least, median = replied.select(pl.col("elapsed_ms").min(), b=pl.col("elapsed_ms").median()).row(0)
    assert 149 <= least <= median < 300

    assert reported_totals(runner.log) == (digest.count, digest.errors)
    slots = slots_taken(runner.log)
    assert [planned for planned, _ in slots] == [stage.slots for stage in LOAD.stages]
    assert sum(taken for _, taken in slots) == seen.posts + kept_back
    assert measured(digest) == {("drops", "%"): 100 * 6 / 16, ("reconnections", "%"): 100}
    assert max(open_streams(digest)[1]) == seen.most_open
    assert open_streams(digest)[1][-1] == 0


def test_a_server_that_dies_costs_every_stream_and_the_run_ends_in_time(runner: Runner) -> None:
    with EventStreams() as server:
        execution = runner.run(server, server.go_away, after_posts=20)
        seen = server.books
    assert (execution.exit_code, execution.stopped) == (0, "")
    digest = Digest.from_jtl(runner.folder / "samples.jtl")
    outcomes = {label: figures(digest.only(label)).outcomes for label in digest.labels}
    assert seen.open_now == seen.opened == outcomes[CONNECT]["ok"] == 10
    assert sum(outcomes[STREAM_LIFETIME].values()) == 10
    assert "ok" not in outcomes[STREAM_LIFETIME]
    assert outcomes[OUTAGE_LIFETIME] == {"check failed: not open again when the load ended": 10}
    assert set(outcomes[RECONNECT]) == {"connect"}
    assert outcomes[ROUND_TRIP]["ok"] == seen.replies
    assert measured(digest) == {("drops", "%"): 100, ("reconnections", "%"): 0}
    assert digest.end_ms - digest.start_ms < (LOAD.duration_s + 2) * 1000
