"""The gateway's environment, made by uv; the network is used only where it is not in the cache."""

import subprocess
import sys
from pathlib import Path

import pytest

from pacemark.errors import SetupError
from pacemark.gateway.environment import ensure_environment

pytestmark = pytest.mark.gateway


def test_the_user_s_environment_is_there_at_once_the_second_time() -> None:
    first = ensure_environment()
    said: list[str] = []
    assert ensure_environment(said.append) == first
    assert said == []
    assert first.version == "1.0.7.post20260921"


def test_without_network_and_cache_it_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PACEMARK_GATEWAY_PYTHON", raising=False)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(SetupError, match="cannot be installed") as failed:
        ensure_environment(cache=tmp_path)
    assert "\n" not in str(failed.value)
    assert list(tmp_path.glob("*/complete")) == []


def test_another_python_must_have_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACEMARK_GATEWAY_PYTHON", sys.executable)
    with pytest.raises(SetupError, match="has no mcp-contextforge-gateway"):
        ensure_environment()


def test_a_place_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PACEMARK_GATEWAY_PYTHON", raising=False)
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be made"):
        ensure_environment(cache=tmp_path / "file")


def test_the_environment_s_python_has_no_pacemark() -> None:
    python = ensure_environment().python
    assert subprocess.run([python, "-c", "import pacemark"], capture_output=True, check=False).returncode == 1
