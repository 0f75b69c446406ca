"""Where the commands print: results on standard output, all else on standard error."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pacemark.report.console import printable

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

Gateway = Annotated[str | None, typer.Option(help="URL of the gateway.", envvar="GATEWAY_URL")]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="PEM", help="Trust these CAs only. [default: the system's]"),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Verify no certificate; the verdict says so.")]
Cert = Annotated[
    Path | None, typer.Option("--cert", metavar="PEM", help="The client's certificate, with its chain.")
]
Key = Annotated[
    Path | None, typer.Option("--key", metavar="PEM", help="Its private key. [default: in --cert]")
]
Tokens = Annotated[
    Path | None,
    typer.Option("--tokens", metavar="CSV", help="A column 'token': each thread takes its own, for good."),
]
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
