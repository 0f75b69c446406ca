"""How the gateway is set up so that what is measured is the gateway: its environment and its services."""

import json
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

from pacemark.errors import SetupError
from pacemark.gateway.environment import GatewayEnvironment
from pacemark.gateway.service import HttpProbe, Service, Spec
from pacemark.gateway.token import DEFAULT_ADMIN_EMAIL

LOOPBACK = "127.0.0.1"
GATEWAY = "gateway"
TEST_SERVERS = ("fast_time", "fast_test", "benchmark")
BENCHMARK_PORTS = 3
"""Instances of benchmark, on adjacent ports. The gateway is told of the first."""

_PORTS = range(20_000, 32_000)
"""Below the range from which Linux (32768) and macOS (49152) give ports to outgoing connections."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""All that a service sees of the caller's environment: the caller's own gateway variables stay outside."""

MEASURABLE = {
    # else 429 after 100 requests a minute, and a lockout of 15 minutes after five of those
    "RATE_LIMITING_ENABLED": "false",
    # else registering a server on loopback is refused
    "SSRF_ALLOW_LOCALHOST": "true",
    "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
    # else every request to /admin is sent to a password form
    "PASSWORD_CHANGE_ENFORCEMENT_ENABLED": "false",
    "ADMIN_REQUIRE_PASSWORD_CHANGE_ON_BOOTSTRAP": "false",
    "DETECT_DEFAULT_PASSWORD_ON_LOGIN": "false",
    "MCPGATEWAY_UI_ENABLED": "true",
    "MCPGATEWAY_ADMIN_API_ENABLED": "true",
    "SECURE_COOKIES": "false",
    # else /ws answers 403
    "MCPGATEWAY_WS_RELAY_ENABLED": "true",
    "ENABLE_METRICS": "true",
    # with "memory", replies to /message never reach the SSE stream
    "CACHE_TYPE": "database",
    "LOG_LEVEL": "ERROR",
    "DISABLE_ACCESS_LOG": "true",
}
"""Settings without which what is measured is not the gateway."""


@dataclass(frozen=True)
class Secrets:
    """A stack's fresh random secrets; their text is never shown."""

    jwt_secret_key: str = field(repr=False)
    auth_encryption_secret: str = field(repr=False)
    admin_password: str = field(repr=False)
    admin_email: str = DEFAULT_ADMIN_EMAIL

    @classmethod
    def fresh(cls) -> "Secrets":
        """Strong enough for the gateway's own check of length and entropy, and its password rules."""
        return cls(secrets.token_urlsafe(48), secrets.token_urlsafe(48), secrets.token_urlsafe(18) + "aZ5!")

    @property
    def environment(self) -> dict[str, str]:
        """By the names that the gateway reads."""
        return {
            "JWT_SECRET_KEY": self.jwt_secret_key,
            "AUTH_ENCRYPTION_SECRET": self.auth_encryption_secret,
            "PLATFORM_ADMIN_PASSWORD": self.admin_password,
        }


def stack_spec(
    environment: GatewayEnvironment,
    data_dir: Path,
    admin_email: str,
    extra_env: Mapping[str, str],
    *,
    detached: bool,
    temporary: bool,
) -> Spec:
    """The gateway on SQLite and its test servers, on free loopback ports, started side by side."""
    ports = _ports()
    empty, scratch = data_dir / "empty", data_dir / "tmp"
    for folder in (empty, scratch):
        folder.mkdir()
    # The gateway's lock files are in TMPDIR: shared, one stack would wait for another's.
    base = inherited() | {"HOME": str(empty), "TMPDIR": str(scratch)}
    own = {**base, "PLATFORM_ADMIN_EMAIL": admin_email, **extra_env}
    gateway = _gateway(environment, ports[GATEWAY][0], data_dir, own)
    servers = [server(name, ports[name], empty, base) for name in TEST_SERVERS]
    return Spec(
        data_dir=data_dir, detached=detached, remove_data_dir=temporary, levels=((gateway, *servers),)
    )


def inherited() -> dict[str, str]:
    """What services get of the caller's environment."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def addressed(port: int) -> dict[str, str]:
    """What a gateway behind that port is told of its address, by either name of this machine: from elsewhere
    it takes the Admin UI's own requests to change something for forged ones."""
    return {
        "APP_DOMAIN": f"http://{LOOPBACK}:{port}",
        "CSRF_TRUSTED_ORIGINS": json.dumps([f"http://localhost:{port}"]),
    }


def _gateway(environment: GatewayEnvironment, port: int, data_dir: Path, env: Mapping[str, str]) -> Service:
    """One uvicorn worker; in an empty directory, since the gateway reads ``.env`` of where it runs."""
    url = f"http://{LOOPBACK}:{port}"
    own = {
        "PORT": str(port),
        **addressed(port),
        "DATABASE_URL": f"sqlite:///{data_dir / 'gateway.db'}",
    }
    return Service(
        name=GATEWAY,
        argv=(
            *(str(environment.python), "-m", "uvicorn", "mcpgateway.main:app"),
            *("--host", LOOPBACK, "--port", str(port), "--log-level", "error", "--no-access-log"),
            # an open event stream would hold it up for ever
            *("--timeout-graceful-shutdown", "3"),
        ),
        cwd=data_dir / "empty",
        env={**MEASURABLE, **own, **env},
        secret_env=("JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET", "PLATFORM_ADMIN_PASSWORD"),
        probe=HttpProbe(url=f"{url}/ready"),
        ready_s=120.0,
        url=url,
    )


def server(name: str, ports: list[int], cwd: Path, env: Mapping[str, str]) -> Service:
    """An MCP test server, on one port or on several."""
    url = f"http://{LOOPBACK}:{ports[0]}"
    given = (part for port in ports for part in ("--port", str(port)))
    return Service(
        name=name,
        argv=(sys.executable, "-m", f"pacemark.gateway.servers.{name}", *given),
        cwd=cwd,
        env=dict(env),
        probe=HttpProbe(url=f"{url}/health"),
        ready_s=60.0,
        url=url,
    )


def _ports() -> dict[str, list[int]]:
    """By service: benchmark has adjacent ones."""
    adjacent = adjacent_ports(BENCHMARK_PORTS)
    single = [name for name in (GATEWAY, *TEST_SERVERS) if name != "benchmark"]
    others = [port for port in free_ports(len(single) + BENCHMARK_PORTS) if port not in adjacent]
    return {"benchmark": adjacent} | {name: [port] for name, port in zip(single, others, strict=False)}


def free_ports(count: int) -> list[int]:
    """Loopback ports that nothing listens on, outside the range of outgoing connections.

    Raises:
        SetupError: there are not as many.
    """
    found: list[int] = []
    for port in SystemRandom().sample(_PORTS, k=len(_PORTS)):
        if len(found) == count:
            return found
        if is_free(port):
            found.append(port)
    raise SetupError(
        f"{count} free ports were not found in {_PORTS.start}-{_PORTS.stop - 1}", "end what holds them"
    )


def adjacent_ports(count: int) -> list[int]:
    """As many free ports of that kind, one after another.

    Raises:
        SetupError: there are none.
    """
    starts = range(_PORTS.start, _PORTS.stop - count)
    for start in SystemRandom().sample(starts, k=len(starts)):
        ports = list(range(start, start + count))
        if all(map(is_free, ports)):
            return ports
    raise SetupError(
        f"{count} adjacent free ports were not found in {_PORTS.start}-{_PORTS.stop - 1}",
        "end what holds them",
    )


def is_free(port: int) -> bool:
    """Whether nothing on loopback has the port."""
    with socket.socket() as tried:
        # as servers do: what remains of closed connections holds nobody up
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
            tried.listen()
        except OSError:
            return False
    return True
