"""Each request carries a trace of its own, which stands beside its sample, and an APM's tags."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest
from event_streams import EventStreams
from fake_gateway import FakeGateway
from loopback_server import LoopbackServer
from websocket_books import WebSocketServer

from pacemark.errors import RunError
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
RUN = 'a run; 100 % "fair", ü=1'


def carried(
    engine: Engine, folder: Path, name: str, server: LoopbackServer, **more: str
) -> list[dict[str, str]]:
    """The rows of the JTL."""
    one = workload(name)
    plan = folder / "plan.jmx"
    plan.write_bytes(render(one))
    write_data(folder / "data", dict.fromkeys(one.feeds))
    properties = {**JMETER_SETTINGS, **load_properties(LOAD), "GATEWAY_URL": server.url, "TOKEN": "none"}
    properties |= {"DATA_DIR": str(folder / "data"), "TEST_NAME": RUN, **more}
    execute(engine, plan, properties, LOAD, folder, heap_mb=256, on_progress=lambda _: None)
    with (folder / "samples.jtl").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def told(server: LoopbackServer) -> dict[str, dict[str, str]]:
    """What each request carried, by its trace."""
    return {trace: tags for (trace, _), tags in zip(server.traces, server.tags, strict=True)}


def user(row: dict[str, str]) -> str:
    """Of JMeter's thread name, GROUP 1-THREAD."""
    return row["threadName"].rpartition("-")[2]


@pytest.mark.parametrize(
    ("name", "served", "apm"),
    [
        ("mcp_jsonrpc_baseline", FakeGateway, "otel"),
        ("sse_streaming_baseline", EventStreams, "newrelic"),
        ("websocket_baseline", WebSocketServer, "appdynamics"),
    ],
)
def test_client_and_server_have_the_same_traces_and_tags(
    engine: Engine, tmp_path: Path, name: str, served: Callable[[], LoopbackServer], apm: str
) -> None:
    with served() as server:
        rows = carried(engine, tmp_path, name, server, APM=apm)
    sent = [row for row in rows if row["success"] == "true" and row["trace_id"]]
    assert len(sent) >= (4 if name == "websocket_baseline" else 40)
    traces = sorted(row["trace_id"] for row in sent)
    assert len(set(traces)) == len(traces)
    # The server may also have been asked by a stream whose sample the end of the load cut short.
    assert sorted(one for one, _ in server.traces if one in set(traces)) == traces
    for correlation, parent in server.traces:
        trace, span = TRACEPARENT.fullmatch(parent).groups()  # type: ignore[union-attr]
        assert trace == correlation
        assert "0" * 16 not in (span, trace[:16], trace[16:])
    assert len({parent for _, parent in server.traces}) == len(server.traces)
    for row in sent:
        tags = told(server)[row["trace_id"]]
        assert list(tags) == ["baggage"]
        assert tags["baggage"].isascii()
        assert not set(' "\\;') & set(tags["baggage"])
        pairs = [member.partition("=") for member in tags["baggage"].split(",")]
        assert {key: unquote(value) for key, _, value in pairs} == {
            "synthetic_request": "true",
            "test.suite.name": name,
            "test.run.name": RUN,
            "test.case.name": row["label"],
            "test.user": user(row),
        }


def test_dynatrace_also_without_traces(engine: Engine, tmp_path: Path) -> None:
    with FakeGateway() as server:
        rows = carried(engine, tmp_path, "rest_api_baseline", server, APM="dynatrace", TRACING="false")
    expected = [
        f'VU={user(row)};SI=Pacemark;TSN={row["label"]};LSN=rest_api_baseline;LTN=a run_ 100 % "fair", __1'
        for row in rows
    ]
    assert len(rows) >= 40
    assert sorted(tags["x-dynatrace-test"] for tags in server.tags) == sorted(expected)
    assert len(set(expected)) >= 8
    assert set(server.traces) == {("", "")}
    assert not [row for row in rows if len(row["trace_id"]) == 32]


@pytest.mark.parametrize(
    ("name", "served"), [("sse_streaming_baseline", EventStreams), ("websocket_baseline", WebSocketServer)]
)
def test_dynatrace_where_connections_are_opened(
    engine: Engine, tmp_path: Path, name: str, served: Callable[[], LoopbackServer]
) -> None:
    with served() as server:
        rows = carried(engine, tmp_path, name, server, APM="dynatrace")
    labels = "|".join(re.escape(label) for label in sorted({row["label"] for row in rows}))
    form = re.compile(rf'VU=(\d+);SI=Pacemark;TSN=({labels});LSN={name};LTN=a run_ 100 % "fair", __1')
    found = [form.fullmatch(tags["x-dynatrace-test"]) for tags in server.tags]
    assert len(found) >= 4
    assert {match[1] for match in found if match} == {user(row) for row in rows}
    assert None not in found


def test_baggage_needs_the_traceparent(engine: Engine, tmp_path: Path) -> None:
    with FakeGateway() as server, pytest.raises(RunError):
        carried(engine, tmp_path, "rest_api_baseline", server, APM="otel", TRACING="false")
    assert "APM=otel needs the traceparent" in (tmp_path / "jmeter.log").read_text()
    assert server.traces == []
