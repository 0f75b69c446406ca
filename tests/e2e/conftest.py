"""What the end-to-end tests share: a fresh Pacemark, and one false gateway's runs to compare."""

from pathlib import Path

import pytest
from e2e_command import Pacemark


@pytest.fixture
def pacemark(tmp_path: Path) -> Pacemark:
    """The command with a token, in an empty directory."""
    return Pacemark(tmp_path, MCPGATEWAY_BEARER_TOKEN="a-token-of-no-meaning")
