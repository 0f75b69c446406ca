"""Users that send the request of the next slot."""

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.pacing import TRACE, clock, switch, users
from pacemark.jmx.requests import checks, fed
from pacemark.workloads.model import Mix, Request

PACER = "pacer"
"""Waits for the next slot and names its request."""


def variables(workload: Mix) -> list[Variable]:
    """The mix, and the endpoints that the requests name."""
    items = []
    if any("MCP_RPC_ENDPOINT" in request.path for request in workload.requests):
        items.append(Variable("MCP_RPC_ENDPOINT", "${__P(MCP_RPC_ENDPOINT,/rpc)}", "The JSON-RPC endpoint"))
    mix = "; ".join(f"{request.weight:g}% {request.label}" for request in workload.requests)
    items.append(Variable("MIX", mix, "Share of each request, by its sampler's name"))
    return items


def nodes(workload: Mix) -> tuple[Node, ...]:
    """The headers and the thread group."""
    return Node(_headers(workload)), _group(workload)


def _headers(workload: Mix) -> jmx.Element:
    items = {"Authorization": "Bearer ${TOKEN}", "Accept": "application/json"}
    if any(request.body for request in workload.requests):
        items["Content-Type"] = "application/json"
    return jmx.headers("Token, formats and trace", {**items, **TRACE})


def _group(workload: Mix) -> Node:
    slots = switch("The request of the next slot", *map(_choice, workload.requests))
    return users(workload.title, (clock(PACER),), (slots,))


def _choice(request: Request) -> Node:
    url = "${GATEWAY_URL}" + request.path
    sampler = jmx.http_request(request.label, request.method, url, request.body)
    return fed(request.label, Node(sampler, checks(request.check, request.absences)), request.feeds)
