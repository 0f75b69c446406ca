"""MCP's JSON-RPC requests to the gateway's ``/rpc``, and what a true answer to one is."""

from pacemark.workloads.model import Absence, Check, Feed, Request

RPC_PATH = "${MCP_RPC_ENDPOINT}"
PROTOCOL_VERSION = "2025-06-18"

# A tool that failed answers HTTP 200 without a JSON-RPC error, and isError true.
TOOL_FAILED = Absence(name="the tool did not fail", pattern=r'"isError"\s*:\s*true')


def answered(name: str, holds: str) -> Check:
    """An answer to this id, no JSON-RPC error (they come with HTTP 200), and ``holds`` of it.

    ``holds`` is a predicate of a JSONPath filter in which ``@`` is the answer. The filter lets an error
    pass on to the comparison, so that JMeter's message has its code.
    """
    # A filter looks into arrays too: only $ compared with something says that the answer is no batch.
    return Check(
        name=name,
        path=f"$[?(@.error || ($.jsonrpc == '2.0' && {holds}))]['jsonrpc','id','error']",
        expect='{"jsonrpc":"2.0","id":"${REQUEST_ID}"}',
    )


def has_array(name: str) -> Check:
    """``$.result.<name>`` is an array."""
    # [0:] can be applied to arrays only.
    return answered(f"has a {name} array", f"@.result.{name}[0:]")


def envelope(method: str, params: str = "{}") -> str:
    """The text of a call. ``params`` is JSON text in which plan variables may stand."""
    return f'{{"jsonrpc":"2.0","id":"${{REQUEST_ID}}","method":"{method}","params":{params}}}'


def json_rpc(
    method: str,
    weight: float,
    check: Check,
    *,
    params: str = "{}",
    absences: tuple[Absence, ...] = (),
    feeds: tuple[Feed, ...] = (),
) -> Request:
    """A request for one MCP method. ``params`` is JSON text in which plan variables may stand."""
    return Request(
        label=f"MCP {method}",
        weight=weight,
        method="POST",
        path=RPC_PATH,
        body=envelope(method, params),
        check=check,
        absences=absences,
        feeds=feeds,
    )
