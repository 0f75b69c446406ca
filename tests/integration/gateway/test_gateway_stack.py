"""The real gateway, up and down: nothing stays behind, whoever dies; no secret is left or shown."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from pacemark.errors import SetupError
from pacemark.gateway.client import GatewayClient
from pacemark.gateway.detached import detached, status
from pacemark.gateway.preflight import PreflightResult, preflight
from pacemark.gateway.stack import Stack, down
from pacemark.gateway.token import Credentials
from pacemark.workloads.fixtures import EMBEDDED

pytestmark = pytest.mark.gateway

OWNER = """
import json, time
from pacemark.gateway.stack import Stack
with Stack.up() as stack:
    print(json.dumps({"pids": stack.pids, "dir": str(stack.data_dir), "url": stack.url}), flush=True)
    time.sleep(600)
"""


def port_is_closed(url: str) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex((urlsplit(url).hostname, urlsplit(url).port)) != 0


def all_gone(pids: list[int], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not [pid for pid in pids if psutil.pid_exists(pid)]:
            return True
        time.sleep(0.05)
    return False


def files_with(directory: Path, secrets: list[str]) -> list[str]:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path.name for path in files if any(s.encode() in path.read_bytes() for s in secrets)]


def test_tools_are_offered_under_the_names_that_the_committed_plans_use(embedded_stack: Stack) -> None:
    with GatewayClient(embedded_stack.url, embedded_stack.credentials(seconds=60)) as client:
        names = {tool["name"] for tool in client.rpc("tools/list", {})["tools"]}
        uris = {row["uri"] for row in client.rpc("resources/list", {})["resources"]}
        listed = client.get(f"/servers/{embedded_stack.server_id}/tools").json()
    tools = ("get-system-time", "convert-time", "echo", "get-stats")
    benchmark = {f"benchmark-benchmark-tool-{n}" for n in range(5)}
    assert names == {f"{s}-{tool}" for s in ("fast-time", "fast-test") for tool in tools} | benchmark
    assert uris == set(EMBEDDED.resources)
    assert len(listed) == len(names)


def test_tools_answer_truly_and_a_bad_timezone_is_a_tool_error(embedded_stack: Stack) -> None:
    with GatewayClient(embedded_stack.url, embedded_stack.credentials(seconds=60)) as client:

        def call(name: str, **arguments: str) -> dict[str, object]:
            return client.rpc("tools/call", {"name": name, "arguments": arguments})

        said = call("fast-time-echo", message='"quoted", 100 % ☃')
        converted = call(
            "fast-test-convert-time",
            time="2026-01-30T10:00:00Z",
            source_timezone="UTC",
            target_timezone="Asia/Tokyo",
        )
        bad = call("fast-time-get-system-time", timezone="No/where")
    assert said["content"] == [{"type": "text", "text": '"quoted", 100 % ☃'}]
    assert converted["content"] == [{"type": "text", "text": "2026-01-30T19:00:00+09:00"}]
    assert bad["isError"] is True
    assert "unknown timezone: No/where" in json.dumps(bad)


def test_the_rest_interfaces_answer(embedded_stack: Stack) -> None:
    with httpx.Client(trust_env=False) as http:
        fast_time, fast_test = (
            embedded_stack.server_urls["fast_time"],
            embedded_stack.server_urls["fast_test"],
        )
        asked = http.get(f"{fast_time}/api/v1/time", params={"timezone": "Asia/Tokyo"})
        assert asked.json()["time"].endswith("+09:00")
        assert http.get(f"{fast_time}/api/v1/time", params={"timezone": "x"}).status_code == 400
        assert "Europe/Berlin" in http.get(f"{fast_time}/api/v1/timezones").json()["timezones"]
        assert http.get(f"{fast_test}/api/time", params={"tz": "UTC"}).json()["timezone"] == "UTC"
        assert http.post(f"{fast_test}/api/echo", json={"message": "hi"}).json() == {"message": "hi"}
        assert http.post(f"{fast_test}/api/echo", content=b"no").status_code == 400
        assert http.get(f"{fast_test}/health").json()["status"] == "healthy"


def test_an_administrator_may_log_in_and_the_token_may_see_the_administration(embedded_stack: Stack) -> None:
    form = {"email": embedded_stack.admin_email, "password": embedded_stack.secrets.admin_password}
    with httpx.Client(trust_env=False, base_url=embedded_stack.url) as http:
        http.get("/admin/login")
        answer = http.post("/admin/login", data=form)
    assert answer.status_code == 303
    assert "error" not in answer.headers["Location"]
    with GatewayClient(embedded_stack.url, embedded_stack.credentials(seconds=60)) as client:
        assert client.get("/admin/tools").status_code == 200


def test_no_secret_is_in_a_file_or_in_the_process_list(embedded_stack: Stack) -> None:
    token = embedded_stack.credentials(seconds=60).token
    with GatewayClient(embedded_stack.url, Credentials(token, "test")) as client:
        client.rpc("tools/list", {})
        client.get("/tools/no-such-tool")
    secrets = [token, *embedded_stack.secrets.environment.values()]
    assert files_with(embedded_stack.data_dir, secrets) == []
    shown = [" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
    assert not [line for line in shown if any(secret in line for secret in secrets)]
    assert not [secret for secret in secrets if secret in repr(embedded_stack)]


def test_the_stack_stands_beside_settings_of_the_callers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's gateway variables must not reach it: with this one it could not start."""
    monkeypatch.setenv("CACHE_TYPE", "nonsense")
    monkeypatch.setenv("JWT_SECRET_KEY", "weak")
    with Stack.up() as stack:
        urls = [stack.url, *stack.server_urls.values()]
        assert not [url for url in urls if port_is_closed(url)]
        assert stack.failure == ""
        os.kill(stack.pids["fast_test"], signal.SIGKILL)
        while not stack.failure:
            time.sleep(0.05)
        assert stack.failure.startswith("fast_test was killed by signal 9")
    assert all_gone(list(stack.pids.values()))
    assert not [url for url in urls if not port_is_closed(url)]
    assert not stack.data_dir.exists()


def test_a_killed_owner_leaves_no_orphan() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        told = json.loads(owner.stdout.readline())
        owner.kill()
    assert all_gone(list(told["pids"].values()))
    assert port_is_closed(told["url"])
    assert not Path(told["dir"]).exists()


def test_a_gateway_that_cannot_start_shows_its_own_last_lines() -> None:
    with pytest.raises(SetupError) as failed:
        Stack.up(extra_env={"CACHE_TYPE": "nonsense"})
    assert "gateway ended by itself" in failed.value.message
    assert "CACHE_TYPE" in failed.value.message.upper()


def test_a_detached_stack_with_rate_limiting_from_up_to_down(tmp_path: Path) -> None:
    home = tmp_path / "stack"
    stack = Stack.up(home, detached=True, extra_env={"RATE_LIMITING_ENABLED": "true"})
    try:
        state = status(home)
        assert state is not None
        assert state.phase == "ready"
        with pytest.raises(SetupError, match="up already"):
            Stack.up(home, detached=True)
        kept = home / "secrets.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        found_stack = detached(stack.url + "/", home)
        assert found_stack is not None
        credentials = found_stack.credentials(seconds=60)
        assert credentials is not None
        assert detached("http://127.0.0.1:1", home) is None
        by_name = stack.url.replace("127.0.0.1", "localhost")
        named = detached(by_name, home)
        assert named is not None
        assert named.credentials(seconds=60) is not None
        assert detached(by_name + "/below", home) is None
        assert found_stack.pids == {name: stack.pids[name] for name in found_stack.pids}
        assert "gateway" in found_stack.pids
        assert found_stack.asked_urls == stack.asked_urls
        found = rate_limited_preflight(stack.url, credentials)
        assert [(f.name, f.level) for f in found.findings if f.level == "error"] == [("rate limit", "error")]
        (finding,) = found.errors
        assert finding.detail.startswith("rate limiting is on: 100 requests a minute on /tools")
        assert "RATE_LIMITING_ENABLED=false" in finding.remedy
    finally:
        assert down(home)
    assert all_gone(list(stack.pids.values()))
    assert not kept.exists()
    assert status(home) is None
    assert not down(home)
    assert files_with(home, [credentials.token, *stack.secrets.environment.values()]) == []


def rate_limited_preflight(url: str, credentials: Credentials) -> PreflightResult:
    return preflight(
        url,
        credentials,
        seconds=60,
        rate_per_s=10,
        threads=10,
        needs_mcp=True,
        out_dir=Path.cwd(),
    )
