"""The command line: which commands there are, and how each ends."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from pacemark import __version__
from pacemark.commands.terminal import complain, say
from pacemark.errors import Exit, PacemarkError

COMMANDS = {
    "setup": "engine.setup",
    "doctor": "doctor.doctor",
    "run": "run.run_command",
    "worker": "worker.worker",
    "stats": "results.stats",
    "report": "results.report_command",
    "compare": "compare.compare",
    "history": "history.history",
    "baseline": "results.baseline_app",
    "plans": "plans.plans_app",
    "stack": "stack.stack_app",
    "gui": "gui.gui",
    "jmeter": "engine.jmeter",
}
"""Each by its function, or its app of several, in ``pacemark.commands``."""
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def application(args: Sequence[str] = ()) -> typer.Typer:
    """The command line; of all commands only the one that ``args`` ask for is loaded, if it is clear."""
    app = typer.Typer(
        name="pacemark",
        help="Load-testing baselines for the MCP gateway, on Apache JMeter.",
        epilog="Exit status: 0 pass; 1 an objective missed or a regression; 2 wrong usage or bad input; "
        "3 the run is invalid or could not be carried out.",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    asked = args[0] if args else ""
    for name in [asked] if asked in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(".")
        command = getattr(import_module(f"pacemark.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, context_settings=_PASSED_ON if name == "jmeter" else None)(command)
    return app


def main() -> NoReturn:
    """Run the command line and exit with its status; every error is one line on standard error."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = application(sys.argv[1:])(standalone_mode=False)
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
    yield from _helps(typer.main.get_command(application()), "pacemark")


def _helps(command: Any, name: str) -> Iterator[tuple[str, str]]:
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=100)
    yield name, command.get_help(context)
    for child, below in getattr(command, "commands", {}).items():
        yield from _helps(below, f"{name} {child}")


def _version(asked: bool) -> None:
    if asked:
        say(f"pacemark {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
