"""What is broken on purpose on the full stack is what the report names.

Ten minutes and more, most of it waiting: ``make faults``, and no part of ``make test``.
"""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from e2e_command import Ended, Pacemark, rows
from full_ports import elsewhere

from pacemark.gateway.detached import SECRETS_FILE
from pacemark.gateway.full.spec import ACCESS_LOG, NGINX, TOKEN_FILE
from pacemark.gateway.service import State
from pacemark.results.digest import SAMPLES_FILE
from pacemark.workloads import WORKLOADS

pytestmark = [pytest.mark.jmeter, pytest.mark.gateway, pytest.mark.faults, pytest.mark.timeout(1200)]

LASTS_S = 60
BREAKS_S = 20
"""When something is broken, in seconds from about the first sample."""
SETTLES_S = 25
"""Of a stack: four scrapes, after which a rate is of nothing before."""


class FullStack:
    """A full stack on ports of its own, started and used by the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state_home = folder / "state"
        self.pacemark = self.beside("stack")

    def beside(self, name: str) -> Pacemark:
        """The command in a directory of its own, which knows the stack."""
        (self.folder / name).mkdir()
        return Pacemark(self.folder / name, XDG_STATE_HOME=str(self._state_home))

    def up(self) -> None:
        self.ports = elsewhere()
        moved = [part for name, port in self.ports.items() for part in ("--port", f"{name}={port}")]
        ended = self.pacemark("stack", "up", "--full", *moved)
        assert ended.status == 0, ended.stderr
        time.sleep(SETTLES_S)

    def down(self) -> None:
        databases = json.loads((self.home / "spec.json").read_text(encoding="utf-8"))["remove_after"]
        assert self.pacemark("stack", "down").status == 0
        gone = [self.home / SECRETS_FILE, self.home / TOKEN_FILE, *map(Path, databases)]
        assert [path for path in gone if path.exists()] == []

    @property
    def home(self) -> Path:
        """Where the stack's logs and its state are."""
        return self._state_home / "pacemark" / "stack"

    @property
    def url(self) -> str:
        return f"http://localhost:{self.ports[NGINX]}"

    def process(self, service: str) -> psutil.Process:
        state = State.load(self.home)
        assert state is not None
        return psutil.Process(state.services[service].pid)

    def psql(self, service: str, database: str, statements: str) -> None:
        password = self.process("pgbouncer-exporter").environ()["DATABASE_PASSWORD"]
        command = ["psql", "--host", "127.0.0.1", "--port", str(self.ports[service]), "--username", "mcp"]
        subprocess.run(
            [*command, "--quiet", database],
            input=statements.encode(),
            env={**os.environ, "PGPASSWORD": password},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def run(
        self, name: str, workload: str, rate: int, breaking: Callable[[], None], *, threads: int = 10
    ) -> Ended:
        """A run of a minute, in which ``breaking`` is called, in a thread of its own."""
        users = ("--rate", str(rate), "--threads", str(threads))
        command = ("run", workload, "--gateway", self.url, "--no-dashboard", *users)
        with self.beside(name).started(*command, "--duration", f"{LASTS_S}s", "--ramp-up", "5s") as running:
            running.wait_for_load(1)
            breaks = threading.Timer(BREAKS_S, breaking)
            breaks.start()
            ended = running.ended(300)
            breaks.join()
        return ended


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullStack]:
    one = FullStack(tmp_path_factory.mktemp("faults"))
    one.up()
    yield one
    one.down()


@contextmanager
def started_anew(stack: FullStack) -> Iterator[None]:
    """After what is broken in it cannot be mended, whatever the test found."""
    try:
        yield
    finally:
        stack.down()
        stack.up()


def reasons(ended: Ended) -> list[str]:
    return [reason["text"] for reason in ended.record["reasons"]]


def first_to_saturate(ended: Ended) -> str:
    (text,) = [text for text in reasons(ended) if text.startswith("first to saturate was ")]
    return text.removeprefix("first to saturate was ")


def saturated(ended: Ended) -> str:
    """What the report's section says, also of a run that did not fail."""
    sections = ended.record["sections"]
    (summary,) = [one["summary"] for one in sections if one["title"] == "First to saturate"]
    return str(summary)


def moment(text: str) -> float:
    found = re.search(r"from (\d+)(?: to \d+)? s", text)
    assert found, text
    return float(found[1])


def nothing() -> None:
    """For a load that is enough by itself."""


def test_all_ten_pass_and_the_slowest_samples_lead_to_their_own_log_lines(stack: FullStack) -> None:
    pacemark = stack.beside("ten")
    ended = pacemark("run", *WORKLOADS, "--gateway", stack.url, "--scale", "smoke", "--json", seconds=900)
    verdicts = {run["workload"]: run["verdict"] for run in ended.json["runs"]}
    assert verdicts == dict.fromkeys(WORKLOADS, "pass"), ended.stderr
    for run in ended.json["runs"]:
        directory = pacemark.folder / run["directory"]
        (system,) = [one for one in run["sections"] if one["title"] == "System"]
        assert "Prometheus has nothing" not in str(run["reasons"])
        assert len(system["rows"]) > 30
        slowest = [one for one in run["sections"] if one["title"] == "Slowest samples"]
        with (directory / "logs.jsonl").open(encoding="utf-8") as file:
            logged = {json.loads(line)["trace_id"] for line in file}
        traces = set(re.findall(r"\b[0-9a-f]{32}\b", json.dumps(slowest)))
        # What goes over one connection or past the gateway has no line of its own there.
        if run["workload"] in ("rest_api_baseline", "mcp_jsonrpc_baseline", "load_test"):
            assert len(traces) >= 20
            assert traces <= logged


def test_a_lock_is_the_databases(stack: FullStack) -> None:
    lock = "begin; lock table tools in access exclusive mode; select pg_sleep(22); commit;"
    ended = stack.run("lock", "load_test", 8, lambda: stack.psql("postgres", "mcp", lock))
    assert ended.status == 1
    first = first_to_saturate(ended)
    assert first.startswith("the database: ")
    assert BREAKS_S - 5 < moment(first) < BREAKS_S + 30


def test_a_slow_database_is_the_databases(stack: FullStack) -> None:
    """Its processes stand still nine tenths of the time."""

    def slow() -> None:
        server = stack.process("postgres")
        end = time.monotonic() + 35
        while time.monotonic() < end:
            # Its sessions alone: what writes ahead must not be waited for by a checkpoint.
            sessions = [one for one in server.children() if "mcp mcp" in " ".join(one.cmdline())]
            for each, seconds in (("suspend", 0.36), ("resume", 0.04)):
                for one in sessions:
                    with suppress(psutil.Error):
                        getattr(one, each)()
                time.sleep(seconds)

    ended = stack.run("slow", "load_test", 8, slow)
    assert ended.status == 1
    assert first_to_saturate(ended).startswith("the database: queries are slow")


def test_a_pool_of_two_is_the_pools(stack: FullStack) -> None:
    def size(connections: int) -> Callable[[], None]:
        change = f"set default_pool_size={connections}; kill mcp; resume mcp;".replace("; ", ";\n")
        return lambda: stack.psql("pgbouncer", "pgbouncer", change)

    ended = stack.run("pool", "load_test", 12, size(2))
    size(40)()
    assert ended.status in (1, 3)
    assert first_to_saturate(ended).startswith("the pool: ")


def test_more_than_the_processors_can_is_the_processors(stack: FullStack) -> None:
    # As many threads as fill the gateways' own pools: it is not PgBouncer's that is short.
    ended = stack.run("cpu", "rest_api_baseline", 150, nothing, threads=60)
    assert ended.status in (1, 3)
    first = saturated(ended)
    assert first.startswith(("The processor: ", "The gateway: a gateway's event loop is busy"))


def test_a_gateway_that_hangs_is_the_gateways(stack: FullStack) -> None:
    """It neither ends nor answers for half a minute, and then goes on."""
    hung = stack.process("gateway-2")

    def hang() -> None:
        hung.suspend()
        time.sleep(30)
        hung.resume()

    ended = stack.run("hang", "mcp_jsonrpc_baseline", 8, hang)
    assert ended.status == 1
    (told,) = [text for text in reasons(ended) if "but the gateway itself did: " in text]
    assert "a gateway process does not answer" in told
    assert BREAKS_S - 5 < moment(told) < BREAKS_S + 15


def test_a_gateway_that_is_killed_is_named_and_others_take_over(stack: FullStack) -> None:
    with started_anew(stack):
        victim = stack.process("gateway-2")
        ended = stack.run("kill", "mcp_jsonrpc_baseline", 8, lambda: victim.send_signal(signal.SIGKILL))
        assert ended.status == 3
        (told,) = [text for text in reasons(ended) if text.startswith("gateway-2 ended ")]
        found = re.search(r"(\d+) s into the run", told)
        assert found
        assert BREAKS_S - 5 < float(found[1]) < BREAKS_S + 10
        # nginx's books: what it answered for a gateway that was gone, and what another one took over.
        books = [json.loads(line) for line in (stack.home / ACCESS_LOG).read_text("utf-8").splitlines()]
        samples = {row["trace_id"]: row["success"] == "true" for row in rows(ended.directory / SAMPLES_FILE)}
        mine = [one for one in books if one["correlation_id"] in samples]
        assert len(mine) == len(samples) == ended.record["recorded"]["count"]
        lost = {one["correlation_id"] for one in mine if one["status"] >= 499}
        assert {trace for trace, is_ok in samples.items() if not is_ok} == lost
        assert any("," in one["upstream"] for one in mine)


def test_redis_that_is_stopped_is_rediss(stack: FullStack) -> None:
    ended = stack.run("redis", "rest_api_baseline", 6, stack.process("redis").terminate)
    first = saturated(ended)
    assert first.startswith("Redis: Redis does not answer")
    assert BREAKS_S - 5 < moment(first) < BREAKS_S + 15
