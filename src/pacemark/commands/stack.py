"""The local stack."""

from typing import Annotated

import typer

from pacemark.commands.terminal import out, say, tell
from pacemark.errors import Exit, InputError
from pacemark.gateway import stack as local_stack
from pacemark.gateway.detached import default_dir, status
from pacemark.gateway.full.ports import PORTS, chosen_ports
from pacemark.report import console as show

stack_app = typer.Typer(help="A local gateway with MCP servers.", rich_markup_mode=None)


@stack_app.command("up")
def stack_up(
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="nginx, three gateways, PgBouncer, PostgreSQL, Redis, Prometheus, exporters."
        ),
    ] = False,
    port: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=PORT", help=f"Move one of --full's: {', '.join(PORTS)}."),
    ] = None,
) -> None:
    """Start a local gateway with its MCP test servers, and leave it running."""
    if port and not full:
        raise InputError("--port goes with --full", "the small stack takes free ports")
    ports = chosen_ports(port or ()) if full else None
    running = local_stack.Stack.up(detached=True, progress=tell, full_ports=ports)
    say(f"gateway {running.gateway_version} at {running.url}")
    if running.prometheus_url:
        say(f"prometheus at {running.prometheus_url}")
    say(f"next: pacemark run rest_api_baseline --gateway {running.url} --scale local")


@stack_app.command("down")
def stack_down() -> None:
    """Stop the local gateway and its servers."""
    out.print("stopped" if local_stack.down() else "nothing was running")


@stack_app.command("status")
def stack_status() -> int:
    """What runs, where, and where its logs are."""
    state = status()
    if state is None:
        out.print("nothing is running")
        return Exit.INVALID
    out.print(show.services_table(state))
    say(f"logs: {default_dir()}")
    return Exit.PASS if state.phase == "ready" else Exit.INVALID
