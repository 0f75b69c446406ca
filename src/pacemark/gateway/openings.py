"""Whether an event stream or a WebSocket connection opens and answers, tried once before the load."""

import base64
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin

import httpx

from pacemark.gateway.client import http_client
from pacemark.gateway.connection import Connection
from pacemark.gateway.connection_errors import why_not
from pacemark.gateway.token import Credentials
from pacemark.results.record import Finding
from pacemark.workloads.connections import Connections
from pacemark.workloads.streams import Streams

_TIMEOUT_S = 10.0
"""The gateway's slowest way to a reply takes less than two."""
_SETTLE_S = 0.5
"""With Redis a message that is posted in the instant after the endpoint was named can be lost."""
_ID = "pacemark-preflight"
CALLED = "tools/list"
"""Not ``ping``: on a stream the gateway answers what failed with an empty result, as it does a ping."""
_LOG = "see the gateway's log"
_NO_STREAM = "is MCP_SSE_ENDPOINT right, and may the token's user use servers?"
_ORIGIN = "have what stands before the gateway pass on Host and X-Forwarded-Proto"
_BASE = "tell the gateway its base path (APP_ROOT_PATH)"
_CACHE = "start the gateway with CACHE_TYPE=database or redis: with memory no reply comes by a stream"
_BUFFERED = (
    "have what stands before the gateway pass events on as they come (nginx: proxy_buffering off); "
    "else see the gateway's log"
)
_NO_RIGHT = "an error comes as an empty result: may the token's user list tools? see the gateway's log"
_NO_RELAY = "start the gateway with MCPGATEWAY_WS_RELAY_ENABLED=true"
_NO_UPGRADE = "is the base URL right, and is Upgrade passed on by what stands before the gateway?"


class _WrongError(Exception):
    """What is wrong, and the remedy."""

    def __init__(self, detail: str, remedy: str = _LOG) -> None:
        super().__init__(detail)
        self.remedy = remedy


def try_opening(
    workload: Streams | Connections, url: str, credentials: Credentials, connection: Connection
) -> Finding:
    """Open one as the load will, over the same way; a stream must answer a call of ``tools/list`` too."""
    name = "stream" if isinstance(workload, Streams) else "connection"
    where = url + workload.endpoint
    try:
        with http_client(
            connection,
            where,
            timeout_s=_TIMEOUT_S,
            headers={"Authorization": f"Bearer {credentials.token}"},
        ) as http:
            said = (_try_stream if isinstance(workload, Streams) else _try_connection)(http, where)
    except _WrongError as wrong:
        return Finding(name=name, level="error", detail=str(wrong), remedy=wrong.remedy)
    except httpx.ReadTimeout:
        awaited, remedy = ("event", _BUFFERED) if isinstance(workload, Streams) else ("answer", _LOG)
        detail = f"{where}: no {awaited} came within {_TIMEOUT_S:g} s"
        return Finding(name=name, level="error", detail=detail, remedy=remedy)
    except httpx.HTTPError as error:
        why, remedy = why_not(error, connection, connection.proxy_for(where))
        return Finding(name=name, level="error", detail=f"{where}: {why}", remedy=remedy or _LOG)
    return Finding(name=name, level="ok", detail=f"{where} {said}")


def _try_stream(http: httpx.Client, where: str) -> str:
    with http.stream("GET", where, headers={"Accept": "text/event-stream"}) as answer:
        if answer.status_code != 200:
            raise _WrongError(f"GET {where} answered HTTP {answer.status_code}", _NO_STREAM)
        if not answer.headers.get("Content-Type", "").lower().startswith("text/event-stream"):
            raise _WrongError(f"GET {where} answered no event stream", _NO_STREAM)
        events = _events(answer.iter_lines())
        endpoint = _endpoint(events, where)
        time.sleep(_SETTLE_S)
        began = time.monotonic()
        call = {"jsonrpc": "2.0", "id": _ID, "method": CALLED, "params": {}}
        _post(http, endpoint, call)
        with suppress(httpx.TimeoutException):
            for kind, data in events:
                if kind == "message" and (reply := _reply(data)):
                    if not _is_list_of_tools(reply.get("result")):
                        raise _WrongError(
                            f"{where}: {CALLED} was answered without a list of tools", _NO_RIGHT
                        )
                    return f"answered {CALLED} in {1000 * (time.monotonic() - began):.0f} ms"
                if time.monotonic() - began > _TIMEOUT_S:
                    break
        raise _WrongError(f"{where}: no reply to {CALLED} within {_TIMEOUT_S:g} s", _CACHE)


def _post(http: httpx.Client, endpoint: httpx.URL, call: dict[str, Any]) -> None:
    to = f"POST {str(endpoint.copy_with(query=None, userinfo=b''))[:200]}"
    try:
        posted = http.post(endpoint, json=call)
    except httpx.ReadTimeout:
        raise _WrongError(f"{to} was not answered within {_TIMEOUT_S:g} s") from None
    if posted.is_error:
        raise _WrongError(f"{to} answered HTTP {posted.status_code}", _BASE)


def _endpoint(events: Iterator[tuple[str, str]], where: str) -> httpx.URL:
    """Where the stream wants its messages; the token is for its own origin only."""
    told = next((data for kind, data in events if kind == "endpoint"), "")
    with suppress(httpx.InvalidURL, ValueError):
        endpoint, stream = httpx.URL(urljoin(where, told.strip())), httpx.URL(where)
        if not told or not endpoint.host:
            raise _WrongError(f"{where} names no endpoint for messages")
        if _origin(endpoint) != _origin(stream):
            raise _WrongError(
                f"the endpoint that {where} names is of another origin, {_origin(endpoint)}", _ORIGIN
            )
        return endpoint
    raise _WrongError(f"the endpoint that {where} names is no URL")


def _is_list_of_tools(result: object) -> bool:
    return isinstance(result, dict) and isinstance(result.get("tools"), list)


def _origin(url: httpx.URL) -> str:
    return str(url.copy_with(path="", query=None, fragment=None, userinfo=b""))[:200]


def _events(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Type and data of each event."""
    kind, data = "", []
    for line in lines:
        field, _, value = line.partition(":")
        if field == "event":
            kind = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
        elif not line:
            if data:
                yield kind or "message", "\n".join(data)
            kind, data = "", []


def _reply(data: str) -> dict[str, Any]:
    """The reply to our call; empty when it is another message, such as a request with the same id."""
    with suppress(ValueError):
        message = json.loads(data)
        if isinstance(message, dict) and message.get("id") == _ID and "method" not in message:
            return message
    return {}


def _try_connection(http: httpx.Client, where: str) -> str:
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    with http.stream("GET", where, headers=headers) as answer:
        if answer.status_code != 101:
            remedy = _NO_RELAY if answer.status_code == 403 else _NO_UPGRADE
            raise _WrongError(f"the handshake with {where} was answered HTTP {answer.status_code}", remedy)
    return "takes the handshake"
