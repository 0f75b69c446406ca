"""Where the commands print: results on standard output, all else on standard error."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from pacemark.report.console import printable

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Gateway = Annotated[str | None, typer.Option(help="URL of the gateway.", envvar="GATEWAY_URL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
TIME = "90s, 10m, 24h or seconds"


def say(line: str) -> None:
    """A result, as one line however wide the terminal is."""
    out.print(line, soft_wrap=True, markup=False)


def tell(line: str) -> None:
    """What is going on, in grey."""
    err.print(printable(line), style="bright_black", soft_wrap=True, markup=False)


def complain(line: str) -> None:
    """What is wrong, as one line."""
    err.print(f"pacemark: {printable(line)}", soft_wrap=True, markup=False)


def print_json(value: object) -> None:
    """The whole of standard output for whoever asked for JSON."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
