import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from pacemark.errors import SetupError
from pacemark.jmeter.fetch import check
from pacemark.jmeter.lock import Artifact, Lock, read_lock


def _artifact(content: bytes = b"jar", path: str = "lib/a-1.jar", coordinates: str = "g.h:a:1") -> Artifact:
    return Artifact(
        coordinates=coordinates, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), path=path
    )


def test_the_lock_file_holds_one_jmeter_whole() -> None:
    lock = read_lock()
    assert lock.jmeter == "5.6.3"
    own = {a.name: a.version for a in lock.artifacts if a.group == "org.apache.jmeter"}
    assert set(own.values()) == {"5.6.3"}
    assert {
        "ApacheJMeter",
        "ApacheJMeter_core",
        "ApacheJMeter_http",
        "ApacheJMeter_config",
        "jorphan",
    } <= set(own)


def test_the_lock_file_names_each_plugin_of_the_request() -> None:
    extensions = {a.name for a in read_lock().artifacts if a.path.startswith("lib/ext/")}
    assert {
        "jmeter-plugins-casutg",
        "jmeter-plugins-tst",
        "jmeter-plugins-graphs-basic",
        "jmeter-websocket-samplers",
        "jmeter-prometheus-plugin",
    } <= extensions


def test_the_lock_file_has_no_library_twice() -> None:
    names = [(a.group, a.name, a.classifier) for a in read_lock().artifacts]
    assert len(names) == len(set(names))


def test_a_classifier_is_part_of_the_file_name() -> None:
    plain, with_data = _artifact(), _artifact(coordinates="g.h:a:data:1")
    assert plain.repository_path == "g/h/a/1/a-1.jar"
    assert with_data.repository_path == "g/h/a/1/a-1-data.jar"
    assert (with_data.version, with_data.classifier) == ("1", "data")


@pytest.mark.parametrize("path", ["../a.jar", "/etc/a.jar", "lib/../../a.jar"])
def test_a_place_outside_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="leads out"):
        _artifact(path=path)


def test_two_artifacts_at_one_place_are_refused() -> None:
    with pytest.raises(ValidationError, match="two artifacts at lib"):
        Lock(jmeter="5.6.3", artifacts=(_artifact(), _artifact(b"other")))


def test_the_digest_follows_the_text() -> None:
    text = '{"jmeter": "5.6.3", "artifacts": []}'
    assert Lock.parse(text).digest == hashlib.sha256(text.encode()).hexdigest()
    assert Lock.parse(text).digest != Lock.parse(text + "\n").digest


def test_a_wrong_hash_is_refused_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "a-1.jar"
    file.write_bytes(b"raj")
    with pytest.raises(SetupError) as error:
        check(_artifact(), file)
    assert not file.exists()
    for fact in ("g.h:a:1", hashlib.sha256(b"jar").hexdigest(), hashlib.sha256(b"raj").hexdigest()):
        assert fact in error.value.message


def test_the_right_hash_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a-1.jar"
    file.write_bytes(b"jar")
    check(_artifact(), file)
    assert file.read_bytes() == b"jar"
