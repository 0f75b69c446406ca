"""Each request carries a trace of its own, which stands beside its sample, over every protocol."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from event_streams import EventStreams
from fake_gateway import FakeGateway
from loopback_server import LoopbackServer
from websocket_books import WebSocketServer

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.run import execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.workloads import workload
from pacemark.workloads.load import Load

pytestmark = [pytest.mark.jmeter, pytest.mark.patient]

LOAD = Load(threads=4, ramp_up_s=1, duration_s=3, rate_per_s=20)
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")


def carried(engine: Engine, folder: Path, name: str, server: LoopbackServer, **more: str) -> list[str]:
    """The trace beside each sample, empty where there is none."""
    one = workload(name)
    plan = folder / "plan.jmx"
    plan.write_bytes(render(one))
    write_data(folder / "data", dict.fromkeys(one.feeds))
    properties = {**JMETER_SETTINGS, **load_properties(LOAD), "GATEWAY_URL": server.url, "TOKEN": "none"}
    properties |= {"DATA_DIR": str(folder / "data"), **more}
    execute(engine, plan, properties, LOAD, folder, heap_mb=256, on_progress=lambda _: None)
    with (folder / "samples.jtl").open(encoding="utf-8", newline="") as file:
        return [row["trace_id"] for row in csv.DictReader(file) if row["success"] == "true"]


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("mcp_jsonrpc_baseline", FakeGateway),
        ("sse_streaming_baseline", EventStreams),
        ("websocket_baseline", WebSocketServer),
    ],
)
def test_client_and_server_have_the_same_traces(
    engine: Engine, tmp_path: Path, name: str, served: Callable[[], LoopbackServer]
) -> None:
    with served() as server:
        beside = carried(engine, tmp_path, name, server)
    sent = sorted(filter(None, beside))
    assert len(sent) >= (4 if name == "websocket_baseline" else 40)
    # The server may also have been asked by a stream whose sample the end of the load cut short.
    heard = [one for one in server.traces if one[0] in set(sent)]
    assert sorted(correlation for correlation, _ in heard) == sent
    assert len(set(sent)) == len(sent)
    for correlation, parent in server.traces:
        trace, span = TRACEPARENT.fullmatch(parent).groups()  # type: ignore[union-attr]
        assert trace == correlation
        assert "0" * 16 not in (span, trace[:16], trace[16:])
    assert len({parent for _, parent in server.traces}) == len(server.traces)


def test_they_can_be_turned_off(engine: Engine, tmp_path: Path) -> None:
    with FakeGateway() as server:
        beside = carried(engine, tmp_path, "rest_api_baseline", server, TRACING="false")
        assert set(server.traces) == {("", "")}
        assert len(server.traces) == len(beside) >= 40
    assert not [trace for trace in beside if len(trace) == 32]
