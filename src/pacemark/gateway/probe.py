"""Whether a service is ready: a real question to it, never its mere existence."""

import http.client
import socket
import subprocess
from urllib.parse import urlsplit

import psutil

from pacemark.gateway.service import CommandProbe, HttpProbe, Service, TcpProbe

_PATIENCE_S = 2.0


def is_ready(service: Service, env: dict[str, str], pid: int) -> bool:
    """Ask once; ``env`` is the service's environment, for a command, and ``pid`` its process.

    Whoever took the port before answers too: then the service has not started yet, or is about to fail.
    """
    match service.probe:
        case HttpProbe() as probe:
            return _http(probe) and _listens(pid, urlsplit(probe.url).port)
        case TcpProbe() as probe:
            return _tcp(probe) and _listens(pid, probe.port)
        case CommandProbe() as probe:
            return _command(probe, service, env)
        case None:
            return False  # a task: it is ready when it has ended


def _listens(pid: int, port: int | None) -> bool:
    """Whether the process or one of its children listens there; yes where the system does not tell."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    for one in family:
        try:
            connections = one.net_connections("tcp")
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return True
        if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections):
            return True
    return False


def _http(probe: HttpProbe) -> bool:
    url = urlsplit(probe.url)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", url.path or "/")
        return connection.getresponse().status == probe.status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tcp(probe: TcpProbe) -> bool:
    try:
        with socket.create_connection((probe.host, probe.port), timeout=_PATIENCE_S):
            return True
    except OSError:
        return False


def _command(probe: CommandProbe, service: Service, env: dict[str, str]) -> bool:
    try:
        done = subprocess.run(
            probe.argv, cwd=service.cwd, env=env, capture_output=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
