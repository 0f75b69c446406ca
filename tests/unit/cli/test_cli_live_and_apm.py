"""Live figures and APM tags: what is refused before anything is started, and what JMeter is given."""

import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from pacemark.asked import Asked
from pacemark.cli import application
from pacemark.errors import InputError
from pacemark.jmx.live import live_properties
from pacemark.run import settings_of
from pacemark.workloads import workload

GATEWAY = ("--gateway", "http://127.0.0.1:9")


def refused(*options: str) -> str:
    """The one line that says why."""
    with pytest.raises(InputError) as error:
        application(["run"])(["run", "rest_api_baseline", *GATEWAY, *options], standalone_mode=False)
    return str(error.value)


@pytest.fixture(autouse=True)
def nothing_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MCPGATEWAY_BEARER_TOKEN", "JWT_SECRET_KEY", "GATEWAY_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("apm", ["newrelic", "appdynamics", "otel"])
def test_tags_that_ride_on_the_traceparent_need_it(apm: str) -> None:
    assert f"--apm {apm} needs the traceparent" in refused("--apm", apm, "--no-traces")
    Path("pacemark.toml").write_text("traces = false\n", encoding="utf-8")
    assert f"--apm {apm} needs the traceparent" in refused("--apm", apm)


def test_a_live_port_that_another_has_or_that_is_not_this_machines() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on port {port}: Address already in use" in refused("--live-port", str(port))
    said = refused("--live-port", "9270", "--live-host", "192.0.2.1")
    assert re.search(r"cannot listen on 192\.0\.2\.1:9270: Cannot assign requested address", said)


def test_live_figures_are_of_a_load_of_this_machine() -> None:
    said = refused("--live-port", "9270", "--workers", "192.0.2.1")
    assert "--live-port is for a load that this machine makes" in said


def test_what_was_asked_for_reaches_jmeter(tmp_path: Path) -> None:
    asked = Asked(
        workload=workload("rest_api_baseline"),
        scale="smoke",
        load=workload("rest_api_baseline").scales["smoke"],
        warm_up_s=0,
        objectives=(),
        url="http://127.0.0.1:4444",
        credentials=None,
        out=tmp_path,
    )
    plain = settings_of(asked, tmp_path).properties
    assert not {"TRACING", "APM", *live_properties(9270)} & set(plain)
    more = settings_of(replace(asked, traces=False, apm="dynatrace", live_port=9270), tmp_path).properties
    assert more.items() >= {"TRACING": "false", "APM": "dynatrace", **live_properties(9270)}.items()
