"""The gateway that a command speaks to: the user's, or one started for it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pacemark.errors import InputError
from pacemark.gateway.client import checked_url
from pacemark.gateway.detached import Detached, detached, log_files
from pacemark.gateway.mcp_servers import server_urls
from pacemark.gateway.sign_in import Administrator
from pacemark.gateway.stack import Stack
from pacemark.gateway.token import Credentials


@dataclass(frozen=True)
class Target:
    """A gateway's URL, the token for it, and the stack when Pacemark started it for this command."""

    url: str
    credentials: Credentials | None
    stack: Stack | None = None
    administrator: Administrator | None = None
    """Who may sign in at the Admin UI; None where nobody is known."""
    pids: Mapping[str, int] = field(default_factory=dict)
    """The stack's processes by service, of a detached one too; empty where the gateway is another's."""
    server_urls: Mapping[str, str] = field(default_factory=dict)
    """The MCP test servers, by name: those that the user set or else, of a stack, its own."""
    prometheus_url: str = ""
    """The stack's Prometheus; empty where it has none, or there is no stack."""
    gateway_urls: tuple[str, ...] = ()
    """The own URL of each gateway process behind ``url``, where that is known."""
    log_files: Mapping[str, Path] = field(default_factory=dict)
    """The stack's logs, by service."""
    live_targets: Path | None = None
    """The file by which the stack's Prometheus learns of a JMeter; None where it has none."""


@contextmanager
def target(
    url: str | None,
    *,
    embedded: bool,
    seconds: float,
    environ: Mapping[str, str],
    progress: Callable[[str], None],
) -> Iterator[Target]:
    """The gateway at ``url``, or an embedded one that is taken down at the end whatever happens.

    The token comes from the environment or, for a gateway that ``pacemark stack up`` started, from there.
    ``seconds`` is how long it must live at least.

    Raises:
        InputError: both were asked for, or neither.
        SetupError: the embedded gateway cannot be started.
    """
    if embedded and url:
        raise InputError("--embedded and --gateway exclude each other", "give one of them")
    if embedded:
        with Stack.up(progress=progress) as stack:
            token = stack.credentials(seconds=seconds)
            yield Target(
                stack.url,
                token,
                stack,
                stack.administrator,
                stack.pids,
                stack.asked_urls,
                stack.prometheus_url,
                stack.gateway_urls,
                log_files(stack.data_dir),
            )
        return
    if not url:
        raise InputError("no gateway named", "give --gateway URL, set GATEWAY_URL, or use --embedded")
    url = checked_url(url)
    given = Target(
        url,
        Credentials.from_environment(environ, seconds=seconds),
        administrator=Administrator.from_environment(environ),
        server_urls=server_urls(environ),
    )
    found = detached(url)
    yield _with_what_it_tells(found, given, seconds) if found else given


def _with_what_it_tells(stack: Detached, given: Target, seconds: float) -> Target:
    """What the user did not set, of the stack."""
    return replace(
        given,
        credentials=given.credentials or stack.credentials(seconds=seconds),
        administrator=given.administrator or stack.administrator,
        pids=stack.pids,
        server_urls=given.server_urls or stack.asked_urls,
        prometheus_url=stack.prometheus_url,
        gateway_urls=stack.gateway_urls,
        log_files=stack.log_files,
        live_targets=stack.live_targets,
    )
