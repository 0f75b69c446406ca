"""The local stack: the real gateway on SQLite with its MCP test servers, all on loopback; or, full, three of
it behind nginx, on PostgreSQL by PgBouncer, with Redis, and with Prometheus to watch them.

Embedded, it lives as long as its owner: ``with Stack.up() as stack``. Detached (``pacemark stack up``), it
lives until :func:`down`; its secrets are then in a file that only its user can read, so that the next
``pacemark run --gateway URL`` finds a token.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType
from typing import Self

import psutil
from pydantic import ValidationError

from pacemark.errors import SetupError
from pacemark.gateway.client import GatewayClient
from pacemark.gateway.detached import (
    SECRETS_FILE,
    asked_urls_of,
    default_dir,
    front,
    gateway_urls_of,
    minted,
    prometheus_of,
    server_urls_of,
)
from pacemark.gateway.environment import Progress, ensure_environment, ensure_pool_exporter
from pacemark.gateway.full.ports import check_free
from pacemark.gateway.full.programs import find_programs
from pacemark.gateway.full.spec import TOKEN_FILE, database_secrets, full_spec
from pacemark.gateway.register import register
from pacemark.gateway.service import Spec, State, process
from pacemark.gateway.sign_in import Administrator
from pacemark.gateway.spec import Secrets, stack_spec
from pacemark.gateway.token import Credentials

_SPEC_FILE = "spec.json"
_POLL_S = 0.1
_STOP_S = 60.0
_REGISTER_S = 60.0
_SCRAPES_S = 90 * 86_400.0
"""How long the token lives that Prometheus scrapes with: longer than any soak."""


@dataclass(frozen=True)
class Stack:
    """A running local stack. Its text shows no secret."""

    url: str
    server_urls: dict[str, str]
    """By test server (``fast_time``, ``fast_test``, ``benchmark``): base URL, of REST as of MCP (``/mcp``);
    of benchmark's instances the first."""
    server_id: str
    """Of the virtual server that offers everything."""
    gateway_version: str
    pids: dict[str, int]
    """By service, and ``launcher``."""
    data_dir: Path
    secrets: Secrets = field(repr=False)
    prometheus_url: str
    """Empty where there is none."""
    gateway_urls: tuple[str, ...]
    """Each gateway process's own URL, behind ``url``."""
    _launcher: subprocess.Popen[bytes] = field(repr=False)

    @classmethod
    def up(
        cls,
        data_dir: Path | None = None,
        *,
        detached: bool = False,
        progress: Progress = lambda _: None,
        extra_env: Mapping[str, str] | None = None,
        full_ports: Mapping[str, int] | None = None,
    ) -> "Stack":
        """Start everything, wait until it is ready, register the servers.

        Args:
            data_dir: where state and logs are kept; by default a temporary directory, removed afterwards,
                or for a detached stack the user's state directory.
            detached: whether it outlives this process.
            progress: told what is being done, a line at a time.
            extra_env: more of the gateway's own settings; they win over Pacemark's.
            full_ports: the ports of the full stack, by service (``full.ports``); without, the small one.

        Raises:
            SetupError: it cannot be started; the text ends with the log lines of the service that failed.
        """
        programs = {} if full_ports is None else find_programs()
        if full_ports is not None:
            check_free(full_ports)
        environment = ensure_environment(progress)
        temporary = data_dir is None and not detached
        secrets = Secrets.fresh()
        with ExitStack() as undo:
            home = data_dir or default_dir()
            if temporary:
                home = Path(tempfile.mkdtemp(prefix="pacemark-stack-"))
                undo.callback(shutil.rmtree, home, ignore_errors=True)
            else:
                _clear(home)
                # On failure only: the logs' last lines are in the error, and the next start needs it empty.
                undo.callback(shutil.rmtree, home, ignore_errors=True)
            given = secrets.environment
            if full_ports is None:
                spec = stack_spec(
                    environment,
                    home,
                    secrets.admin_email,
                    extra_env or {},
                    detached=detached,
                    temporary=temporary,
                )
            else:
                spec = full_spec(
                    environment,
                    ensure_pool_exporter(progress),
                    programs,
                    home,
                    full_ports,
                    secrets.admin_email,
                    extra_env or {},
                    scrape_token=minted(secrets, _SCRAPES_S).token,
                    detached=detached,
                    temporary=temporary,
                )
                undo.callback(_remove_served, home)
                given |= database_secrets(token_urlsafe(24), full_ports)
            launcher = _launch(spec, given)
            undo.callback(_stop_launcher, launcher)
            state = _wait_ready(launcher, spec, progress)
            server_id = _register(state, secrets, progress)
            if detached:
                _keep(secrets, home)
            undo.pop_all()
        return cls(
            url=front(state),
            server_urls=server_urls_of(state),
            server_id=server_id,
            gateway_version=environment.version,
            pids={name: service.pid for name, service in state.services.items()} | {"launcher": launcher.pid},
            data_dir=home,
            secrets=secrets,
            prometheus_url=prometheus_of(state),
            gateway_urls=gateway_urls_of(state),
            _launcher=launcher,
        )

    @property
    def admin_email(self) -> str:
        """Who may log in at ``/admin``, with ``secrets.admin_password``."""
        return self.secrets.admin_email

    @property
    def administrator(self) -> Administrator:
        """The same, ready to sign in."""
        return Administrator(self.secrets.admin_email, self.secrets.admin_password)

    def credentials(self, *, seconds: float) -> Credentials:
        """An administrator's token for a run of ``seconds``; in memory only."""
        return minted(self.secrets, seconds)

    @property
    def asked_urls(self) -> dict[str, str]:
        """The same as a user would name them for a run: benchmark with the range of its ports."""
        return asked_urls_of(self.server_urls)

    @property
    def failure(self) -> str:
        """Which service died since, with its last log lines; empty when all live."""
        state = State.load(self.data_dir)
        return state.reason if state else "the stack's state is gone"

    def close(self) -> None:
        """Stop everything in order, and wait for that. A second time it does nothing."""
        _stop_launcher(self._launcher)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def down(data_dir: Path | None = None) -> bool:
    """Stop a detached stack in order and remove its secrets; False when none was running.

    Services whose launcher was killed (and did not die with it, where the kernel cannot do that) are
    stopped too. Every process is checked to be the one that was started, by its creation time.

    Raises:
        SetupError: it did not stop.
    """
    home = data_dir or default_dir()
    state = State.load(home)
    stopped = [] if state is None else _stop_recorded(state)
    for name in (SECRETS_FILE, TOKEN_FILE):
        (home / name).unlink(missing_ok=True)
    _remove_served(home)
    return bool(stopped)


def _register(state: State, secrets: Secrets, progress: Progress) -> str:
    progress("registering the MCP test servers")
    credentials = minted(secrets, 0)
    with GatewayClient(gateway_urls_of(state)[0], credentials, timeout_s=_REGISTER_S) as client:
        return register(client, server_urls_of(state))


def _clear(home: Path) -> None:
    """Make the directory anew; what an earlier stack left (its database, its logs) goes."""
    state = State.load(home)
    if state and process(state.pid, state.pid_created):
        raise SetupError(f"a stack is up already, see {home}", "stop it with `pacemark stack down`")
    if state:
        _stop_recorded(state)
        _remove_served(home)
    elif home.exists() and any(home.iterdir()) and not (home / _SPEC_FILE).is_file():
        raise SetupError(f"{home} holds something that is no stack", "name an empty directory")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)


def _keep(secrets: Secrets, home: Path) -> None:
    fd = os.open(home / SECRETS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(asdict(secrets), file)


def _remove_served(home: Path) -> None:
    """What a launcher that was killed could not remove."""
    try:
        spec = Spec.model_validate_json((home / _SPEC_FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return
    for folder in spec.remove_after:
        shutil.rmtree(folder, ignore_errors=True)


def _launch(spec: Spec, secrets: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the launcher and hand it the secrets; embedded, the pipe stays open for as long as we live."""
    path = spec.data_dir / _SPEC_FILE
    path.write_text(spec.model_dump_json(indent=2), encoding="utf-8")
    with (spec.data_dir / "launcher.log").open("ab") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "pacemark.gateway.launcher", str(path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            bufsize=0,
        )
    assert launcher.stdin is not None
    with suppress(BrokenPipeError):  # a launcher that is dead already is noticed while waiting for it
        launcher.stdin.write(json.dumps(dict(secrets)).encode() + b"\n")
    if spec.detached:
        launcher.stdin.close()
    return launcher


def _wait_ready(launcher: subprocess.Popen[bytes], spec: Spec, progress: Progress) -> State:
    total = sum(not service.ends for level in spec.levels for service in level)
    told = -1
    while True:
        ended = launcher.poll() is not None
        state = State.load(spec.data_dir)
        if state and state.phase == "ready":
            return state
        if state and state.phase == "failed":
            raise SetupError(state.reason, "mend what these words name, then try again")
        if ended:
            log = (spec.data_dir / "launcher.log").read_text(encoding="utf-8", errors="replace")
            raise SetupError(f"the stack's launcher ended: {log[-1000:]}")
        ready = sum(service.ready for service in state.services.values()) if state else 0
        if ready != told:
            told = ready
            progress(f"starting the stack ({ready} of {total} services ready)")
        time.sleep(_POLL_S)


def _stop_launcher(launcher: subprocess.Popen[bytes]) -> None:
    """Ask it to take everything down, and wait; its end takes the services along where the kernel helps."""
    if launcher.stdin and not launcher.stdin.closed:
        launcher.stdin.close()
    else:
        launcher.send_signal(signal.SIGTERM)
    try:
        launcher.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()


def _stop_recorded(state: State) -> list[psutil.Process]:
    """Stop the launcher that a state names, then whatever of its services still lives."""
    launcher = process(state.pid, state.pid_created)
    if launcher:
        _terminate([launcher])
    recorded = (process(service.pid, service.pid_created) for service in state.services.values())
    orphans = [found for found in recorded if found]
    _terminate(orphans)
    return [launcher, *orphans] if launcher else orphans


def _terminate(processes: list[psutil.Process]) -> None:
    for found in processes:
        found.terminate()
    _, left = psutil.wait_procs(processes, timeout=_STOP_S)
    for found in left:
        found.kill()
    _, left = psutil.wait_procs(left, timeout=5)
    if left:
        raise SetupError(f"process {left[0].pid} of the stack does not stop", "end it by hand")
