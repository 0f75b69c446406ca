"""Where Pacemark keeps what it fetched."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_root() -> Path:
    """``PACEMARK_CACHE_DIR``, else the user's cache directory for Pacemark. It need not exist yet."""
    asked = os.environ.get("PACEMARK_CACHE_DIR")
    return Path(asked).expanduser().absolute() if asked else user_cache_path("pacemark")
