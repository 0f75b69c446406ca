"""The local stack."""

import typer

from pacemark.commands.terminal import out, say, tell
from pacemark.errors import Exit
from pacemark.gateway import stack as local_stack
from pacemark.report import console as show

stack_app = typer.Typer(help="A local gateway with MCP servers.", rich_markup_mode=None)


@stack_app.command("up")
def stack_up() -> None:
    """Start a local gateway with its MCP test servers, and leave it running."""
    running = local_stack.Stack.up(detached=True, progress=tell)
    say(f"gateway {running.gateway_version} at {running.url}")
    say(f"next: pacemark run rest_api_baseline --gateway {running.url} --scale local")


@stack_app.command("down")
def stack_down() -> None:
    """Stop the local gateway and its servers."""
    out.print("stopped" if local_stack.down() else "nothing was running")


@stack_app.command("status")
def stack_status() -> int:
    """What runs, where, and where its logs are."""
    state = local_stack.status()
    if state is None:
        out.print("nothing is running")
        return Exit.INVALID
    out.print(show.services_table(state))
    say(f"logs: {local_stack.default_dir()}")
    return Exit.PASS if state.phase == "ready" else Exit.INVALID
