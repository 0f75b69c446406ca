"""Two workers on loopback with JMeter's own remote engines, against a server that keeps its own books."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from fake_gateway import FakeGateway

from pacemark.asked import Asked
from pacemark.distributed import digest_of, execute
from pacemark.errors import RunError
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.live import Progress
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import Link, LostWorkerError
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.statistics import figures
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.load import Load

pytestmark = [pytest.mark.jmeter, pytest.mark.patient]

SECRET = "a-token-that-must-not-be-seen"


class Worker(NamedTuple):
    address: Address
    process: subprocess.Popen[bytes]
    scratch: Path

    def engines(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


def until(condition: Callable[[], bool], seconds: float = 90) -> bool:
    end = time.monotonic() + seconds
    while not (there := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return there


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def free_ports() -> int:
    """The first of three that nobody listens on."""
    for port in range(20_000 + os.getpid() % 10_000, 60_000, 3):
        if not any(is_open(port + n) for n in range(3)):
            return port
    raise AssertionError("no free ports")


@contextmanager
def worker(folder: Path, keys: Path) -> Iterator[Worker]:
    """``pacemark worker`` with a copy of the keys in a place of its own, as on another machine."""
    shutil.copytree(keys, folder / "keys")
    scratch = folder / "tmp"
    scratch.mkdir()
    port = free_ports()
    command = [sys.executable, "-m", "pacemark", "worker", "--host", "127.0.0.1", "--port", str(port)]
    environ = {**os.environ, "PACEMARK_KEYS": str(folder / "keys"), "TMPDIR": str(scratch)}
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=said, stderr=said)
    try:
        assert until(lambda: is_open(port)), (folder / "said.txt").read_text()
        yield Worker(Address("127.0.0.1", port), process, scratch)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Keystore.make(tmp_path_factory.mktemp("controller") / "keys").folder


@pytest.fixture
def pair(tmp_path: Path, keys: Path) -> Iterator[list[Worker]]:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with worker(tmp_path / "one", keys) as one, worker(tmp_path / "two", keys) as two:
        yield [one, two]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Iterator[Worker]:
    """One worker for the tests that leave it as it is."""
    with worker(tmp_path_factory.mktemp("standing"), keys) as one:
        yield one


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch, keys: Path) -> None:
    monkeypatch.setenv("PACEMARK_KEYS", str(keys))


def test_two_engines_are_one_load(
    engine: Engine, fake_gateway: FakeGateway, pair: list[Worker], tmp_path: Path
) -> None:
    one = workload("mcp_jsonrpc_baseline")
    load = Load(threads=7, ramp_up_s=0, duration_s=6, rate_per_s=51)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    plan = run_dir / "plan.jmx"
    plan.write_bytes(render(one))
    write_data(run_dir / "data", one.feeds)
    properties = {
        **JMETER_SETTINGS,
        **load_properties(load),
        "GATEWAY_URL": fake_gateway.url,
        "TOKEN": SECRET,
        "DATA_DIR": str(run_dir / "data"),
        "summariser.interval": "5",
    }
    seen: set[str] = set()

    def look(_: object) -> None:
        for process in psutil.process_iter(["cmdline"]):
            seen.add(" ".join(process.info["cmdline"] or ()))

    execution = execute(
        engine,
        [each.address for each in pair],
        plan,
        properties,
        load,
        run_dir,
        heap_mb=512,
        on_progress=look,
    )
    digest, planned = digest_of(execution), sum(stage.slots for stage in load.stages)
    assert (execution.stopped, execution.exit_code) == ("", 0)
    # The asked load, not twice that, and as one: all that the server has in its books, once.
    assert sum(share.started for share in execution.shares) == digest.count
    assert {label: digest.only(label).count for label in digest.labels} == dict(fake_gateway.requests)
    assert figures(digest).outcomes == {"ok": digest.count}
    assert execution.reported == (digest.count, 0)
    assert execution.slots == [(planned, digest.count)]
    assert planned / 2 < digest.count <= planned == 306
    assert all(share.started <= 153 for share in execution.shares)
    assert digest.window.seconds < 7.5
    assert [share.threads for share in execution.shares] == [4, 3]
    for request in one.requests:
        assert abs(digest.only(request.label).count - digest.count * request.weight / 100) <= 2
    # Ids are fresh over both, and the data files were there.
    calls = [json.loads(body) for body in fake_gateway.bodies]
    assert len({call["id"] for call in calls}) == digest.count
    assert all("$" not in json.dumps(call["params"]) for call in calls)
    assert all(share.offset_within_ms < 1000 and share.offset_ms == 0 for share in execution.shares)
    assert all(share.cpu_share(execution.ended - 8, execution.ended - 2) for share in execution.shares)
    assert Digest.from_jtl(run_dir / "samples.jtl").count == digest.count
    # Nothing secret is left, and nothing else either: the workers wait for the next run.
    assert any("-Djava.rmi.server.hostname=127.0.0.1" in line for line in seen)
    secrets = [SECRET, (Path(os.environ["PACEMARK_KEYS"]) / "password").read_text()]
    written = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret in line for line in seen)
        assert not any(secret.encode() in path.read_bytes() for path in written)
    for each in pair:
        assert until(lambda each=each: not each.engines() and not list(each.scratch.iterdir()))
        each.process.terminate()
        assert each.process.wait(20) == 0


def test_a_worker_that_dies_is_named_and_the_others_count(
    engine: Engine, fake_gateway: FakeGateway, pair: list[Worker], tmp_path: Path
) -> None:
    one = workload("rest_api_baseline")
    load = Load(threads=4, ramp_up_s=0, duration_s=6, rate_per_s=60)
    asked = Asked(
        workload=one,
        scale="smoke",
        load=load,
        warm_up_s=0,
        objectives=one.objectives,
        url=fake_gateway.url,
        credentials=Credentials(SECRET, "a test"),
        out=tmp_path / "results",
        heap_mb=512,
        workers=tuple(each.address for each in pair),
    )
    dying = pair[1]

    def kill(progress: Progress) -> None:
        if progress.samples > 60:
            dying.process.kill()

    record, directory = run(asked, engine, on_progress=kill)
    assert (record.verdict, record.exit_status) == ("invalid", 3)
    assert f"worker {dying.address} was lost: it closed the connection" in record.reasons[0].text
    whole, lost = record.workers
    assert (whole.lost, whole.due, lost.due) == ("", 180, 180)
    assert lost.lost
    assert 0 < lost.recorded.count < 180 * 0.9 < whole.recorded.count
    # What was recorded is analysed all the same, and the report has the workers.
    assert record.recorded.count == whole.recorded.count + lost.recorded.count
    assert record.sections[-1].title == "Workers"
    assert str(dying.address) in (directory / "index.html").read_text(encoding="utf-8")
    assert not is_open(dying.address.port + 1)


def test_an_engine_ends_with_its_controller(engine: Engine, standing: Worker, keys: Path) -> None:
    link = Link.to(standing.address, Keystore.find(keys), engine)
    link.ask("prepare", properties={}, files={"DATA_DIR": {"a.csv": "x\n1\n"}}, heap_mb=256)
    assert until(lambda: link.ask("look")["serving"])
    (java,) = standing.engines()
    assert len(list(standing.scratch.iterdir())) > 0
    with pytest.raises(RunError, match=r"is busy with another run"):
        Link.to(standing.address, Keystore.find(keys), engine)
    link.close()
    assert until(lambda: not java.is_running() and not list(standing.scratch.iterdir()))
    # And the worker takes the next one.
    again = Link.to(standing.address, Keystore.find(keys), engine)
    assert abs(again.clock_offset().seconds) < 0.5
    again.close()


def test_who_cannot_be_had_is_named_before_any_load(
    engine: Engine, fake_gateway: FakeGateway, standing: Worker, tmp_path: Path
) -> None:
    nobody = Address("127.0.0.1", free_ports())
    command = [sys.executable, "-m", "pacemark", "run", "rest_api_baseline", "--gateway", fake_gateway.url]
    command += ["--workers", f"{standing.address},{nobody}", "--scale", "smoke", "--out", str(tmp_path)]
    environ = {**os.environ, "MCPGATEWAY_BEARER_TOKEN": SECRET}
    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert run.returncode == 3
    assert f"worker {nobody} cannot be reached: Connection refused" in run.stderr
    assert f"pacemark worker --port {nobody.port}" in run.stderr
    # The preflight's own few requests only.
    assert fake_gateway.requests["GET /health"] <= 2


def test_another_key_lets_nobody_in(engine: Engine, standing: Worker, tmp_path: Path) -> None:
    other = Keystore.make(tmp_path / "others")
    with pytest.raises(RunError) as refused:
        Link.to(standing.address, other, engine)
    assert "copy one keystore's folder" in str(refused.value)


def test_a_worker_of_another_version_is_refused(engine: Engine, standing: Worker, keys: Path) -> None:
    other = Engine(engine.home, "5.6.2", engine.java)
    with pytest.raises(RunError, match=r"has JMeter 5\.6\.3, this machine 5\.6\.2"):
        Link.to(standing.address, Keystore.find(keys), other)


def test_a_worker_that_is_gone_is_told_from_one_that_answers(
    engine: Engine, tmp_path: Path, keys: Path
) -> None:
    with worker(tmp_path, keys) as one:
        link = Link.to(one.address, Keystore.find(keys), engine)
    with pytest.raises(LostWorkerError, match="connection"):
        link.ask("time")
    link.close()
