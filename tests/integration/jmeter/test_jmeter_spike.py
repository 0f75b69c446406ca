"""A spike from end to end: the real JMeter, a server that stalls after it, and the looks at a process.

Its bounds are coarse. Exact ones are in ``benchmarks/recovery.py``, every turn of the rule in the unit tests.
"""

import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fake_gateway import FakeGateway

from pacemark.asked import Asked
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.results.processes import PROCESSES_FILE, load_readings
from pacemark.results.record import RunRecord
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.load import Load, Stage
from pacemark.workloads.model import SCALES, Mix

pytestmark = pytest.mark.jmeter

# A second an answer, so that what a busy machine adds stays within a fifth.
ANSWER_S, STALL_S = 1.0, 2.0
SHAPE = (
    Stage(name="Baseline", seconds=10, from_per_s=25, to_per_s=25, threads=40),
    Stage(name="Spike", seconds=1, from_per_s=25, to_per_s=100, threads=160),
    Stage(name="Sustain", seconds=2, from_per_s=100, to_per_s=100, threads=160),
    Stage(name="Recovery", seconds=15, from_per_s=25, to_per_s=25, threads=40),
)
LOAD = Load(threads=160, ramp_up_s=0, duration_s=14, rate_per_s=100, shape=SHAPE)


class StallsAfterASpike:
    """No answer until ``STALL_S`` after the arrivals have fallen from more than 70 a second to fewer."""

    def __init__(self) -> None:
        self._arrivals: deque[float] = deque()
        self._busy_at: float | None = None

    def __call__(self) -> float:
        now = time.monotonic()
        self._arrivals.append(now)
        while self._arrivals[0] < now - 0.5:
            self._arrivals.popleft()
        if len(self._arrivals) > 35:
            self._busy_at = now
            return ANSWER_S
        return max(ANSWER_S, STALL_S + self._busy_at - now) if self._busy_at else ANSWER_S


class Ourselves:
    """This process, in the place of a stack that Pacemark started."""

    failure = ""


@pytest.fixture
def recorded(engine: Engine, tmp_path: Path) -> Iterator[tuple[RunRecord, Path]]:
    rest = workload("rest_api_baseline")
    assert isinstance(rest, Mix)
    spike = rest.model_copy(
        update={
            "scales": dict.fromkeys(SCALES, LOAD),
            "objectives": workload("spike_test").objectives,
            "measurements": ("recovery", "leak"),
        }
    )
    with FakeGateway() as gateway:
        gateway.delay_s = None
        asked = Asked(
            workload=spike,
            scale="smoke",
            load=LOAD,
            warm_up_s=0,
            objectives=spike.objectives,
            url=gateway.url,
            credentials=Credentials.mint("s" * 40, "a@example.com", seconds=600, source="this test"),
            out=tmp_path,
            local=Ourselves(),
            pids={"gateway": psutil.Process().pid},
            heap_mb=512,
        )

        def begin(_: object) -> None:
            gateway.delay_s = gateway.delay_s or StallsAfterASpike()

        yield run(asked, engine, on_progress=begin)


def test_a_stall_after_a_spike_is_seen_and_so_is_the_process(recorded: tuple[RunRecord, Path]) -> None:
    record, directory = recorded
    judged = {one.objective.metric: one for one in record.objectives}
    assert judged["clearance"].value == 0
    assert judged["recovery"].value is not None
    assert 1 <= judged["recovery"].value <= 3
    assert judged["recovery"].outcome == "met"

    recovery, growth = (one for one in record.sections if not one.is_background)
    assert [row[0] for row in recovery.rows] == ["Baseline", "Spike", "Sustain", "Recovery"]
    phases = {str(row[0]): row for row in recovery.rows}
    assert phases["Recovery"][4] > phases["Baseline"][4]  # type: ignore[operator]
    assert record.stages[0].missed == 0

    readings = load_readings(directory / PROCESSES_FILE)
    assert {one.service for one in readings} == {"gateway"}
    during = [one for one in readings if 0 <= one.at_s < LOAD.duration_s]
    assert len(during) >= 10
    assert all(one.memory_bytes > 10e6 and one.cpu_s > 0 for one in during)
    assert max(one.connections or 0 for one in during) >= 25  # JMeter's, which are this process's
    assert any(row[1] for row in growth.rows)
