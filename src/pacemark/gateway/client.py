"""A small client for the gateway's REST and JSON-RPC interfaces."""

import itertools
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from pacemark.errors import InputError, PacemarkError
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.connection_errors import refused_certificate, why_not
from pacemark.gateway.token import Credentials

RPC_ENDPOINT = "/rpc"


class GatewayError(PacemarkError):
    """The gateway could not be asked, or did not answer as it should."""


class SilentError(GatewayError):
    """The gateway took the request and did not answer in time: it is there, but slow or stuck."""


class RpcError(GatewayError):
    """A JSON-RPC call whose answer holds ``error``. HTTP says 200 all the same."""

    def __init__(self, method: str, code: int | None, message: str) -> None:
        super().__init__(f"{method}: JSON-RPC error {code}: {message}")
        self.code = code


class GatewayClient:
    """Asks one gateway, directly: a path in its URL comes before every path asked for.

    Raises:
        InputError: the URL is none that HTTP can speak to, or the JSON-RPC endpoint is no path.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | None = None,
        *,
        timeout_s: float = 10.0,
        rpc_endpoint: str = RPC_ENDPOINT,
        connection: Connection = DIRECT,
    ) -> None:
        self.url = checked_url(url)
        self.connection = connection
        self.proxy = connection.proxy_for(self.url)
        self.rpc_endpoint = rpc_endpoint
        if not rpc_endpoint.startswith("/"):
            raise InputError(f"the JSON-RPC endpoint '{rpc_endpoint}' is no path", "write it as /rpc")
        headers = {"Accept": "application/json"}
        if credentials:
            headers["Authorization"] = f"Bearer {credentials.token}"
        self._http = http_client(
            connection, self.url, timeout_s=timeout_s, headers=headers, base_url=self.url
        )
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: str | int) -> httpx.Response:
        """GET, whatever the status.

        Raises:
            GatewayError: no answer came.
        """
        return self._send("GET", path, params=params)

    def post(self, path: str, body: Any) -> httpx.Response:
        """POST a JSON body, whatever the status.

        Raises:
            GatewayError: no answer came.
        """
        return self._send("POST", path, json=body)

    def rpc(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Call a JSON-RPC method and return ``$.result``.

        Raises:
            RpcError: the answer holds ``$.error``.
            GatewayError: no answer came, or not a JSON-RPC one to this call.
        """
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        response = self.post(self.rpc_endpoint, call)
        answer = json_of(response)
        asked = f"{method}: POST {self.url}{self.rpc_endpoint}"
        if response.status_code != 200 or not isinstance(answer, dict):
            raise GatewayError(f"{asked} answered HTTP {response.status_code}")
        if error := answer.get("error"):
            code, message = (
                (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, error)
            )
            raise RpcError(method, code, str(message))
        if answer.get("id") != call["id"] or not isinstance(answer.get("result"), dict):
            raise GatewayError(f"{asked} answered no result to this call")
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, verb: str, path: str, **kwargs: Any) -> httpx.Response:
        where = f"{verb} {self.url}{path}"
        try:
            response = self._http.request(verb, path, **kwargs)
        except httpx.HTTPError as error:
            why, remedy = why_not(error, self.connection, self.proxy)
            kind = SilentError if isinstance(error, httpx.ReadTimeout) else GatewayError
            raise kind(f"{where}: {why}", remedy) from None
        if refused := refused_certificate(response, self.connection):
            raise GatewayError(f"{where}: {refused[0]}", refused[1])
        return response


def http_client(
    connection: Connection,
    url: str,
    *,
    timeout_s: float,
    headers: Mapping[str, str] = MappingProxyType({}),
    base_url: str = "",
) -> httpx.Client:
    """A client that reaches ``url`` by the connection's rules, by which JMeter goes too, and by none that
    httpx would find in the environment."""
    proxy = connection.proxy_for(url)
    return httpx.Client(
        base_url=base_url,
        headers=dict(headers),
        timeout=timeout_s,
        verify=connection.ssl_context(),
        proxy=httpx.Proxy(proxy.url, auth=proxy.auth) if proxy else None,
        trust_env=False,
    )


def json_of(response: httpx.Response) -> Any:
    """The body read as JSON; None when it is none."""
    try:
        return response.json()
    except ValueError:
        return None


def checked_url(url: str) -> str:
    """A gateway's URL without a trailing slash.

    Raises:
        InputError: it is not ``http://host[:port][/path]``, or https.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or parts.username or parts.password:
        raise InputError(
            f"'{_shown(url)}' is not a gateway's URL", "write http://HOST:PORT, without a password"
        )
    return url.rstrip("/")


def _shown(url: str) -> str:
    """Without what may be a password."""
    return url.rsplit("@", 1)[-1] if "@" in url else url
