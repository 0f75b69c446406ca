"""Runs against a gateway behind nginx with TLS, a client certificate, a base path, and several users."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_command import Pacemark, files_with, rows
from fake_gateway import FakeGateway
from nginx_front import Fronts, nginx_before

from pacemark.asked import Asked
from pacemark.gateway.connection import Connection
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

pytestmark = pytest.mark.nginx

RUN = (
    "run",
    "rest_api_baseline",
    "--rate",
    "20",
    "--threads",
    "4",
    "--duration",
    "2s",
    "--ramp-up",
    "0",
    "--no-dashboard",
)
LISTED = ("GET /servers", "GET /gateways", "GET /resources", "GET /prompts")
NO_LATENCY = ("--objective", "response p95 < 30s", "--objective", "errors < 0.1%")


@pytest.fixture
def fronts(fake_gateway: FakeGateway, tmp_path: Path) -> Iterator[Fronts]:
    folder = tmp_path / "nginx"
    folder.mkdir()
    with nginx_before(fake_gateway.url, folder) as fronts:
        yield fronts


@pytest.mark.jmeter
def test_a_run_with_a_private_ca_a_client_certificate_and_several_users(
    fronts: Fronts, fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text("email,token\na@b.example,token-of-ann\n,token-of-bob\n", encoding="utf-8")
    tokens.chmod(0o644)
    pacemark = Pacemark(tmp_path / "here")
    secure = ("--ca-file", fronts.ca_file, "--cert", fronts.cert, "--key", fronts.key)
    with pacemark.started(
        *RUN, *NO_LATENCY, "--gateway", fronts.client, *secure, "--tokens", tokens
    ) as running:
        running.watch_command_lines()
        ended = running.ended()
    assert ended.record["recorded"]["errors"] == 0, ended.stderr
    sent = Counter(row["label"] for row in rows(ended.directory / "samples.jtl"))
    # One for one with the books, where the preflight does not ask too.
    assert {label: fake_gateway.requests[label] for label in LISTED} == {
        label: sent[label] for label in LISTED
    }
    assert sent.total() == ended.record["recorded"]["count"] > 0
    assert not [reason for reason in ended.record["reasons"] if "certificate" in reason["text"]]
    assert ended.record["fingerprint"]["identities"] == "2"
    said = {finding["detail"] for finding in ended.record["preflight"] if finding["name"] == "tokens"}
    assert {"2 for 4 threads: up to 2 threads share one", f"others on this machine can read {tokens}"} == said
    # Nothing of it is kept, and nobody could have seen it.
    assert files_with(pacemark.folder, re.compile(rb"token-of-|PRIVATE KEY")) == []
    assert not [path for path in pacemark.folder.rglob("*") if path.suffix in (".p12", ".pem", ".key")]
    lines = " ".join(running.command_lines)
    assert "ApacheJMeter.jar" in lines
    assert [word for word in ("token-of", "trustStore", "keyStore") if word in lines] == []


@pytest.mark.jmeter
def test_an_insecure_run_is_whole_and_says_so(fronts: Fronts, engine: Engine, tmp_path: Path) -> None:
    asked = Asked(
        workload=workload("rest_api_baseline"),
        scale="smoke",
        load=Load(threads=2, ramp_up_s=0, duration_s=2, rate_per_s=20),
        warm_up_s=0,
        objectives=(Objective.parse("errors < 0.1%"),),
        url=fronts.expired,
        credentials=Credentials("a-token", "test"),
        out=tmp_path / "results",
        connection=Connection.read({}, insecure=True),
    )
    record, _ = run(asked, engine, on_progress=lambda _: None)
    assert record.recorded.count > 0
    assert record.recorded.errors == 0
    assert [one.text for one in record.reasons if "no certificate was verified" in one.text]
    assert "identities" not in record.fingerprint


def test_without_its_ca_a_gateway_gets_no_load(
    fronts: Fronts, fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    ended = Pacemark(tmp_path / "here", MCPGATEWAY_BEARER_TOKEN="a-token")(*RUN, "--gateway", fronts.good)
    assert ended.status == 3
    (line,) = ended.errors
    assert "give the gateway's CA with --ca-file FILE" in line
    assert not fake_gateway.requests
    assert ended.record["verdict"] == "invalid"
