"""How a load is divided over workers, where they are, and the key they share."""

import stat
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacemark.distributed import execute
from pacemark.errors import InputError, RunError, SetupError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.java import Java
from pacemark.jmeter.live import Progress, side_by_side
from pacemark.jmeter.workers import parcel
from pacemark.jmeter.workers.address import Address, addresses
from pacemark.jmeter.workers.fleet import CONTROLLER_TAKES_PER_S, kind_of
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.link import ClockOffset
from pacemark.jmeter.workers.parcel import chunk, packed, unchunked, unpack
from pacemark.jmeter.workers.part import CalledPart, OwnPart
from pacemark.jmeter.workers.share import share_of, share_properties, slots_together
from pacemark.workloads.load import Load


@given(total=st.integers(0, 10**9), workers=st.integers(1, 200))
def test_shares_add_up_and_differ_by_one_at_most(total: int, workers: int) -> None:
    shares = [share_of(total, worker, workers) for worker in range(workers)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


@given(total=st.integers(0, 300), workers=st.integers(1, 9))
def test_a_share_is_every_nth_slot(total: int, workers: int) -> None:
    for worker in range(workers):
        assert share_of(total, worker, workers) == len(range(worker, total, workers))


def test_a_worker_has_its_threads_and_the_whole_loads_rate() -> None:
    load = Load(threads=7, ramp_up_s=1, duration_s=9, rate_per_s=101)
    each = [share_properties(load, worker, 3) for worker in range(3)]
    assert [one["WORKER_THREADS"] for one in each] == ["3", "2", "2"]
    assert [one["WORKER"] for one in each] == ["0", "1", "2"]
    assert all(one["WORKERS"] == "3" and "TARGET_RPS" not in one for one in each)


def test_slots_of_all_engines_are_known_when_each_tells_its_own() -> None:
    assert slots_together([[(5, 5), (10, 9)], [(4, 4), (10, 10)]]) == [(9, 9), (20, 19)]
    assert slots_together([[(5, 5), (10, 9)], []]) == []


def test_addresses_are_read_in_their_order() -> None:
    assert addresses("load-1, 10.0.0.7:2000") == (Address("load-1", 1099), Address("10.0.0.7", 2000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no worker's address"),
        ("a:b", "'a:b' is no worker's address"),
        ("a:65534", "'a:65534' is no worker's address"),
        ("a,,b", "'' is no worker's address"),
        ("a,b,a:1099", "names a:1099 twice"),
    ],
)
def test_what_is_no_address_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        addresses(text)
    assert message in str(refused.value)


def test_a_keystore_is_its_users_alone_and_never_made_twice(tmp_path: Path) -> None:
    made = Keystore.make(tmp_path / "keys")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir()}
    assert modes == {"keystore.p12": 0o600, "password": 0o600, "worker.pem": 0o600}
    assert Keystore.find(made.folder) == made
    with pytest.raises(InputError, match="has a keystore already"):
        Keystore.make(made.folder)


def test_without_a_keystore_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="pacemark worker --init"):
        Keystore.find(tmp_path)


def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    made = Keystore.make(tmp_path / "keys")
    (made.folder / "password").chmod(0o644)
    with pytest.raises(SetupError, match="everybody may read"):
        Keystore.find(made.folder)


def test_jmeter_gets_the_keystore_by_a_name_that_both_ends_have(tmp_path: Path) -> None:
    made = Keystore.make(tmp_path / "keys")
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    properties = made.for_jmeter(work_dir)
    assert properties["server.rmi.ssl.keystore.file"] == "keystore.p12"
    assert (work_dir / "keystore.p12").read_bytes() == (made.folder / "keystore.p12").read_bytes()
    assert properties["server.rmi.ssl.disable"] == "false"


@pytest.mark.parametrize(
    ("seconds", "within_s", "ms"), [(0.0004, 0.001, 0), (-1.2345, 0.002, -1234), (0.02, 0.001, 20)]
)
def test_an_offset_counts_as_far_as_it_was_measured(seconds: float, within_s: float, ms: int) -> None:
    assert ClockOffset(seconds, within_s).ms == ms


def test_progress_of_several_is_their_sum() -> None:
    one = Progress(elapsed_s=4, samples=40, errors=1, rate_per_s=10.0, p95_ms=5, threads=3)
    other = Progress(elapsed_s=5, samples=50, errors=0, rate_per_s=None, p95_ms=9, threads=2)
    assert side_by_side([one, other]) == Progress(5, 90, 1, 10.0, 9, 5)


@pytest.mark.parametrize(
    ("url", "system", "what"),
    [
        ("http://127.0.0.1:4444", {}, "http://127.0.0.1:4444 is"),
        ("https://gateway.test", {"http.proxyHost": "::1"}, "the proxy ::1 is"),
    ],
)
def test_what_only_this_machine_can_reach_is_refused(
    tmp_path: Path, url: str, system: dict[str, str], what: str
) -> None:
    load = Load(threads=2, ramp_up_s=0, duration_s=1, rate_per_s=1)
    with pytest.raises(RunError) as refused:
        execute(
            Engine(tmp_path, "5.6.3", Java(tmp_path, "21.0.8", "a test")),
            addresses("127.0.0.1,load-1"),
            tmp_path / "plan.jmx",
            {"GATEWAY_URL": url, "DATA_DIR": ""},
            load,
            tmp_path,
            heap_mb=64,
            on_progress=lambda _: None,
            system=system,
        )
    assert f"{what} this machine's own loopback, which load-1:1099 cannot reach" in str(refused.value)


def test_above_what_one_controller_takes_engines_work_on_their_own() -> None:
    load = Load(threads=2, ramp_up_s=0, duration_s=1, rate_per_s=CONTROLLER_TAKES_PER_S)
    above = load.model_copy(update={"rate_per_s": CONTROLLER_TAKES_PER_S + 1.0})
    thinking = load.model_copy(update={"rate_per_s": None, "think_s": (0.0001, 0.0001)})
    assert [kind_of(one) for one in (load, above, thinking)] == [CalledPart, OwnPart, CalledPart]


def test_a_parcel_arrives_as_it_was_and_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"x\r\n\xff\n")
    there = unpack(packed(folder), tmp_path / "there")
    assert (there / "a.csv").read_bytes() == b"x\r\n\xff\n"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (there, there / "a.csv")] == [0o700, 0o600]


@pytest.mark.parametrize("name", ["../a", "a/b", "..", ""])
def test_no_parcel_leaves_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="is no name of a file"):
        unpack({name: ""}, tmp_path / "there")


@given(content=st.binary(max_size=3000))
def test_chunks_add_up_to_the_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("chunks") / "file"
    path.write_bytes(content)
    got = b""
    with patch.object(parcel, "CHUNK_BYTES", 1000):
        while part := unchunked(chunk(path, len(got))):
            assert len(part) <= 1000
            got += part
    assert got == content


@pytest.mark.parametrize("text", ["AAAA", "!", "eJw="])
def test_what_is_no_chunk_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        unchunked(text)
