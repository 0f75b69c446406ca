"""The Admin UI of the real gateway, by the command: sessions, counts on both sides, no secret anywhere."""

from pathlib import Path

import pytest
from e2e_command import JWT, RUN_FILES, Pacemark, files_with

from pacemark.gateway.stack import Stack
from pacemark.workloads.admin_ui_baseline import WORKLOAD

pytestmark = [pytest.mark.jmeter, pytest.mark.gateway]

USERS = 3
LOAD = ("--scale", "smoke", "--threads", str(USERS), "--ramp-up", "1s", "--duration", "8s")


def signed_in(stack: Stack, folder: Path, password: str, **settings: str) -> Pacemark:
    return Pacemark(
        folder,
        PLATFORM_ADMIN_EMAIL=stack.admin_email,
        PLATFORM_ADMIN_PASSWORD=password,
        # Meant for other workloads.
        JMETER_TARGET_RPS="4000",
        **settings,
    )


def test_users_sign_in_go_round_and_sign_out(embedded_stack: Stack, tmp_path: Path) -> None:
    password = embedded_stack.secrets.admin_password
    token = embedded_stack.credentials(seconds=60).token
    pacemark = signed_in(embedded_stack, tmp_path, password, MCPGATEWAY_BEARER_TOKEN=token)
    with pacemark.started("run", WORKLOAD.name, *LOAD, "--gateway", embedded_stack.url) as running:
        running.watch_command_lines()
        ended = running.ended()
    record = ended.record
    # How fast it was is not the question here, and the sample too small to tell.
    assert (ended.status, record["verdict"]) in ((0, "pass"), (1, "fail"), (3, "invalid")), ended.stderr
    assert record["recorded"]["errors"] == 0
    (section,) = (one for one in record["sections"] if one["title"] == "Journeys")
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


def test_without_a_token_users_sign_in_and_the_gateways_count_is_missing(
    embedded_stack: Stack, tmp_path: Path
) -> None:
    """By the machine's other name, which the gateway must know too."""
    url = embedded_stack.url.replace("127.0.0.1", "localhost")
    pacemark = signed_in(embedded_stack, tmp_path, embedded_stack.secrets.admin_password)
    examined = pacemark("doctor", WORKLOAD.name, "--gateway", url)
    assert examined.status == 0, examined.stdout
    few = ("--scale", "smoke", "--threads", "1", "--ramp-up", "0", "--duration", "2s", "--no-dashboard")
    ended = pacemark("run", WORKLOAD.name, *few, "--gateway", url)
    record = ended.record
    assert record["recorded"]["count"] > 0, ended.stderr
    assert record["recorded"]["errors"] == 0
    assert record["gateway"]["counted"] == {}
    (told,) = (finding for finding in record["preflight"] if finding["name"] == "token")
    assert (told["level"], told["detail"]) == (
        "warning",
        "there is no token: the gateway's own count is not read",
    )
    assert [one["text"] for one in record["reasons"] if "counters" in one["text"]] == []


def test_a_wrong_password_stops_before_the_load(embedded_stack: Stack, tmp_path: Path) -> None:
    pacemark = signed_in(embedded_stack, tmp_path, "not-the-password")
    ended = pacemark("run", WORKLOAD.name, *LOAD, "--gateway", embedded_stack.url)
    assert ended.status == 3
    (line,) = ended.errors
    assert "Admin login: login refused (HTTP 303)" in line
    assert "PLATFORM_ADMIN_PASSWORD" in line
    assert not (ended.directory / "samples.jtl").exists()
    assert files_with(tmp_path, "not-the-password") == []
