"""The command line: which commands there are, and how each ends."""

import os
import signal
import sys
from collections.abc import Iterator
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from pacemark import __version__
from pacemark.commands import measure, results
from pacemark.commands.compare import compare
from pacemark.commands.gui import gui
from pacemark.commands.history import history
from pacemark.commands.plans import plans_app
from pacemark.commands.stack import stack_app
from pacemark.commands.terminal import complain, say
from pacemark.errors import Exit, PacemarkError

app = typer.Typer(
    name="pacemark",
    help="Load-testing baselines for the MCP gateway, on Apache JMeter.",
    epilog="Exit status: 0 pass; 1 an objective missed or a regression; 2 wrong usage or bad input; "
    "3 the run is invalid or could not be carried out.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(measure.setup)
app.command()(measure.doctor)
app.command(name="run")(measure.run_command)
app.command()(measure.worker)
app.command()(results.stats)
app.command(name="report")(results.report_command)
app.command()(compare)
app.command()(history)
app.add_typer(results.baseline_app, name="baseline")
app.add_typer(plans_app, name="plans")
app.add_typer(stack_app, name="stack")
app.command()(gui)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)(measure.jmeter)


def main() -> NoReturn:
    """Run the command line and exit with its status; every error is one line on standard error."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = app(standalone_mode=False)
    except PacemarkError as error:
        complain(str(error))
        status = error.exit_status
    except TyperException as error:
        complain(f"{' '.join(error.format_message().split())} (see pacemark --help)")
        status = Exit.USAGE
    except (KeyboardInterrupt, typer.Abort):
        complain("interrupted")
        status = Exit.INVALID
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = Exit.INVALID
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}: check the path, its permissions and the space left")
        status = Exit.INVALID
    sys.exit(int(status or 0))


def helps() -> Iterator[tuple[str, str]]:
    """Every command, as it is typed, with its help."""
    yield from _helps(typer.main.get_command(app), "pacemark")


def _helps(command: Any, name: str) -> Iterator[tuple[str, str]]:
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=100)
    yield name, command.get_help(context)
    for child, below in getattr(command, "commands", {}).items():
        yield from _helps(below, f"{name} {child}")


def _version(asked: bool) -> None:
    if asked:
        say(f"pacemark {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
