"""This machine and the gateway, before a run."""

import os
from pathlib import Path
from typing import Annotated

import typer

from pacemark.commands.given import (
    SCALES,
    connection_for,
    identities_for,
    listed_tools,
    monitoring,
    rpc_endpoint,
)
from pacemark.commands.terminal import AsJson, CaFile, Cert, Gateway, Insecure, Key, Tokens, out, print_json
from pacemark.doctor import examine
from pacemark.errors import Exit
from pacemark.report import console as show
from pacemark.settings import File, Shape, loads_for
from pacemark.workloads import WORKLOADS, workload


def doctor(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD...]", help="What is to be run. [default: all]")
    ] = None,
    gateway: Gateway = None,
    scale: Annotated[str | None, typer.Option(help=f"{SCALES} [default: full]")] = None,
    ca_file: CaFile = None,
    insecure: Insecure = False,
    cert: Cert = None,
    key: Key = None,
    tokens: Tokens = None,
    as_json: AsJson = False,
) -> int:
    """Check this machine and the gateway; each finding has its remedy."""
    file = File.read(Path())
    chosen = [workload(name) for name in names or WORKLOADS]
    loads = loads_for(chosen, scale=scale, typed=Shape(), environ=os.environ, file=file).loads
    url = gateway or file.gateway
    findings = examine(
        url,
        {one.name: load for one, load in zip(chosen, loads, strict=True)},
        are_named=bool(names),
        engine=file.engine,
        environ={**monitoring(file, url), **os.environ},
        out=Path(file.out or "results"),
        rpc_endpoint=rpc_endpoint(),
        listed_tools=listed_tools(file),
        connection=connection_for(file, ca_file, insecure, cert, key),
        identities=identities_for(file, tokens),
        loki_query=file.loki_query,
    )
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        out.print(show.findings_table(findings))
    return Exit.INVALID if any(finding.level == "error" for finding in findings) else Exit.PASS
