"""A load in stages and the probes after it, by the real JMeter against a server that keeps its own books."""

import csv
import time
from pathlib import Path

import pytest
from fake_gateway import FakeGateway

from pacemark import probing
from pacemark.asked import Asked
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import slots_taken
from pacemark.results.digest import Digest
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.load import Load, Stage
from pacemark.workloads.model import SCALES

pytestmark = pytest.mark.jmeter

# Twice as long, as fast and with as many threads as the load that is asked for.
SHAPE = (
    Stage(name="climb", seconds=2, from_per_s=0, to_per_s=160, threads=12),
    Stage(name="low", seconds=8, from_per_s=160, to_per_s=160, threads=12),
    Stage(name="too much", seconds=4, from_per_s=400, to_per_s=400, threads=16),
    Stage(name="down", seconds=4, from_per_s=100, to_per_s=100, threads=4),
)
LOAD = Load(threads=8, ramp_up_s=1, duration_s=9, rate_per_s=200, shape=SHAPE)
SLOTS = [40, 320, 400, 100]
LIMIT_PER_S = 110


class Queue:
    """A gateway that answers ``LIMIT_PER_S`` requests a second, one after another."""

    def __init__(self) -> None:
        self._until = 0.0

    def delay_s(self) -> float:
        now = time.monotonic()
        self._until = max(self._until, now) + 1 / LIMIT_PER_S
        return self._until - now


def test_stages_are_carried_out_as_planned_and_the_breaking_point_is_found_between_them(
    engine: Engine, fake_gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "MOST_PROBES", 1)
    monkeypatch.setattr(probing, "REST_S", 0.0)
    fake_gateway.delay_s = Queue().delay_s
    one = workload("rest_api_baseline").model_copy(
        update={"scales": dict.fromkeys(SCALES, LOAD), "measurements": ("stages", "breaking_point")}
    )
    asked = Asked(
        workload=one,
        scale="full",
        load=LOAD,
        warm_up_s=1,
        objectives=workload("stress_test").objectives,
        url=fake_gateway.url,
        credentials=Credentials("none", "a test"),
        out=tmp_path,
        heap_mb=512,
    )
    probes: list[tuple[str, Load]] = []
    for _ in range(3):
        probes.clear()
        before = sum(fake_gateway.requests.values())
        record, directory = run(
            asked, engine, on_progress=lambda _: None, on_probe=lambda *probe: probes.append(probe)
        )
        # A machine that leaves JMeter no processor time is told of, and shows nothing.
        if record.verdict != "invalid":
            break

    taken = slots_taken(directory / "jmeter.log")
    assert [slots for slots, _ in taken] == [stage.slots for stage in LOAD.stages] == SLOTS
    # What the gateway did not serve in the third stage is dropped, not sent in the fourth.
    assert taken[2][1] < 300
    assert [stage.missed for stage in record.stages] == [slots - begun for slots, begun in taken]
    digest = Digest.of(directory)
    assert digest.count == sum(count for _, count in taken)
    sent = digest.count + Digest.of(directory / "probes" / "1").count
    preflight = 12
    assert sent <= sum(fake_gateway.requests.values()) - before <= sent + preflight

    with (directory / "samples.jtl").open(newline="", encoding="utf-8") as file:
        samples = list(csv.DictReader(file))
    begun_ms = min(int(sample["timeStamp"]) for sample in samples)
    for start, stage in list(LOAD.timeline())[1:]:
        inside = [
            sample
            for sample in samples
            if start + 0.1 <= (int(sample["timeStamp"]) - begun_ms) / 1000 < start + stage.seconds - 0.1
        ]
        numbers = {int(sample["threadName"].rpartition("-")[2]) for sample in inside}
        assert max(numbers) <= stage.threads
        rate = min(stage.to_per_s, LIMIT_PER_S)
        assert len(inside) == pytest.approx(rate * (stage.seconds - 0.2), rel=0.25)

    # Held is 80 a second, not held are 200 and what lies between, 126: the limit is there.
    ((number, load),) = probes
    assert (number, load.rate_per_s, load.shape) == ("1", 126.5, ())
    judged = {str(one.objective): one.value for one in record.objectives}
    assert judged["breaking_point >= 10%"] == 40
    breaking = next(section for section in record.sections if section.title == "Breaking point")
    assert [row[0] for row in breaking.rows] == ["low", "probe 1", "too much"]
    assert "held 80 requests a second" in breaking.summary
    assert "did not hold 126.5 requests a second" in breaking.summary
    assert "between low and too much" in breaking.summary
    assert (directory / "index.html").is_file()
