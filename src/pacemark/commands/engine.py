"""Apache JMeter: fetch it, and run it as it comes."""

from pathlib import Path

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from pacemark.commands.terminal import err, say, tell
from pacemark.jmeter.engine import Engine, asked_engine, find_engine, run_as_jmeter
from pacemark.settings import File


def setup() -> None:
    """Fetch Apache JMeter and its plugins into the user's cache."""
    from pacemark.jmeter.install import is_installed  # half a second to import

    file = File.read(Path())
    if asked_engine(file.engine) == "pinned":
        there = is_installed()
        engine = _install()
        say(f"JMeter {engine.version} {'is already' if there else 'is now'} at {engine.home}")
    else:
        engine = find_or_install(file)
        say(f"JMeter {engine.version} is used from {engine.home}")
    say(f"Java {engine.java.version} ({engine.java.origin}) at {engine.java.path}")


def jmeter(context: typer.Context) -> None:
    """Run the installed engine, unmodified, as jmeter would."""
    run_as_jmeter(find_or_install(File.read(Path())), context.args)


def find_or_install(file: File) -> Engine:
    """The engine that the user wants; the pinned one is fetched when it is missing."""
    return find_engine(asked_engine(file.engine)) or _install()


def _install() -> Engine:
    from pacemark.jmeter.install import install  # half a second to import

    columns = (TextColumn("JMeter and plugins"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show_bytes(done: int, total: int) -> None:
            if bar.tasks[task].total is None:
                tell("fetching JMeter and its plugins")
            bar.update(task, completed=done, total=total)

        return install(show_bytes)
