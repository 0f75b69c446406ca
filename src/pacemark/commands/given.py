"""What the command line, the environment and the file give together."""

import os
from pathlib import Path

from pacemark.gateway.client import RPC_ENDPOINT
from pacemark.gateway.connection import Connection
from pacemark.gateway.detached import detached
from pacemark.gateway.fixtures import Listed
from pacemark.gateway.identities import Identities
from pacemark.settings import File
from pacemark.telemetry.logs import LokiAsked
from pacemark.workloads.model import Workload
from pacemark.workloads.streams import Streams

SCALES = "full, ci, local, smoke or a factor."


def connection_for(
    file: File, ca_file: Path | None, insecure: bool, cert: Path | None, key: Path | None
) -> Connection:
    """A certificate on the command line goes with the key there, and one way of trusting before the other."""
    if not insecure and not ca_file:
        ca_file, insecure = file.ca_file, file.insecure
    if not cert:
        cert, key = file.cert, key or file.key
    return Connection.read(os.environ, ca_file=ca_file, insecure=insecure, cert=cert, key=key)


def identities_for(file: File, tokens: Path | None) -> Identities | None:
    """The users' tokens, where a file of them is named."""
    path = tokens or file.tokens
    return Identities.read(path) if path else None


def placed(one: Workload) -> Workload:
    """Streams may be those of a virtual server."""
    endpoint = os.environ.get("MCP_SSE_ENDPOINT")
    return one.at(endpoint) if endpoint and isinstance(one, Streams) else one


def rpc_endpoint() -> str:
    """The path of JSON-RPC at the gateway."""
    return os.environ.get("MCP_RPC_ENDPOINT") or RPC_ENDPOINT


def monitoring(file: File, url: str | None) -> dict[str, str]:
    """As the variables that say it: where the monitoring is by the file, or by the stack at ``url``."""
    stack = detached(url) if url and not file.prometheus else None
    given = {
        "PROMETHEUS_URL": file.prometheus or (stack.prometheus_url if stack else None),
        "GRAFANA_URL": file.grafana,
        "LOKI_URL": file.loki,
    }
    return {name: value for name, value in given.items() if value}


def loki(file: File) -> LokiAsked | None:
    """Loki itself goes before the Grafana that has it."""
    if url := os.environ.get("LOKI_URL") or file.loki:
        return LokiAsked(url, file.loki_query, os.environ.get("LOKI_TOKEN") or "")
    if url := os.environ.get("GRAFANA_URL") or file.grafana:
        return LokiAsked(url, file.loki_query, os.environ.get("GRAFANA_TOKEN") or "", is_grafana=True)
    return None


def listed_tools(file: File) -> Listed:
    return {tool.name: tool.arguments for tool in file.tools}
