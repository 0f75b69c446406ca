"""Two workers on loopback, called by RMI and on their own, against a server that keeps its own books."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from fake_gateway import FakeGateway
from loopback_server import Request
from nginx_front import NAMED, ForwardProxy, nginx_before
from polars.testing import assert_frame_equal
from waiting import until

from pacemark.asked import Asked
from pacemark.distributed import digest_of, execute
from pacemark.errors import RunError
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.jvm import jvm_settings
from pacemark.jmeter.live import Progress
from pacemark.jmeter.workers import fleet
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import ClockOffset, Link, LostWorkerError
from pacemark.jmeter.workers.share import SharedExecution
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.record import RunRecord
from pacemark.results.shares import SharedSamples, together
from pacemark.results.statistics import figures
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload

pytestmark = [pytest.mark.jmeter, pytest.mark.patient]

SECRET = "a-token-that-must-not-be-seen"


class Worker(NamedTuple):
    address: Address
    process: subprocess.Popen[bytes]
    scratch: Path

    def engines(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


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


@pytest.fixture(params=["called by RMI", "on their own"])
def on_their_own(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """How the engines work, which otherwise the rate decides."""
    own = bool(request.param == "on their own")
    monkeypatch.setattr(fleet, "CONTROLLER_TAKES_PER_S", 1 if own else 1_000_000)
    return own


class Carried(NamedTuple):
    execution: SharedExecution
    run_dir: Path
    command_lines: set[str]
    secrets: list[str]

    def require_nothing_left(self, pair: Sequence[Worker]) -> None:
        """Nothing secret was shown or is left, and nothing else either is left with the workers."""
        written = [path for path in self.run_dir.rglob("*") if path.is_file()]
        for secret in self.secrets:
            assert not any(secret in line for line in self.command_lines)
            assert not any(secret.encode() in path.read_bytes() for path in written)
        for each in pair:
            assert until(lambda each=each: not each.engines() and not list(each.scratch.iterdir()))


def carry_out(
    engine: Engine,
    one: Workload,
    load: Load,
    url: str,
    pair: Sequence[Worker],
    folder: Path,
    *,
    connection: Connection = DIRECT,
    tokens: Path | None = None,
) -> Carried:
    run_dir = folder / "run"
    stores = folder / "stores"
    run_dir.mkdir()
    stores.mkdir(mode=0o700)
    plan = run_dir / "plan.jmx"
    plan.write_bytes(render(one))
    write_data(run_dir / "data", one.feeds)
    jvm = jvm_settings(connection, url, stores)
    properties = {
        **JMETER_SETTINGS,
        **load_properties(load),
        **jvm.properties,
        "GATEWAY_URL": url,
        "TOKEN": SECRET,
        "DATA_DIR": str(run_dir / "data"),
        "summariser.interval": "5",
    }
    if tokens:
        properties["TOKENS_FILE"] = str(tokens)
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
        system=jvm.system,
    )
    secrets = [SECRET, (Path(os.environ["PACEMARK_KEYS"]) / "password").read_text()]
    secrets += [value for name, value in jvm.system.items() if name.endswith("Password")]
    secrets += tokens.read_text().split()[1:] if tokens else []
    return Carried(execution, run_dir, seen, secrets)


def same(digest: Digest, other: Digest, *but: str) -> None:
    order = [name for name in digest.cells.columns if name not in but]
    one, two = (each.cells.select(order).sort(order) for each in (digest, other))
    assert_frame_equal(one, two, categorical_as_str=True)
    for name in ("start_ms", "end_ms", "slice_s", "window", "runs", "seconds", "absent", "parents"):
        assert getattr(digest, name) == getattr(other, name), name


def test_two_engines_are_one_load(
    engine: Engine,
    fake_gateway: FakeGateway,
    pair: list[Worker],
    on_their_own: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = workload("mcp_jsonrpc_baseline")
    load = Load(threads=7, ramp_up_s=0, duration_s=6, rate_per_s=51)
    # The second one's clock is 1.337 s ahead, as far as anybody can tell: it is told to start then by it.
    ahead = {pair[0].address: ClockOffset(0, 0.001), pair[1].address: ClockOffset(1.337, 0.001)}
    monkeypatch.setattr(Link, "clock_offset", lambda link: ahead[link.address])
    carried = carry_out(engine, one, load, fake_gateway.url, pair, tmp_path)
    execution, run_dir = carried.execution, carried.run_dir
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
    assert [share.offset_ms for share in execution.shares] == [0, 1337]
    first, last = digest.start_ms / 1000, digest.end_ms / 1000
    assert all(share.cpu_share(first, last) for share in execution.shares)
    # Whoever counted them, it is the digest of the samples that are here.
    files = [SharedSamples(Path(share.samples), share.offset_ms) for share in execution.shares]
    same(digest, together(files))
    same(digest, Digest.from_jtl(run_dir / "samples.jtl"), "all_threads")
    assert [bool(share.digest) for share in execution.shares] == [on_their_own] * 2
    by_rmi = [line for line in carried.command_lines if "-Djava.rmi.server.hostname=127.0.0.1" in line]
    assert bool(by_rmi) is not on_their_own
    # The workers wait for the next run.
    carried.require_nothing_left(pair)
    for each in pair:
        each.process.terminate()
        assert each.process.wait(20) == 0


class Doorkeeper(FakeGateway):
    """Remembers whose tokens came."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: Counter[str] = Counter()

    def _book(self, request: Request) -> None:
        super()._book(request)
        self.tokens[request.headers["authorization"].removeprefix("Bearer ")] += 1


@pytest.mark.nginx
def test_certificates_proxy_and_tokens_reach_the_engines(
    engine: Engine, pair: list[Worker], on_their_own: bool, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.csv"
    users = [f"a-secret-token-of-user-{number}" for number in range(5)]
    tokens.write_text("\n".join(["token", *users]), encoding="utf-8")
    (tmp_path / "nginx").mkdir()
    one, load = workload("rest_api_baseline"), Load(threads=5, ramp_up_s=0, duration_s=5, rate_per_s=50)
    with (
        Doorkeeper() as gateway,
        nginx_before(gateway.url, tmp_path / "nginx") as fronts,
        ForwardProxy(user="me", password="p@ ss") as proxy,
    ):
        connection = Connection.read(
            {"HTTPS_PROXY": proxy.url.replace("//", "//me:p%40%20ss@")},
            ca_file=fronts.ca_file,
            cert=fronts.cert,
            key=fronts.key,
        )
        place = f"{NAMED}:{fronts.ports['client']}"
        carried = carry_out(
            engine, one, load, f"https://{place}/base", pair, tmp_path, connection=connection, tokens=tokens
        )
    digest = digest_of(carried.execution)
    assert figures(digest).outcomes == {"ok": digest.count}
    assert digest.count == sum(gateway.tokens.values()) > len(users)
    # Of two engines with 3 and 2 threads none has a user of the other's.
    assert sorted(gateway.tokens) == users
    assert set(proxy.tunnels) == {place}
    carried._replace(secrets=[*carried.secrets, "p@ ss"]).require_nothing_left(pair)


@pytest.mark.nginx
def test_engines_refuse_a_certificate_of_another_authority(
    engine: Engine, pair: list[Worker], on_their_own: bool, tmp_path: Path
) -> None:
    (tmp_path / "nginx").mkdir()
    one, load = workload("rest_api_baseline"), Load(threads=2, ramp_up_s=0, duration_s=2, rate_per_s=20)
    with Doorkeeper() as gateway, nginx_before(gateway.url, tmp_path / "nginx") as fronts:
        trusting = Connection.read({}, ca_file=fronts.ca_file)
        carried = carry_out(engine, one, load, fronts.unknown, pair, tmp_path, connection=trusting)
    digest = digest_of(carried.execution)
    assert digest.errors == digest.count > 10
    assert not gateway.tokens
    said = (carried.run_dir / "samples.jtl").read_text(encoding="utf-8")
    assert said.count("SSLHandshakeException") >= digest.count


def measured(
    engine: Engine, gateway: FakeGateway, pair: list[Worker], folder: Path, after_some: Callable[[], None]
) -> tuple[RunRecord, Path]:
    """A run in whose middle something happens."""
    one = workload("rest_api_baseline")
    asked = Asked(
        workload=one,
        scale="smoke",
        load=Load(threads=4, ramp_up_s=0, duration_s=6, rate_per_s=60),
        warm_up_s=0,
        objectives=one.objectives,
        url=gateway.url,
        credentials=Credentials(SECRET, "a test"),
        out=folder / "results",
        heap_mb=512,
        workers=tuple(each.address for each in pair),
    )

    def look(progress: Progress) -> None:
        if progress.samples > 60:
            after_some()

    return run(asked, engine, on_progress=look)


def test_a_worker_that_dies_is_named_and_the_others_count(
    engine: Engine, fake_gateway: FakeGateway, pair: list[Worker], on_their_own: bool, tmp_path: Path
) -> None:
    dying = pair[1]
    record, directory = measured(engine, fake_gateway, pair, tmp_path, dying.process.kill)
    assert (record.verdict, record.exit_status) == ("invalid", 3)
    assert f"worker {dying.address} was lost: it closed the connection" in record.reasons[0].text
    whole, lost = record.workers
    assert (whole.lost, whole.due, lost.due) == ("", 180, 180)
    assert lost.lost
    assert lost.recorded.count < 180 * 0.9 < whole.recorded.count
    # What an engine on its own had recorded went with its worker, and that is said.
    assert ("samples with it" in lost.lost) is (lost.recorded.count == 0) is on_their_own
    # What was recorded is analysed all the same, and the report has the workers.
    assert record.recorded.count == whole.recorded.count + lost.recorded.count
    assert [one.title for one in record.sections if not one.is_background][-1] == "Workers"
    assert str(dying.address) in (directory / "index.html").read_text(encoding="utf-8")
    assert not is_open(dying.address.port + 1)


def test_an_engine_that_dies_is_named_and_its_samples_until_then_count(
    engine: Engine, fake_gateway: FakeGateway, pair: list[Worker], on_their_own: bool, tmp_path: Path
) -> None:
    dying = pair[1]

    def kill() -> None:
        for java in dying.engines():
            java.kill()

    record, directory = measured(engine, fake_gateway, pair, tmp_path, kill)
    assert (record.verdict, record.exit_status) == ("invalid", 3)
    assert f"worker {dying.address} was lost: its JMeter ended" in record.reasons[0].text
    whole, lost = record.workers
    assert 0 < lost.recorded.count < 180 * 0.9 < whole.recorded.count
    assert record.recorded.count == whole.recorded.count + lost.recorded.count
    assert Digest.from_jtl(directory / "samples.jtl").count == record.recorded.count


def test_what_came_before_an_interruption_counts(
    engine: Engine, fake_gateway: FakeGateway, pair: list[Worker], on_their_own: bool, tmp_path: Path
) -> None:
    pressed: list[bool] = []

    def interrupt() -> None:
        if not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    record, directory = measured(engine, fake_gateway, pair, tmp_path, interrupt)
    assert (record.interrupted, record.verdict) == (True, "invalid")
    assert 60 < record.recorded.count < 360
    assert Digest.from_jtl(directory / "samples.jtl").count == record.recorded.count
    assert record.recorded.count == sum(one.recorded.count for one in record.workers)
    for each in pair:
        assert until(lambda each=each: not each.engines() and not list(each.scratch.iterdir()))


def test_an_engine_ends_with_its_controller(engine: Engine, standing: Worker, keys: Path) -> None:
    link = Link.to(standing.address, Keystore.find(keys), engine)
    link.ask("prepare", properties={}, system={}, files={"DATA_DIR": {"a.csv": "eAo="}}, heap_mb=256)
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
