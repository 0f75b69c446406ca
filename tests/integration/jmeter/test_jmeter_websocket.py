"""The WebSocket plan in the real JMeter, against a server that keeps its own books."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from waiting import until
from websocket_books import Act, Call, WebSocketServer

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import reported_totals
from pacemark.jmeter.run import Execution, execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.record import Window
from pacemark.results.statistics import figures
from pacemark.workloads.load import Load
from pacemark.workloads.websocket_baseline import WORKLOAD

pytestmark = pytest.mark.jmeter

THREADS = 8
TOKEN = "a-token"


class Ran(NamedTuple):
    execution: Execution
    digest: Digest
    found: Measurement
    folder: Path

    def outcomes(self, label: str) -> dict[str, int]:
        return figures(self.digest.only(label)).outcomes

    @property
    def messages(self) -> Counter[str]:
        """All messages by outcome."""
        counted: Counter[str] = Counter()
        for label in WORKLOAD.message_labels:
            counted.update(self.outcomes(label))
        return counted


def run(engine: Engine, server: WebSocketServer, folder: Path, load: Load, reply_timeout_ms: int) -> Ran:
    (folder / "plan.jmx").write_bytes(render(WORKLOAD))
    write_data(folder / "data", WORKLOAD.feeds)
    properties = {
        **JMETER_SETTINGS,
        **load_properties(load),
        "GATEWAY_URL": f"{server.url}/below/",
        "TOKEN": TOKEN,
        "REPLY_TIMEOUT_MS": str(reply_timeout_ms),
    }
    plan = folder / "plan.jmx"
    execution = execute(engine, plan, properties, load, folder, heap_mb=512, on_progress=lambda _: None)
    digest = Digest.from_jtl(folder / "samples.jtl")
    # The server's books have the last messages too, which may start just after the load's end.
    window = Window(from_s=0, to_s=max(load.duration_s, digest.window.to_s))
    found = measure(Subject(workload=WORKLOAD, load=load, window=window, digest=digest))
    return Ran(execution, digest, found, folder)


def misbehaves(call: Call) -> Act:
    """Once on each of the first connections, at its 20th message."""
    if call.number == 20:
        match call.connection:
            case 0:
                return Act(call.reply(), after_s=3)
            case 1:
                return Act(then="close")
            case 2:
                return Act(then="drop")
            case 3:
                return Act(call.reply(id="another"))
            case 4:
                return Act(call.reply(), then="ping")
            case 5:
                return Act(call.reply(error={"code": -32000, "message": "no"}))
            case 6:
                return Act(call.reply(), after_s=0.7)
    return Act(call.reply())


def test_client_and_server_agree_frame_for_frame(engine: Engine, tmp_path: Path) -> None:
    with WebSocketServer(misbehaves) as server:
        load = Load(threads=THREADS, ramp_up_s=1, duration_s=5, rate_per_s=100)
        ran = run(engine, server, tmp_path, load, reply_timeout_ms=2000)
        books = server.books
    assert (ran.execution.exit_code, ran.execution.stopped) == (0, "")
    assert reported_totals(tmp_path / "jmeter.log") == (ran.digest.count, ran.digest.errors)

    # Frames, one for one: four got no reply of their own, and one reply is an error.
    methods = Counter(method for book in books for method in book.methods)
    assert {f"WS {name}": count for name, count in methods.items()} == {
        label: ran.digest.only(label).count for label in WORKLOAD.message_labels
    }
    failed = {"timeout": 1, "closed 1011": 1, "reset": 1, "wrong id": 1}
    sent = len(server.asked)
    assert ran.messages == {"ok": sent - 5, **failed, "json-rpc error -32000": 1}
    assert len(set(server.asked)) == sent
    assert ran.found.own["loss", "%"].value == 4 * 100 / sent
    assert figures(ran.digest).max is not None
    assert ran.digest.only("WS handshake").cells["response_ms"].null_count() == 0

    # Connections, one for one: each of the four was opened anew, the others lasted.
    assert ran.outcomes("WS handshake") == {"ok": THREADS + 4}
    assert len(books) == THREADS + 4
    assert ran.outcomes("WS connection lifetime") == {"ok": THREADS, **failed}
    assert ran.outcomes("WS close") == {"ok": THREADS}
    assert all(book.ended for book in books)
    closed_with = [book.closed_with for book in books]
    assert closed_with.count(1000) == THREADS
    assert {book.authorization for book in books} == {f"Bearer {TOKEN}"}
    assert {book.path for book in books} == {"/below/ws"}

    # The late frame could answer nobody: its connection was closed before any other message.
    assert [len(book.asked) for book in books[:4]] == [21] * 4
    assert closed_with[0] == closed_with[3] == 1001
    assert (books[4].pongs, closed_with[4], closed_with[5], closed_with[6]) == (1, 1000, 1000, 1000)


class Outages(threading.Thread):
    """Every connection waits for a reply, and the server goes; it comes back, and goes again in time."""

    def __init__(self, server: WebSocketServer) -> None:
        super().__init__(daemon=True)
        self.server, self.count = server, 0

    def run(self) -> None:
        server = self.server
        for back in (True, False):
            asked = len(server.asked)
            if not until(lambda asked=asked: len(server.asked) > asked + 20 and server.open == THREADS):
                return
            server.stalled.set()
            if not until(lambda: server.waiting == THREADS):
                server.stalled.clear()
                return
            server.go_away()
            self.count += 1
            server.stalled.clear()
            if back:
                time.sleep(0.5)
                server.refuse = 403
                server.come_back()
                until(lambda: server.refused >= 1)
                server.refuse = 0


def test_a_server_that_goes_in_mid_run(engine: Engine, tmp_path: Path) -> None:
    load = Load(threads=THREADS, ramp_up_s=1, duration_s=7, rate_per_s=100)
    with WebSocketServer() as server:
        outages = Outages(server)
        outages.start()
        ran = run(engine, server, tmp_path, load, reply_timeout_ms=5000)
    assert (ran.execution.exit_code, ran.execution.stopped) == (0, "")
    overtime_s = ran.execution.ended - ran.digest.start_ms / 1000 - load.duration_s
    assert overtime_s < 10
    assert outages.count >= 1

    # One message a connection was on its way each time.
    lost = outages.count * THREADS
    assert ran.messages == {"ok": len(server.answered), "reset": lost}
    sent = len(server.answered) + lost
    assert ran.found.own["loss", "%"].value == lost * 100 / sent
    summary = ran.found.sections[0].summary
    assert f"Of {sent} messages {sent - lost} were answered, {lost} lost" in summary
    planned = load.due_between(0, load.duration_s)
    assert f"{round(planned) - sent} more were planned and not sent" in summary

    handshakes = ran.outcomes("WS handshake")
    assert handshakes["ok"] == len(server.books)
    assert handshakes["HTTP 403"] == server.refused
    assert set(handshakes) == {"ok", "HTTP 403", "connect"}
    lifetimes = ran.outcomes("WS connection lifetime")
    assert lifetimes["reset"] == lost
    assert sum(lifetimes.values()) == len(server.books)
