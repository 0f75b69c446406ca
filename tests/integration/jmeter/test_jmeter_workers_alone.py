"""An engine on its own, from order to digest, over a real connection; a script plays JMeter."""

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from pacemark.distributed import count, digest_of, reasons
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.java import Java
from pacemark.jmeter.workers import parcel
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import ClockOffset, Link, LostWorkerError
from pacemark.jmeter.workers.parcel import packed
from pacemark.jmeter.workers.part import Orders, OwnPart
from pacemark.jmeter.workers.session import Session
from pacemark.jmeter.workers.share import Share, SharedExecution
from pacemark.jmeter.workers.wire import Message, Wire
from pacemark.results.digest import Digest
from pacemark.workloads import workload
from pacemark.workloads.load import Load

LOAD = Load(threads=2, ramp_up_s=0, duration_s=5, rate_per_s=9000)
START_MS = 1_700_000_000_000
AHEAD_MS = 1337

SCRIPT = r"""
import json, os, pathlib, stat, sys, time

def given(option):
    lines = pathlib.Path(sys.argv[sys.argv.index(option) + 1]).read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines)
    return {name: value.encode().decode("unicode_escape") for name, value in pairs}

def seen(path):
    return {"mode": stat.S_IMODE(path.stat().st_mode), "content": path.read_bytes().hex()}

properties, system = given("-q"), given("-S")
named = {**properties, **system}
files = {name: seen(pathlib.Path(named[name])) for name in json.loads(os.environ["NAMES"])}
evidence = {"argv": sys.argv[1:], "properties": properties, "system": system, "files": files,
            "folder": stat.S_IMODE(pathlib.Path(".").stat().st_mode)}
pathlib.Path(os.environ["EVIDENCE"]).write_text(json.dumps(evidence))
together = pathlib.Path(properties["START_FOLDER"])
(together / "ready").touch()
while not (together / "start").exists():
    time.sleep(0.01)
recorded = pathlib.Path(os.environ["RECORDED"]).read_bytes()
pathlib.Path(sys.argv[sys.argv.index("-l") + 1]).write_bytes(recorded)
"""


class Scripted(Engine):
    """A JMeter that is none."""

    def command(self, args: Sequence[str], **_: Any) -> list[str]:
        return [sys.executable, str(self.home / "jmeter.py"), *args]


@contextmanager
def connected(engine: Engine, keys: Keystore, scratch: Path) -> Iterator[Link]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
    session = Session(engine, keys, Wire(there), 1099, count)
    thread = threading.Thread(target=session.hold)
    thread.start()
    link = Link(Address("127.0.0.1", 1099), Wire(here))
    link.about = link.ask("hello")
    try:
        yield link
    finally:
        link.close()
        thread.join(20)
        there.close()
        assert not list(scratch.iterdir())


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two thousand samples, some with what CSV has to quote."""
    columns = "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage,allThreads"
    bad, good = '503,Busy,false,"not ""such""\na thing"', "200,OK,true,"
    rows = [
        f"{START_MS + AHEAD_MS + 3 * n},{n % 50},GET /tools,{good if n % 10 else bad},2" for n in range(2000)
    ]
    path = tmp_path / "recorded.jtl"
    path.write_text("\n".join([columns, *rows, ""]), encoding="utf-8")
    return path


@pytest.fixture
def link(tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    (tmp_path / "jmeter.py").write_text(SCRIPT, encoding="utf-8")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setenv("RECORDED", str(recorded))
    monkeypatch.setenv("EVIDENCE", str(tmp_path / "evidence.json"))
    monkeypatch.setenv("NAMES", "[]")
    # Its clock is ahead, as far as anybody can tell.
    monkeypatch.setattr(Link, "clock_offset", lambda _: ClockOffset(AHEAD_MS / 1000, 0.001))
    engine = Scripted(tmp_path, "5.6.3", Java(tmp_path, "21.0.8", "a test"))
    with connected(engine, Keystore.make(tmp_path / "keys"), scratch) as link:
        yield link


def carried(link: Link, folder: Path, **orders: Any) -> OwnPart:
    """Its load is over, and nothing collected yet."""
    part = OwnPart(0, 1, link, LOAD, folder / "run")
    plan = folder / "plan.jmx"
    plan.write_text("<plan/>", encoding="utf-8")
    nothing: dict[str, Any] = {"properties": {}, "system": {}, "files": {}}
    part.prepare(Orders(plan=plan, heap_mb=64, **(nothing | orders)))
    end = time.monotonic() + 20
    while not part.look()["ready"]:
        assert time.monotonic() < end
    link.ask("start", at_ms=START_MS)
    while not part.is_over:
        assert time.monotonic() < end
        part.watch()
    part.end()
    return part


def execution_of(share: Share) -> SharedExecution:
    return SharedExecution(
        started=0,
        ended=1,
        exit_code=0,
        stopped="",
        clock_step_s=0,
        cores=1,
        cpu=[],
        gc_log="",
        shares=[share],
    )


def test_what_is_shipped_reaches_the_engine_out_of_sight(
    link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, tokens = tmp_path / "trust.p12", tmp_path / "tokens.csv"
    store.write_bytes(bytes(range(256)))
    tokens.write_text("token\ntöken", encoding="utf-8")
    paths = {"javax.net.ssl.trustStore": store, "TOKENS_FILE": tokens}
    monkeypatch.setenv("NAMES", json.dumps(list(paths)))
    carried(
        link,
        tmp_path,
        properties={"TOKEN": "a secret", "TOKENS_FILE": str(tokens)},
        system={"javax.net.ssl.keyStorePassword": "another", "javax.net.ssl.trustStore": str(store)},
        files={name: packed(path) for name, path in paths.items()},
    )
    evidence = json.loads((tmp_path / "evidence.json").read_text())
    for name, path in paths.items():
        assert evidence["files"][name] == {"mode": 0o600, "content": path.read_bytes().hex()}
    assert evidence["folder"] == 0o700
    assert evidence["properties"]["TOKEN"] == "a secret"
    assert evidence["properties"]["WORKER_THREADS"] == "2"
    assert evidence["system"]["javax.net.ssl.keyStorePassword"] == "another"
    assert not any(secret in " ".join(evidence["argv"]) for secret in ("a secret", "another"))
    # The private folder goes with the connection: see connected().


def test_the_digest_and_then_the_samples_come_by_the_controllers_clock(
    link: Link, recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "CHUNK_BYTES", 1000)
    part = carried(link, tmp_path)
    assert part.first_ms == START_MS
    # Another engine's first sample was a little earlier.
    part.collect(START_MS - 250)
    share = part.share()
    assert (share.lost, share.unfetched, share.started, share.errors) == ("", "", 2000, 200)
    assert Path(share.samples).read_bytes() == recorded.read_bytes()
    digest = digest_of(execution_of(share))
    here = Digest.from_jtl(recorded, ahead_ms=AHEAD_MS, origin_ms=START_MS - 250)
    assert_frame_equal(digest.cells, here.cells, categorical_as_str=True, check_row_order=False)
    assert (digest.start_ms, digest.end_ms) == (here.start_ms, here.end_ms) == (START_MS - 250, here.end_ms)


def test_where_samples_cannot_be_fetched_the_digest_stands_and_it_is_said(
    link: Link, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parcel, "CHUNK_BYTES", 1000)
    part, ask = carried(link, tmp_path), link.ask

    def break_off(what: str, **values: Any) -> Message:
        if values.get("name") == "samples.jtl" and values["at"] > 5000:
            raise LostWorkerError("broke the connection")
        return ask(what, **values)

    monkeypatch.setattr(link, "ask", break_off)
    part.collect(START_MS)
    share = part.share()
    assert (share.samples, share.lost) == ("", "")
    assert not list(part.folder.glob("samples*"))
    execution = execution_of(share)
    assert digest_of(execution).count == share.started == 2000
    (warning,) = reasons(execution, workload("sse_streaming_baseline"))
    assert warning.level == "warning"
    assert "worker 127.0.0.1:1099 are not in samples.jtl: it broke the connection" in warning.text


def test_who_has_had_enough_gets_the_digest_only(link: Link, tmp_path: Path) -> None:
    part = carried(link, tmp_path)
    part.enough = True
    part.collect(START_MS)
    share = part.share()
    assert (share.samples, share.unfetched, bool(share.digest)) == ("", "interrupted", True)


def test_no_other_file_can_be_had(link: Link, tmp_path: Path) -> None:
    carried(link, tmp_path)
    with pytest.raises(Exception, match="is no file to be had"):
        link.ask("read", name="../../etc/passwd", at=0)
