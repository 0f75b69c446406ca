"""A stack that outlives the command that started it, as its state and its secrets' file tell of it."""

import json
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Detached:
    """A detached stack, as its state was read once."""

    home: Path
    state: State

    @property
    def secrets(self) -> Secrets | None:
        """None where its owner has taken them away."""
        try:
            kept = json.loads((self.home / SECRETS_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Secrets(**kept)

    def credentials(self, *, seconds: float) -> Credentials | None:
        """An administrator's token for so many seconds."""
        secrets = self.secrets
        return minted(secrets, seconds) if secrets else None

    @property
    def administrator(self) -> Administrator | None:
        """Who may sign in."""
        secrets = self.secrets
        return Administrator(secrets.admin_email, secrets.admin_password) if secrets else None

    @property
    def pids(self) -> dict[str, int]:
        """The processes that are alive, by service."""
        services = self.state.services.items()
        return {name: one.pid for name, one in services if process(one.pid, one.pid_created)}

    @property
    def asked_urls(self) -> dict[str, str]:
        """The test servers, as a user names them."""
        return asked_urls_of(server_urls_of(self.state))

    @property
    def prometheus_url(self) -> str:
        """Empty where it has no Prometheus."""
        return prometheus_of(self.state)

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        """The gateway processes' own."""
        return gateway_urls_of(self.state)

    @property
    def log_files(self) -> dict[str, Path]:
        """The logs, by service."""
        return log_files(self.home)

    @property
    def live_targets(self) -> Path | None:
        """Where its Prometheus learns of a JMeter; None where it has none."""
        path = self.home / LIVE_TARGETS
        return path if path.is_file() else None


def detached(url: str, data_dir: Path | None = None) -> Detached | None:
    """The detached stack whose gateway has that URL; None when there is no such stack."""
    home = data_dir or default_dir()
    state = status(home)
    if state is None or not gateway_urls_of(state) or not _is_same(front(state), checked_url(url)):
        return None
    return Detached(home, state)


def log_files(data_dir: Path) -> dict[str, Path]:
    """By service, its log, of a stack in that directory; nginx has two, of requests and of errors."""
    state = State.load(data_dir)
    services = state.services if state else {}
    found = {name: data_dir / (ACCESS_LOG if name == NGINX else f"{name}.log") for name in services}
    if NGINX in services:
        found["nginx-errors"] = data_dir / f"{NGINX}.log"
    return {name: path for name, path in found.items() if path.is_file()}


def _is_same(one: str, other: str) -> bool:
    """Whether both are of one place: this machine has several names."""
    left, right = urlsplit(one), urlsplit(other)
    if left._replace(netloc="") != right._replace(netloc="") or left.port != right.port:
        return False
    hosts = (left.hostname or "", right.hostname or "")
    return hosts[0] == hosts[1] or all(map(is_loopback, hosts))


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
