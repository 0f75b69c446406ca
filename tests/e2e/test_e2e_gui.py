"""What ``pacemark gui`` gives to JMeter's window, as seen by a Java that only notes what it was given."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e_command import PLANS, Ended, Pacemark
from fake_mcp_server import FakeMcpServer
from nginx_front import Authority

from pacemark.jmeter.java import find_java
from pacemark.jmeter.process import java_properties

pytestmark = pytest.mark.jmeter

NOBODY = "127.0.0.1:9"
PASSWORD = "a-password-of-no-meaning"
NOTING = """#!/bin/sh
case "$*" in *ApacheJMeter.jar*) ;; *) exec {java} "$@" ;; esac
echo "$@" > {folder}/command
env > {folder}/environment
while [ $# -gt 0 ]; do
    case "$1" in
        -q) cat "$2" > {folder}/properties ;;
        -S) cat "$2" > {folder}/system ;;
        -t) cat "$2" > {folder}/plan ;;
    esac
    shift
done
ls -l {folder}/tmp/pacemark-* > {folder}/stores
exit {status}
"""


@dataclass
class Window:
    """A working directory with the committed plans, in which JMeter is only noted."""

    folder: Path

    def open(self, name: str, *args: str | Path, status: int = 0, **settings: str) -> Ended:
        java = self.folder / "java"
        java.write_text(NOTING.format(java=find_java(os.environ).path, folder=self.folder, status=status))
        java.chmod(0o755)
        pacemark = Pacemark(self.folder, PACEMARK_JAVA=str(java), DISPLAY=":99", **settings)
        return pacemark("gui", name, *args)

    def noted(self, what: str) -> str:
        return (self.folder / what).read_text(encoding="utf-8")

    def has(self, **properties: str) -> bool:
        given = self.noted("properties").splitlines()
        return set(java_properties(properties).decode().splitlines()) <= set(given)


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "jmeter").symlink_to(PLANS)
    yield Window(tmp_path)
    assert not list((tmp_path / "tmp").glob("pacemark-*")), "the stores are gone with the window"


def test_whoever_signs_in_and_where_the_admin_ui_is_reach_the_plan(window: Window) -> None:
    ended = window.open(
        "admin_ui_baseline",
        *("--gateway", f"http://{NOBODY}"),
        PLATFORM_ADMIN_EMAIL="ann@example.com",
        PLATFORM_ADMIN_PASSWORD=PASSWORD,
        GATEWAY_ADMIN_URL=f"http://{NOBODY}/ui",
    )
    assert ended.status == 0, ended.stderr
    assert window.has(
        ADMIN_EMAIL="ann@example.com",
        ADMIN_PASSWORD=PASSWORD,
        GATEWAY_URL=f"http://{NOBODY}",
        GATEWAY_ADMIN_URL=f"http://{NOBODY}/ui",
    )
    assert PASSWORD not in window.noted("command") + window.noted("environment")


def test_the_test_servers_are_found_as_a_run_finds_them(window: Window) -> None:
    with FakeMcpServer(path="/other") as server:
        ended = window.open(
            "mcp_test_servers_baseline",
            *("--gateway", f"http://{NOBODY}"),
            FAST_TIME_SERVER_URL=f"{server.url}/other",
            FAST_TEST_SERVER_URL=f"http://{NOBODY}",
        )
    assert ended.status == 0, ended.stderr
    assert window.has(FAST_TIME_URL=server.url, FAST_TIME_MCP="/other")
    assert f"fast_test: http://{NOBODY}" in ended.stderr
    assert "benchmark: not given, so left out" in ended.stderr


@pytest.mark.parametrize("name", ["mcp_jsonrpc_baseline", "sse_streaming_baseline"])
def test_endpoints_of_the_environment_reach_the_plan(window: Window, name: str) -> None:
    endpoints = {"MCP_RPC_ENDPOINT": "/base/rpc", "MCP_SSE_ENDPOINT": "/servers/7/sse"}
    ended = window.open(name, "--gateway", f"http://{NOBODY}", **endpoints)
    assert ended.status == 0, ended.stderr
    used = [variable for variable in endpoints if f"__P({variable}," in window.noted("plan")]
    assert used
    assert window.has(**{variable: endpoints[variable] for variable in used})


def test_certificates_and_tokens_act_as_in_a_run(window: Window, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("client")
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("token\neyJh.eyJi.c\n")
    ended = window.open(
        "rest_api_baseline",
        *("--gateway", f"https://{NOBODY}", "--ca-file", authority.ca_file, "--cert", cert, "--key", key),
        *("--tokens", tokens),
    )
    assert ended.status == 0, ended.stderr
    assert window.has(CERTIFICATES="verify", TOKENS_FILE=str(tokens))
    system = dict(line.split("=", 1) for line in window.noted("system").splitlines())
    assert {"javax.net.ssl.trustStore", "javax.net.ssl.keyStore"} <= set(system)
    assert {"trust.p12", "keys.p12"} <= set(window.noted("stores").split())
    assert system["javax.net.ssl.keyStorePassword"] not in window.noted("command")


def test_a_wrong_place_of_the_admin_ui_opens_no_window(window: Window) -> None:
    ended = window.open(
        "admin_ui_baseline", "--gateway", f"http://{NOBODY}", GATEWAY_ADMIN_URL="http://elsewhere/admin"
    )
    assert (ended.status, len(ended.errors)) == (2, 1)
    assert not (window.folder / "command").exists()


def test_a_jmeter_that_fails_is_no_pass(window: Window) -> None:
    assert window.open("rest_api_baseline", status=1).status == 3
