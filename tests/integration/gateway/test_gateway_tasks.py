"""The tasks of the containers: secrets, Prometheus's token, registration, and which doors answer."""

import json
import re
import stat
from pathlib import Path

import httpx
import pytest
from fake_gateway import FakeGateway, true_answer
from loopback_server import Answer

from pacemark.gateway.full.tasks import (
    DOORS,
    TOKEN_S,
    main,
    register_servers,
    status,
    write_secrets,
    write_token,
)
from pacemark.gateway.register import VIRTUAL_SERVER
from pacemark.gateway.spec import free_ports
from pacemark.gateway.token import expires_at

VARIABLES = [door.variable for door in DOORS.values()]
SECRET = "a-secret-of-more-than-thirty-two-characters"


def test_secrets_are_fresh_and_for_the_callers_eyes_only(tmp_path: Path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    assert all(map(write_secrets, files))
    texts = [file.read_text(encoding="utf-8") for file in files]
    values = [line.partition("=")[2] for text in texts for line in text.splitlines()]
    assert len(set(values)) == len(values) == 10
    # What neither a shell nor compose would read as anything else.
    assert all(re.fullmatch(r"[\w!-]{24,}", value) for value in values)
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_secrets_that_are_there_stay(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("MINE=1\n")
    assert not write_secrets(tmp_path / "env")
    assert main(["secrets", str(tmp_path / "env")]) == 0
    assert (tmp_path / "env").read_text() == "MINE=1\n"


def test_a_token_outlives_a_soak_test_and_is_new_each_time(tmp_path: Path) -> None:
    write_token(tmp_path / "token", {"JWT_SECRET_KEY": SECRET})
    first = (tmp_path / "token").read_text()
    write_token(tmp_path / "token", {"JWT_SECRET_KEY": SECRET})
    assert (tmp_path / "token").read_text() != first
    expiry = expires_at(first)
    assert expiry is not None
    assert TOKEN_S >= 30 * 24 * 3600


def test_without_the_secret_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JWT_SECRET_KEY", "MCPGATEWAY_BEARER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert main(["token", str(tmp_path / "token")]) == 2
    assert capsys.readouterr().err == (
        "JWT_SECRET_KEY is not set: run `make compose-secrets` for deploy/compose/.env\n"
    )


class Registry:
    """A gateway that knows what it was told."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, str]]] = {"/gateways": [], "/servers": []}

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        rows = self.rows.get(path.partition("?")[0])
        if rows is None:
            return true_answer(method, path, body)
        if method == "POST":
            given = json.loads(body)
            rows.append({"id": f"{path}-{len(rows)}", "name": given.get("server", given)["name"]})
            return 200, {"Content-Type": "application/json"}, json.dumps(rows[-1]).encode()
        return 200, {"Content-Type": "application/json"}, json.dumps(rows).encode()


def test_servers_are_registered_once(fake_gateway: FakeGateway) -> None:
    registry = Registry()
    fake_gateway.answer = registry.answer
    environ = {"GATEWAY_URL": fake_gateway.url, "JWT_SECRET_KEY": SECRET}
    first = register_servers(["fast_time=http://fast_time:8888"], environ)
    assert register_servers(["fast_time=http://fast_time:8888", "b=http://b:9000"], environ) == first
    names = {path: [row["name"] for row in rows] for path, rows in registry.rows.items()}
    assert names == {"/gateways": ["fast_time", "b"], "/servers": [VIRTUAL_SERVER]}


def test_a_door_that_answers_and_those_that_do_not(
    fake_gateway: FakeGateway, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    environ = dict.fromkeys(VARIABLES, nobody) | {"GATEWAY_URL": fake_gateway.url}
    found = status(environ)
    assert found["gateway"] == ""
    assert found["loki"].startswith(f"{nobody}/ready: ")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["status"]) == 3
    assert "gateway      ok\n" in capsys.readouterr().out


def test_a_door_is_where_the_containers_file_moved_it(
    fake_gateway: FakeGateway,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    port = fake_gateway.url.rpartition(":")[2]
    nobody = free_ports(1)[0]
    moved = [f"{door.port_variable}={port if name == 'gateway' else nobody}" for name, door in DOORS.items()]
    (tmp_path / ".env").write_text("\n".join(["JWT_SECRET_KEY=secret", *moved, ""]), encoding="utf-8")
    assert main(["status", str(tmp_path / ".env")]) == 3
    said = capsys.readouterr().out
    assert "gateway      ok\n" in said
    assert f"http://localhost:{nobody}/-/ready: " in said


def test_a_door_that_answers_an_error_is_none(fake_gateway: FakeGateway) -> None:
    fake_gateway.answer = lambda *_: (503, {}, b"")
    url = fake_gateway.url
    assert httpx.get(f"{url}/ready").status_code == 503
    assert status(dict.fromkeys(VARIABLES, url))["loki"] == f"{url}/ready answered HTTP 503"
