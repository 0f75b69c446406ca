"""The Admin UI of the real gateway, by the command: sessions, counts on both sides, no secret anywhere."""

from pathlib import Path

import pytest
from e2e_command import JWT, RUN_FILES, Pacemark, files_with

from pacemark.gateway.stack import Stack
from pacemark.workloads.admin_ui_baseline import WORKLOAD

pytestmark = [pytest.mark.jmeter, pytest.mark.gateway]

USERS = 3
LOAD = ("--scale", "smoke", "--threads", str(USERS), "--ramp-up", "1s", "--duration", "8s")


def signed_in(stack: Stack, folder: Path, password: str) -> Pacemark:
    return Pacemark(
        folder,
        MCPGATEWAY_BEARER_TOKEN=stack.credentials(seconds=60).token,
        PLATFORM_ADMIN_EMAIL=stack.admin_email,
        PLATFORM_ADMIN_PASSWORD=password,
        # Meant for other workloads.
        JMETER_TARGET_RPS="4000",
    )


def test_users_sign_in_go_round_and_sign_out(embedded_stack: Stack, tmp_path: Path) -> None:
    password = embedded_stack.secrets.admin_password
    pacemark = signed_in(embedded_stack, tmp_path, password)
    with pacemark.started("run", WORKLOAD.name, *LOAD, "--gateway", embedded_stack.url) as running:
        running.watch_command_lines()
        ended = running.ended()
    record = ended.record
    # How fast it was is not the question here, and the sample too small to tell.
    assert (ended.status, record["verdict"]) in ((0, "pass"), (1, "fail"), (3, "invalid")), ended.stderr
    assert record["recorded"]["errors"] == 0
    (section,) = record["sections"]
    assert section["summary"].startswith(f"{USERS} of {USERS} users signed in, {USERS} signed out; ")
    counted = record["gateway"]["counted"]
    assert set(counted) == set(WORKLOAD.handlers.values())
    assert {handler: theirs - ours for handler, (theirs, ours) in counted.items()} == dict.fromkeys(
        counted, 0
    )
    assert [name for name in RUN_FILES if not (ended.directory / name).is_file()] == []
    assert "think time 0.3-0.5 s" in (ended.directory / "index.html").read_text(encoding="utf-8")
    assert record["stages"] == []
    assert files_with(tmp_path, password) == files_with(tmp_path, JWT) == []
    assert not any(password in line for line in running.command_lines)


def test_a_wrong_password_stops_before_the_load(embedded_stack: Stack, tmp_path: Path) -> None:
    pacemark = signed_in(embedded_stack, tmp_path, "not-the-password")
    ended = pacemark("run", WORKLOAD.name, *LOAD, "--gateway", embedded_stack.url)
    assert ended.status == 3
    (line,) = ended.errors
    assert "Admin login: login refused (HTTP 303)" in line
    assert "PLATFORM_ADMIN_PASSWORD" in line
    assert not (ended.directory / "samples.jtl").exists()
    assert files_with(tmp_path, "not-the-password") == []
