"""A stack that outlives the command that started it, as its state and its secrets' file tell of it."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from pacemark.gateway.client import checked_url
from pacemark.gateway.connection import is_loopback
from pacemark.gateway.full.spec import ACCESS_LOG, LIVE_TARGETS, NGINX
from pacemark.gateway.service import State, process
from pacemark.gateway.sign_in import Administrator
from pacemark.gateway.spec import BENCHMARK_PORTS, GATEWAY, TEST_SERVERS, Secrets
from pacemark.gateway.token import Credentials

SECRETS_FILE = "secrets.json"


def default_dir() -> Path:
    """Where a detached stack keeps its state, its logs and its secrets."""
    return platformdirs.user_state_path("pacemark") / "stack"


def status(data_dir: Path | None = None) -> State | None:
    """What a detached stack is doing; None when none runs."""
    state = State.load(data_dir or default_dir())
    if state is None or process(state.pid, state.pid_created) is None:
        return None
    return state


def detached_credentials(url: str, *, seconds: float, data_dir: Path | None = None) -> Credentials | None:
    """A token for the detached stack whose gateway has that URL; None when there is no such stack."""
    secrets = _detached_secrets(url, data_dir or default_dir())
    return minted(secrets, seconds) if secrets else None


def detached_administrator(url: str, data_dir: Path | None = None) -> Administrator | None:
    """Who may sign in at the detached stack of that URL; None when there is no such stack."""
    secrets = _detached_secrets(url, data_dir or default_dir())
    return Administrator(secrets.admin_email, secrets.admin_password) if secrets else None


def detached_pids(url: str, data_dir: Path | None = None) -> dict[str, int]:
    """The processes of the detached stack of that URL, by service; empty when there is no such stack."""
    state = _detached_state(url, data_dir or default_dir())
    services = state.services if state else {}
    return {name: one.pid for name, one in services.items() if process(one.pid, one.pid_created)}


def detached_urls(url: str, data_dir: Path | None = None) -> dict[str, str]:
    """The test servers of the detached stack of that URL, as a user names them; none without such a stack."""
    state = _detached_state(url, data_dir or default_dir())
    return asked_urls_of(server_urls_of(state)) if state else {}


def detached_prometheus(url: str, data_dir: Path | None = None) -> str:
    """The Prometheus of the detached stack of that URL; empty where there is none."""
    state = _detached_state(url, data_dir or default_dir())
    return prometheus_of(state) if state else ""


def detached_gateways(url: str, data_dir: Path | None = None) -> tuple[str, ...]:
    """The gateway processes' own URLs, of the detached stack of that URL; none without such a stack."""
    state = _detached_state(url, data_dir or default_dir())
    return gateway_urls_of(state) if state else ()


def detached_logs(url: str, data_dir: Path | None = None) -> dict[str, Path]:
    """The logs of the detached stack of that URL, by service; none without such a stack."""
    home = data_dir or default_dir()
    return log_files(home) if _detached_state(url, home) else {}


def detached_live_targets(url: str, data_dir: Path | None = None) -> Path | None:
    """Where the Prometheus of the detached stack of that URL learns of a JMeter; None where it has none."""
    home = data_dir or default_dir()
    path = home / LIVE_TARGETS
    return path if _detached_state(url, home) and path.is_file() else None


def log_files(data_dir: Path) -> dict[str, Path]:
    """By service, its log, of a stack in that directory; nginx has two, of requests and of errors."""
    state = State.load(data_dir)
    services = state.services if state else {}
    found = {name: data_dir / (ACCESS_LOG if name == NGINX else f"{name}.log") for name in services}
    if NGINX in services:
        found["nginx-errors"] = data_dir / f"{NGINX}.log"
    return {name: path for name, path in found.items() if path.is_file()}


def _detached_state(url: str, home: Path) -> State | None:
    state = status(home)
    if state is None or not gateway_urls_of(state) or not _is_same(front(state), checked_url(url)):
        return None
    return state


def _is_same(one: str, other: str) -> bool:
    """Whether both are of one place: this machine has several names."""
    left, right = urlsplit(one), urlsplit(other)
    if left._replace(netloc="") != right._replace(netloc="") or left.port != right.port:
        return False
    hosts = (left.hostname or "", right.hostname or "")
    return hosts[0] == hosts[1] or all(map(is_loopback, hosts))


def _detached_secrets(url: str, home: Path) -> Secrets | None:
    if _detached_state(url, home) is None:
        return None
    try:
        kept = json.loads((home / SECRETS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Secrets(**kept)


def minted(secrets: Secrets, seconds: float) -> Credentials:
    """A token of the stack's administrator for so many seconds, and a little longer."""
    return Credentials.mint(
        secrets.jwt_secret_key, secrets.admin_email, seconds=seconds, source="the local stack"
    )


def front(state: State) -> str:
    """Where requests go: to nginx where there is one."""
    found = state.services.get(NGINX) or state.services.get(GATEWAY)
    return found.url if found else ""


def gateway_urls_of(state: State) -> tuple[str, ...]:
    """The gateways' own, in order."""
    return tuple(one.url for name, one in sorted(state.services.items()) if name.startswith(GATEWAY))


def prometheus_of(state: State) -> str:
    """Prometheus's URL; empty where there is none."""
    found = state.services.get("prometheus")
    return found.url if found else ""


def server_urls_of(state: State) -> dict[str, str]:
    """The MCP test servers' base URLs, by name."""
    return {name: state.services[name].url for name in TEST_SERVERS}


def asked_urls_of(urls: dict[str, str]) -> dict[str, str]:
    """The same as a user names them: benchmark with the range of its ports."""
    first = urls["benchmark"]
    last = int(first.rpartition(":")[2]) + BENCHMARK_PORTS - 1
    return {**urls, "benchmark": f"{first}-{last}"}
