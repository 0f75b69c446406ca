"""How a stack's Prometheus learns of a JMeter that gives live figures."""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from pacemark.telemetry.live import JOB, scraped
from pacemark.telemetry.prometheus import Target


def test_it_is_told_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    targets = tmp_path / "jmeter.json"
    with suppress(KeyboardInterrupt), scraped(targets, 9270, "127.0.0.1"):
        assert json.loads(targets.read_text("utf-8")) == [{"targets": ["127.0.0.1:9270"]}]
        raise KeyboardInterrupt
    assert json.loads(targets.read_text("utf-8")) == []
    assert list(tmp_path.iterdir()) == [targets]


def test_a_stack_that_went_meanwhile_is_no_error(tmp_path: Path) -> None:
    folder = tmp_path / "targets"
    folder.mkdir()
    with scraped(folder / "jmeter.json", 9270, "127.0.0.1"):
        (folder / "jmeter.json").unlink()
        folder.rmdir()
    assert not folder.exists()


@pytest.mark.parametrize(("targets", "port"), [(None, 9270), (Path("jmeter.json"), None)])
def test_without_either_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, targets: Path | None, port: int | None
) -> None:
    monkeypatch.chdir(tmp_path)
    with scraped(targets, port, "127.0.0.1"):
        assert list(tmp_path.iterdir()) == []


def test_what_listens_everywhere_is_scraped_here(tmp_path: Path) -> None:
    targets = tmp_path / "jmeter.json"
    with scraped(targets, 9270, "0.0.0.0"):
        assert json.loads(targets.read_text("utf-8")) == [{"targets": ["127.0.0.1:9270"]}]


def test_a_jmeter_that_is_down_is_not_missed() -> None:
    assert not Target(JOB, "127.0.0.1:9270", is_up=False, interval_s=5, error="refused").is_missed
    assert Target("redis", "127.0.0.1:9121", is_up=False, interval_s=5, error="refused").is_missed
