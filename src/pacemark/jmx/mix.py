"""Users that send the request of the next slot."""

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.pacing import clock, switch, users
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
    return jmx.headers("Token and formats", items)


def _group(workload: Mix) -> Node:
    slots = switch("The request of the next slot", *map(_choice, workload.requests))
    return users(workload.title, (clock(PACER),), (slots,))


def _choice(request: Request) -> Node:
    check = request.check
    sampler = Node(
        jmx.http_request(request.label, request.method, "${GATEWAY_URL}" + request.path, request.body),
        (
            # First: when it passes it leaves no message, where the JSON assertion leaves an empty one,
            # and JMeter writes the first message there is.
            *(Node(jmx.absence_assertion(absence.name, absence.pattern)) for absence in request.absences),
            Node(jmx.json_assertion(check.name, check.path, check.expect, check.regex)),
        ),
    )
    if not request.feeds:
        return sampler
    # Below a controller a data set is read once for each of these requests, not for all the others too.
    feeds = (
        Node(jmx.csv_data(f"Next row of {feed}.csv", f"${{DATA_DIR}}/{feed}.csv")) for feed in request.feeds
    )
    return Node(jmx.simple_controller(request.label), (*feeds, sampler))
