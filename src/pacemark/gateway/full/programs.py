"""The machine's own programs that the full stack is made of."""

import os
import shutil
from pathlib import Path

from pacemark.errors import SetupError

_PACKAGES = {
    "postgres": "postgresql",
    "initdb": "postgresql",
    "psql": "postgresql",
    "pgbouncer": "pgbouncer",
    "redis-server": "redis-server",
    "nginx": "nginx-light",
    "prometheus": "prometheus",
    "prometheus-postgres-exporter": "prometheus-postgres-exporter",
    "prometheus-redis-exporter": "prometheus-redis-exporter",
    "prometheus-nginx-exporter": "prometheus-nginx-exporter",
    "prometheus-process-exporter": "prometheus-process-exporter",
}
"""By program, the package of Debian and Ubuntu that has it."""

_ELSEWHERE = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
_POSTGRESQL = "/usr/lib/postgresql"
"""Debian keeps each major version's programs in a folder below it, and none of them on PATH."""


def find_programs(search: str | None = None) -> dict[str, Path]:
    """Where each program is. ``search`` stands for PATH and all other places, as PATH is written.

    Raises:
        SetupError: some are missing; the text lists them, the remedy is the one command that installs them.
    """
    found = {name: where for name in _PACKAGES if (where := _find(name, search))}
    missing = [name for name in _PACKAGES if name not in found]
    if missing:
        packages = " ".join(dict.fromkeys(_PACKAGES[name] for name in missing))
        raise SetupError(
            f"the full stack lacks {', '.join(missing)}",
            f"Debian, Ubuntu: sudo apt-get install --no-install-recommends {packages}; "
            "elsewhere install what has these programs",
        )
    return found


def _find(name: str, search: str | None) -> Path | None:
    path = search
    if path is None:
        versions = sorted(Path(_POSTGRESQL).glob("*/bin"), key=_version, reverse=True)
        path = ":".join(filter(None, [os.environ.get("PATH"), *map(str, versions), *_ELSEWHERE]))
    where = shutil.which(name, path=path)
    return Path(where) if where else None


def _version(folder: Path) -> int:
    return int(folder.parent.name) if folder.parent.name.isdigit() else 0
