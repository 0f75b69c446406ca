"""The containers' nginx configuration, in a real nginx of this machine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pacemark.gateway.full.containers import nginx_conf

pytestmark = pytest.mark.nginx


def checked(conf: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """As nginx reads it, with its files in ``folder``. Debian 12's cannot resolve a name again."""
    conf = conf.replace("gateway:4444 resolve", "127.0.0.1:4444").replace("/tmp/", f"{folder}/")
    (folder / "nginx.conf").write_text(conf.replace("/dev/stdout", f"{folder}/log"), encoding="utf-8")
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [nginx, "-t", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nginx_takes_it(tmp_path: Path) -> None:
    told = checked(nginx_conf(), tmp_path)
    assert told.returncode == 0, told.stderr


def test_nginx_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    told = checked(nginx_conf().replace("proxy_buffering off", "proxy_buffering of"), tmp_path)
    assert told.returncode == 1
