import os
import subprocess
import sys
from pathlib import Path

import psutil

from pacemark.gateway.service import HttpProbe, Service, ServiceState, Spec, State, TcpProbe, process
from pacemark.gateway.spec import LOOPBACK, Secrets, free_ports


def test_a_spec_comes_back_as_it_was_written(tmp_path: Path) -> None:
    probes = (HttpProbe(url="http://127.0.0.1:1/health"), TcpProbe(host=LOOPBACK, port=2))
    services = tuple(
        Service(name=p.kind, argv=("true",), cwd=tmp_path, env={"A": "b"}, secret_env=("S",), probe=p)
        for p in probes
    )
    spec = Spec(data_dir=tmp_path, levels=(services,))
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    state = State(pid=1, pid_created=2.5, started=3, services={"x": ServiceState(pid=4, pid_created=5)})
    state.save(tmp_path)
    assert State.load(tmp_path) == state


def test_no_state_and_a_broken_one_are_none(tmp_path: Path) -> None:
    assert State.load(tmp_path / "nowhere") is None
    (tmp_path / "state.json").write_text('{"phase":')
    assert State.load(tmp_path) is None


def test_a_process_is_known_by_its_creation_too() -> None:
    me = psutil.Process()
    assert process(me.pid, me.create_time()) == me
    assert process(me.pid, me.create_time() - 60) is None


def test_a_process_that_is_gone_is_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    created = psutil.Process(child.pid).create_time()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process(child.pid, created) is None  # a zombie
    child.wait()
    assert process(child.pid, created) is None


def test_free_ports_differ() -> None:
    assert len(set(free_ports(20))) == 20


def test_secrets_are_fresh_and_never_shown() -> None:
    first, second = Secrets.fresh(), Secrets.fresh()
    assert not set(first.environment.values()) & set(second.environment.values())
    assert not [value for value in first.environment.values() if value in repr(first)]
