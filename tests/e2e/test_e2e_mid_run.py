"""What goes wrong under load: it ends in time, what was recorded is analysed, and nothing stays behind."""

import itertools
import json
import signal
import time
from collections.abc import Callable

import psutil
import pytest
from e2e_command import JWT, RUN_FILES, Ended, Family, Pacemark, command_line, files_with, rows
from fake_gateway import FakeGateway, true_answer
from loopback_server import Answer

from pacemark.results.digest import Digest
from pacemark.results.statistics import figures

pytestmark = pytest.mark.jmeter

SECONDS = 9
LOAD = ("--duration", f"{SECONDS}s", "--ramp-up", "1s", "--rate", "24", "--threads", "5")
PLANNED = 24 * SECONDS - 12
REST = ("run", "rest_api_baseline", "--no-dashboard", *LOAD)
AFTER_S = 60
"""How long after the planned end a run may still take, JMeter's start included."""


def analysed(ended: Ended) -> dict[str, int]:
    """The outcomes of the one run, whose every file must be there and agree with its samples."""
    directory = ended.directory
    assert [name for name in RUN_FILES[:-1] if not (directory / name).is_file()] == []
    outcomes = figures(Digest.from_jtl(directory / "samples.jtl")).outcomes
    assert figures(Digest.of(directory)).outcomes == outcomes
    assert ended.record["recorded"]["count"] == sum(outcomes.values())
    window = ended.record["window"]
    measured = Digest.of(directory).between(window["from_s"], window["to_s"])
    summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    assert summary["total"]["count"] == measured.count > 0
    return outcomes


@pytest.mark.gateway
@pytest.mark.patient
def test_the_gateway_is_killed(pacemark: Pacemark) -> None:
    with pacemark.started(*REST, "--embedded") as running:
        running.wait_for_load()
        family = Family.of(running)
        running.find("mcpgateway.main:app").kill()
        killed = time.monotonic()
        ended = running.ended()
    assert time.monotonic() - killed < SECONDS + AFTER_S
    assert ended.status == 3
    assert ended.record["verdict"] == "invalid"
    assert "the gateway did not last: gateway was killed by signal 9" in ended.stderr
    outcomes = analysed(ended)
    assert outcomes["ok"] >= 20
    assert outcomes["connect"] > 20
    assert family.left() == []
    assert len(family.ports) >= 3
    assert files_with(pacemark.folder, JWT) == []


@pytest.mark.gateway
@pytest.mark.patient
def test_ctrl_c(pacemark: Pacemark) -> None:
    with pacemark.started("run", "rest_api_baseline", "mcp_jsonrpc_baseline", *LOAD[2:],
                          "--duration", "10m", "--embedded", "--json") as running:  # fmt: skip
        running.wait_for_load()
        family = Family.of(running)
        running.interrupt()
        ended = running.ended(60)
    assert ended.status == 3
    (run,) = ended.json["runs"]
    assert run["workload"] == "rest_api_baseline"
    assert "the run was cut short: interrupted" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.record["generator"]["stopped"] == "interrupted"
    assert sum(analysed(ended).values()) == len(rows(ended.directory / "samples.jtl")) >= 20
    # JMeter ended in order: it counted as many as it wrote.
    assert ended.record["generator"]["reported_count"] == ended.record["recorded"]["count"]
    assert family.left() == []
    assert len(family.ports) >= 3
    assert list(pacemark.scratch.iterdir()) == []
    assert files_with(pacemark.folder, JWT) == []


@pytest.mark.gateway
@pytest.mark.patient
def test_pacemark_itself_is_killed(pacemark: Pacemark) -> None:
    with pacemark.started(*REST, "--embedded") as running:
        directory = running.wait_for_load()
        family = Family.of(running)
        names = " ".join(map(command_line, family.processes))
        running.popen.send_signal(signal.SIGKILL)
        assert running.ended().status == -signal.SIGKILL
    assert [word for word in ("launcher", "main:app", "fast_time", "ApacheJMeter") if word not in names] == []
    assert family.left() == []
    assert Digest.from_jtl(directory / "samples.jtl").count >= 20
    assert files_with(pacemark.folder, JWT) == []


def test_jmeter_is_killed(pacemark: Pacemark, fake_gateway: FakeGateway) -> None:
    with pacemark.started(*REST, "--gateway", fake_gateway.url) as running:
        running.wait_for_load()
        jmeter = running.find("ApacheJMeter.jar")
        jmeter.kill()
        ended = running.ended()
    assert ended.status == 3
    assert ended.record["verdict"] == "invalid"
    assert "JMeter was killed by signal 9" in ended.stderr
    assert sum(analysed(ended).values()) >= 20
    assert not psutil.pid_exists(jmeter.pid)


def test_jmeter_is_killed_before_its_first_sample(pacemark: Pacemark, fake_gateway: FakeGateway) -> None:
    """No data never passes."""
    with pacemark.started(*REST, "--gateway", fake_gateway.url) as running:
        running.find("ApacheJMeter.jar").kill()
        ended = running.ended()
    assert ended.status == 3
    assert ended.record["verdict"] == "invalid"
    (line,) = ended.errors
    assert "JMeter ended without a sample: exit status -9" in line


class Turning:
    """Answers as it should, and as ``then`` says after so many requests of the load."""

    def __init__(self, after: int, then: Callable[[], Answer | None]) -> None:
        self.after, self.then, self.seen = after, then, -1

    def __call__(self, method: str, path: str, body: bytes) -> Answer | None:
        # The last that is asked for before the load.
        self.seen += self.seen >= 0 or path == "/metrics/prometheus"
        return self.then() if self.seen > self.after else true_answer(method, path, body)


@pytest.mark.parametrize("name", ["rest_api_baseline", "mcp_jsonrpc_baseline"])
def test_a_server_that_goes_away_for_good(pacemark: Pacemark, fake_gateway: FakeGateway, name: str) -> None:
    """Every request of the load was answered, broken or refused: none is missing, none counted twice."""
    (pacemark.folder / "pacemark.toml").write_text('[[tools]]\nname = "row-1"\n', encoding="utf-8")
    fake_gateway.answer = answered = Turning(PLANNED, lambda: None)
    with pacemark.started("run", name, "--no-dashboard", *LOAD, "--gateway", fake_gateway.url) as running:
        running.wait_for_load()
        fake_gateway.go_away()
        ended = running.ended()
    outcomes = analysed(ended)
    assert ended.has_failed
    assert set(outcomes) <= {"ok", "connect", "reset"}
    assert outcomes["ok"] == answered.seen >= 20
    assert outcomes["connect"] > 20
    assert sum(outcomes.values()) == PLANNED


def test_a_gateway_that_starts_to_limit_the_rate(pacemark: Pacemark, fake_gateway: FakeGateway) -> None:
    locked = (429, {"Retry-After": "900"}, b'{"detail":"Account locked"}')
    fake_gateway.answer = Turning(100, lambda: locked)
    ended = pacemark(*REST, "--gateway", fake_gateway.url)
    assert ended.status == 3
    assert ended.record["verdict"] == "invalid"
    outcomes = analysed(ended)
    assert outcomes == {"ok": 100, "HTTP 429": PLANNED - 100}
    (line,) = (line for line in ended.errors if "rate limiting" in line)
    assert f"the gateway answered 429 to {PLANNED - 100} of {PLANNED} requests" in line
    assert "RATE_LIMITING_ENABLED=false" in line


def test_every_sample_fails(pacemark: Pacemark, fake_gateway: FakeGateway) -> None:
    answers = itertools.cycle([(500, {}, b"<h1>oops</h1>"), None])
    fake_gateway.answer = Turning(0, lambda: next(answers))
    ended = pacemark(*REST, "--gateway", fake_gateway.url)
    assert ended.has_failed
    outcomes = analysed(ended)
    assert outcomes == {"HTTP 500": PLANNED / 2, "reset": PLANNED / 2}
    (line,) = (line for line in ended.errors if "errors 100 %, limit < 0.1 %" in line)
    assert [name for name in outcomes if f"{name} ({PLANNED // 2})" not in line] == []
    bare = ended.directory / "samples.jtl"
    assert pacemark("stats", bare, "--objectives", "rest_api_baseline").status == 1
