"""A load in stages, by the real JMeter against a server that keeps its own books."""

import csv
import time
from pathlib import Path

import pytest
from fake_gateway import FakeGateway

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import slots_taken
from pacemark.jmeter.run import execute
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.workloads import workload
from pacemark.workloads.load import Load, Stage
from pacemark.workloads.model import SCALES

pytestmark = pytest.mark.jmeter

# Twice as long, as fast and with as many threads as the load that is asked for.
SHAPE = (
    Stage(name="climb", seconds=2, from_per_s=0, to_per_s=200, threads=12),
    Stage(name="hold", seconds=4, from_per_s=200, to_per_s=200, threads=12),
    Stage(name="too much", seconds=4, from_per_s=400, to_per_s=400, threads=16),
    Stage(name="down", seconds=4, from_per_s=100, to_per_s=100, threads=4),
)
LOAD = Load(threads=8, ramp_up_s=1, duration_s=7, rate_per_s=200, shape=SHAPE)
SLOW_S = 0.2
"""What every answer takes in the third stage: its 8 threads send some 40 requests a second of 200."""


def test_stages_have_their_slots_rates_and_threads_and_leave_no_backlog(
    engine: Engine, fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    first: list[float] = []

    def delay_s() -> float:
        first.append(time.monotonic())
        return SLOW_S if 3 <= first[-1] - first[0] < 5 else 0

    fake_gateway.delay_s = delay_s
    one = workload("rest_api_baseline").model_copy(update={"scales": dict.fromkeys(SCALES, LOAD)})
    (tmp_path / "plan.jmx").write_bytes(render(one))
    properties = {
        **JMETER_SETTINGS,
        **load_properties(LOAD),
        "GATEWAY_URL": fake_gateway.url,
        "TOKEN": "none",
    }
    execute(
        engine, tmp_path / "plan.jmx", properties, LOAD, tmp_path, heap_mb=512, on_progress=lambda _: None
    )

    taken = slots_taken(tmp_path / "jmeter.log")
    assert [slots for slots, _ in taken] == [stage.slots for stage in LOAD.stages] == [50, 200, 400, 100]
    assert [taken[0][1], taken[1][1], taken[3][1]] == [50, 200, 100]
    # Eight threads, each at most so many in two seconds: the other slots are dropped, not sent later.
    assert 8 <= taken[2][1] <= 8 * (2 / SLOW_S + 1)
    digest = Digest.from_jtl(tmp_path / "samples.jtl")
    assert digest.count == sum(count for _, count in taken) == sum(fake_gateway.requests.values())
    assert digest.errors == 0

    with (tmp_path / "samples.jtl").open(newline="", encoding="utf-8") as file:
        samples = list(csv.DictReader(file))
    begun = min(int(sample["timeStamp"]) for sample in samples)
    for start, stage in list(LOAD.timeline())[1:]:
        # A request that began late in one stage may end in the next: only who begins counts.
        end = start + stage.seconds
        inside = [s for s in samples if start + 0.1 <= (int(s["timeStamp"]) - begun) / 1000 < end - 0.1]
        numbers = {int(sample["threadName"].rpartition("-")[2]) for sample in inside}
        assert max(numbers) <= stage.threads
        if stage.name != "too much":
            assert len(inside) == pytest.approx(stage.to_per_s * (stage.seconds - 0.2), rel=0.2)
