"""The WebSocket plan as it is committed, in a plain JMeter, on the real gateway."""

from collections import Counter
from pathlib import Path

import pytest
from e2e_command import Pacemark, rows

from pacemark.gateway.stack import Stack
from pacemark.jmeter.health import slots_taken
from pacemark.workloads import workload

PLAN = Path(__file__).parents[1] / "jmeter" / "websocket_baseline.jmx"
LOAD = {"THREADS": 4, "RAMP_UP": 1, "DURATION": 6, "TARGET_RPS": 4}


@pytest.mark.jmeter
@pytest.mark.gateway
def test_a_plain_jmeter_holds_connections_to_the_gateway(embedded_stack: Stack, tmp_path: Path) -> None:
    token = embedded_stack.credentials(seconds=60).token
    values = {"GATEWAY_URL": embedded_stack.url, "TOKEN": token, **LOAD}
    pacemark = Pacemark(tmp_path)
    load = [f"-J{name}={value}" for name, value in values.items()]
    ended = pacemark("jmeter", "-n", "-t", PLAN, *load, "-l", "ws.jtl")
    assert ended.status == 0

    samples = rows(tmp_path / "ws.jtl")
    assert [row for row in samples if row["success"] != "true"] == []
    counted = Counter(row["label"] for row in samples)
    assert set(counted) == {*workload("websocket_baseline").labels, "WS close"}
    for label in ("WS handshake", "WS close", "WS connection lifetime"):
        assert counted[label] == LOAD["THREADS"]
    assert slots_taken(tmp_path / "jmeter.log")[1] == (20, 20)
    lasted = [int(row["elapsed"]) for row in samples if row["label"] == "WS connection lifetime"]
    assert min(lasted) > 3000
    # The loss is measured of a run only, and six seconds are too few for a percentile.
    judged = pacemark("stats", "ws.jtl", "--objectives", "websocket_baseline")
    assert [line for line in judged.errors if "errors" in line] == []
