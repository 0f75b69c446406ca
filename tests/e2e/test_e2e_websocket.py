"""The WebSocket plan as it is committed, in a plain JMeter, on the real gateway."""

from collections import Counter
from pathlib import Path

import pytest
from e2e_command import Pacemark

from pacemark.gateway.stack import Stack
from pacemark.jmeter.health import slots_taken
from pacemark.workloads import workload

LOAD = {"THREADS": 4, "RAMP_UP": 1, "DURATION": 6, "TARGET_RPS": 4}


@pytest.mark.jmeter
@pytest.mark.gateway
def test_a_plain_jmeter_holds_connections_to_the_gateway(embedded_stack: Stack, tmp_path: Path) -> None:
    pacemark = Pacemark(tmp_path)
    samples = pacemark.plain_jmeter("websocket_baseline", "ws.jtl", embedded_stack, **LOAD)
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
