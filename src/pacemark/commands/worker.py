"""A machine that makes load for another."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from pacemark.commands.engine import find_or_install
from pacemark.commands.terminal import say, tell
from pacemark.distributed import count
from pacemark.errors import InputError
from pacemark.jmeter.workers.address import PORT
from pacemark.jmeter.workers.agent import serve
from pacemark.jmeter.workers.keystore import Keystore, default_folder
from pacemark.settings import File


def worker(
    init: Annotated[
        bool, typer.Option("--init", help="Make the keystore that all machines of a test share, and end.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--out", help="With --init: where. [default: the user's configuration]")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option(min=1, max=65533, help="The two above it are used too.")] = PORT,
) -> None:
    """Make load for a controller on another machine, until interrupted."""
    if init:
        made = Keystore.make(folder or default_folder())
        say(f"{made.folder}: copy it to the same place on every machine, or name it in PACEMARK_KEYS")
        return
    if folder is not None:
        raise InputError("--out goes with --init", "PACEMARK_KEYS names the keystore's folder")
    keystore = Keystore.find()
    engine = find_or_install(File.read(Path()))
    with suppress(KeyboardInterrupt):
        serve(engine, keystore, host, port, count=count, tell=tell)
