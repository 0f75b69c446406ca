"""A gateway that traces by OpenTelemetry goes on with the traces of the samples."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv
from e2e_command import Pacemark, rows

from pacemark.gateway.spec import GATEWAY
from pacemark.gateway.stack import Stack
from pacemark.results.digest import SAMPLES_FILE

pytestmark = [pytest.mark.jmeter, pytest.mark.gateway, pytest.mark.patient]

SDK = Path(__file__).parents[1] / "opentelemetry.txt"
LOAD = ("--duration", "5s", "--ramp-up", "1s", "--rate", "5", "--threads", "4", "--no-dashboard")
SPAN = re.compile(
    r'"name": "(?P<name>[^"]*)",\s*"context": {\s*"trace_id": "0x(?P<trace>\w{32})",\s*"span_id": "0x\w{16}"'
    r'.*?"parent_id": (?:"0x(?P<parent>\w{16})"|null)',
    re.DOTALL,
)


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Stack]:
    """The stack with the SDK in its gateway, which alone is without it; what it traces is in its log."""
    packages = tmp_path / "packages"
    subprocess.run(
        [
            *(uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable),
            *("--target", packages, "--require-hashes", "--no-deps", "--requirements", SDK),
        ],
        check=True,
    )
    with Stack.up(
        tmp_path / "stack",
        extra_env={
            "PYTHONPATH": str(packages),
            "OTEL_ENABLE_OBSERVABILITY": "true",
            "OTEL_TRACES_EXPORTER": "console",
        },
    ) as stack:
        yield stack


def test_each_json_rpc_sample_is_the_parent_of_the_gateways_trace(traced: Stack, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    token = traced.credentials(seconds=600).token
    pacemark = Pacemark(tmp_path / "run", MCPGATEWAY_BEARER_TOKEN=token)
    # Beside other tests its threads may wake late; that makes its figures worth nothing, and its traces not.
    with pacemark.started("run", "mcp_jsonrpc_baseline", "--gateway", traced.url, *LOAD) as running:
        ended = running.ended()
    assert ended.record["recorded"]["errors"] == 0
    sent = [row["trace_id"] for row in rows(ended.directory / SAMPLES_FILE)]
    spans = list(SPAN.finditer((traced.data_dir / f"{GATEWAY}.log").read_text(encoding="utf-8")))
    calls = {span["trace"]: span["parent"] for span in spans if span["name"] == "POST /rpc"}
    assert len(set(sent)) == len(sent) > 15
    # The sample's own span bears the last half of the trace's digits.
    assert {trace: calls.get(trace) for trace in sent} == {trace: trace[16:] for trace in sent}
