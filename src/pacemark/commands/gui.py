"""A plan in JMeter's own window."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from pacemark.cache import cache_root
from pacemark.commands.measure import SCALES, find_or_install
from pacemark.commands.terminal import Gateway, tell
from pacemark.errors import SetupError
from pacemark.gateway.client import checked_url
from pacemark.gateway.stack import detached_credentials
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import run_as_jmeter
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.settings import File
from pacemark.workloads import workload

_SESSION_S = 8 * 3600
"""How long a token that is minted for the window must live."""
PLANS = Path("tests/jmeter")


def gui(
    name: Annotated[str, typer.Argument(metavar="WORKLOAD")],
    gateway: Gateway = None,
    scale: Annotated[str, typer.Option(help=SCALES)] = "local",
) -> None:
    """Open a workload's plan in JMeter's window, set to a scale and a gateway."""
    one = workload(name)
    properties = {**JMETER_SETTINGS, **load_properties(one.load_at(scale))}
    file = File.read(Path())
    if url := gateway or file.gateway:
        properties["GATEWAY_URL"] = url = checked_url(url)
        credentials = Credentials.from_environment(os.environ, seconds=_SESSION_S)
        if credentials := credentials or detached_credentials(url, seconds=_SESSION_S):
            properties["TOKEN"] = credentials.token
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SetupError("there is no display for JMeter's window", "set DISPLAY, or use pacemark run")
    plan = PLANS / f"{name}.jmx"
    if not plan.is_file():
        plan = cache_root() / "gui" / f"{name}.jmx"
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_bytes(render(one))
        write_data(plan.parent / "data", one.feeds)
        tell(f"{plan}: save it elsewhere to keep what you change")
    run_as_jmeter(find_or_install(file), ["-t", str(plan.absolute())], properties=properties)
