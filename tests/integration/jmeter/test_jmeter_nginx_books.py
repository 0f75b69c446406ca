"""What nginx counts by itself (``stub_status``) is what JMeter recorded: requests, and connections kept."""

from pathlib import Path

import pytest
from fake_gateway import FakeGateway
from nginx_front import nginx_before

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.run import execute
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import SAMPLES_FILE, Digest
from pacemark.workloads import workload
from pacemark.workloads.load import Load

pytestmark = [pytest.mark.jmeter, pytest.mark.nginx, pytest.mark.patient]


def test_requests_and_connections_one_for_one(
    engine: Engine, fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    load = Load(threads=6, ramp_up_s=1, duration_s=6, rate_per_s=24)
    plan = tmp_path / "plan.jmx"
    plan.write_bytes(render(workload("rest_api_baseline")))
    nginx = tmp_path / "nginx"
    nginx.mkdir()
    with nginx_before(fake_gateway.url, nginx) as fronts:
        properties = {**JMETER_SETTINGS, **load_properties(load), "GATEWAY_URL": fronts.good, "TOKEN": "none"}
        connections, requests = fronts.counted()
        execute(engine, plan, properties, load, tmp_path, heap_mb=256, on_progress=lambda _: None)
        connections_after, requests_after = fronts.counted()
    digest = Digest.from_jtl(tmp_path / SAMPLES_FILE)
    assert digest.errors == 0
    assert digest.count > 100
    # Less the second asking, over a connection of its own.
    assert requests_after - requests - 1 == digest.count == fake_gateway.requests.total()
    assert connections_after - connections - 1 == load.threads
