"""A plan in JMeter's own window."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from pacemark.asked import Asked
from pacemark.cache import cache_root
from pacemark.commands.engine import find_or_install
from pacemark.commands.given import SCALES, connection_for, identities_for, placed, rpc_endpoint
from pacemark.commands.terminal import CaFile, Cert, Gateway, Insecure, Key, Tokens, tell
from pacemark.errors import Exit, SetupError
from pacemark.gateway.connection import Connection
from pacemark.gateway.identities import Identities
from pacemark.gateway.mcp_servers import find_servers
from pacemark.gateway.sign_in import admin_url
from pacemark.gateway.target import Target, target
from pacemark.jmeter.engine import open_jmeter
from pacemark.jmeter.jvm import JvmSettings
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.run import settings_of
from pacemark.settings import File
from pacemark.workloads import workload
from pacemark.workloads.model import Workload
from pacemark.workloads.servers import Servers

_SESSION_S = 8 * 3600
"""How long a token that is minted for the window must live."""
PLANS = Path("tests/jmeter")


def gui(
    name: Annotated[str, typer.Argument(metavar="WORKLOAD")],
    gateway: Gateway = None,
    scale: Annotated[str, typer.Option(help=SCALES)] = "local",
    ca_file: CaFile = None,
    insecure: Insecure = False,
    cert: Cert = None,
    key: Key = None,
    tokens: Tokens = None,
) -> int:
    """Open a workload's plan in JMeter's window, set to a scale and a gateway."""
    one = placed(workload(name))
    load = one.load_at(scale)
    file = File.read(Path())
    connection = connection_for(file, ca_file, insecure, cert, key)
    identities = identities_for(file, tokens)
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise SetupError("there is no display for JMeter's window", "set DISPLAY, or use pacemark run")
    with tempfile.TemporaryDirectory(prefix="pacemark-") as stores:
        given = JvmSettings(properties={**JMETER_SETTINGS, **load_properties(load)})
        if url := gateway or file.gateway:
            with target(url, embedded=False, seconds=_SESSION_S, environ=os.environ, progress=tell) as at:
                asked = Asked(
                    workload=one,
                    scale=scale,
                    load=load,
                    warm_up_s=0,
                    objectives=(),
                    url=at.url,
                    credentials=at.credentials,
                    out=Path(),
                    properties=_found(one, at, connection, identities),
                    admin_url=admin_url(at.url, os.environ) if one.signs_in else "",
                    administrator=at.administrator,
                    rpc_endpoint=rpc_endpoint(),
                    connection=connection,
                    identities=identities,
                )
            given = settings_of(asked, Path(stores))
        args = ["-t", str(_plan(one).absolute())]
        status = open_jmeter(find_or_install(file), args, properties=given.properties, system=given.system)
    return Exit.PASS if status == 0 else Exit.INVALID


def _found(
    one: Workload, at: Target, connection: Connection, identities: Identities | None
) -> dict[str, str]:
    """Where the test servers are and how they are asked, as a run finds it out; what is amiss is told."""
    if not isinstance(one, Servers):
        return {}
    token = identities.first if identities else at.credentials
    there = find_servers(one, at.server_urls, at.url, token, connection)
    for finding in there.findings:
        if finding.level != "ok":
            tell(f"{finding.name}: {finding.detail}: {finding.remedy}")
    return there.properties


def _plan(one: Workload) -> Path:
    """The committed one where there is one; else a copy of it."""
    plan = PLANS / f"{one.name}.jmx"
    if not plan.is_file():
        plan = cache_root() / "gui" / f"{one.name}.jmx"
        plan.parent.mkdir(parents=True, exist_ok=True)
        plan.write_bytes(render(one))
        write_data(plan.parent / "data", one.feeds)
        tell(f"{plan}: save it elsewhere to keep what you change")
    return plan
