"""The SSE plan as it is committed, in a plain JMeter, on the real gateway."""

from collections import Counter
from pathlib import Path

import pytest
from e2e_command import Pacemark

from pacemark.gateway.stack import Stack
from pacemark.jmeter.health import slots_taken
from pacemark.workloads import workload
from pacemark.workloads.streams import CONNECT, FIRST_EVENT, ROUND_TRIP, SILENCE, STREAM_LIFETIME

LOAD = {"THREADS": 4, "RAMP_UP": 1, "DURATION": 6, "TARGET_RPS": 2}


@pytest.mark.jmeter
@pytest.mark.gateway
def test_a_plain_jmeter_holds_streams_of_the_gateway(embedded_stack: Stack, tmp_path: Path) -> None:
    pacemark = Pacemark(tmp_path)
    samples = pacemark.plain_jmeter("sse_streaming_baseline", "sse.jtl", embedded_stack, **LOAD)
    assert [row for row in samples if row["success"] != "true"] == []
    counted = Counter(row["label"] for row in samples)
    assert set(counted) == set(workload("sse_streaming_baseline").labels)
    assert {counted[label] for label in (CONNECT, FIRST_EVENT, SILENCE, STREAM_LIFETIME)} == {4}
    assert counted[ROUND_TRIP] == sum(taken for _, taken in slots_taken(tmp_path / "jmeter.log")) > 0
    # Held until the load ended, though the last message was long before.
    ends = [int(row["timeStamp"]) + int(row["elapsed"]) for row in samples if row["label"] == STREAM_LIFETIME]
    first = min(int(row["timeStamp"]) for row in samples)
    assert min(ends) - first > 5_500
    judged = pacemark("stats", "sse.jtl", "--objectives", "sse_streaming_baseline")
    assert [line for line in judged.errors if "errors" in line] == []
