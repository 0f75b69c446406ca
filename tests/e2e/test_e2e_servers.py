"""The test servers' baseline where it must not start: nothing to ask, or somebody who does not answer."""

from pathlib import Path

import pytest
from e2e_command import Pacemark

from pacemark.gateway.stack import Stack

pytestmark = pytest.mark.gateway

NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "test servers: none is given (set FAST_TIME_SERVER_URL, FAST_TEST_SERVER_URL,"),
        ({"FAST_TEST_SERVER_URL": NOBODY}, f"fast_test: {NOBODY}"),
    ],
)
def test_it_does_not_start_and_says_which_server(
    embedded_stack: Stack, tmp_path: Path, settings: dict[str, str], says: str
) -> None:
    token = embedded_stack.credentials(seconds=600).token
    pacemark = Pacemark(tmp_path, MCPGATEWAY_BEARER_TOKEN=token, **settings)
    ended = pacemark("run", "mcp_test_servers_baseline", "--gateway", embedded_stack.url, "--scale", "smoke")
    assert ended.status == 3
    (line,) = ended.errors
    assert line.startswith("pacemark: not started: ")
    assert says in line
    assert ended.record["verdict"] == "invalid"
    assert not (ended.directory / "samples.jtl").exists()
