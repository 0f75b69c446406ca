"""What the clients of Prometheus, Grafana and Loki have in common: a base URL, a token, a time-out."""

from collections.abc import Mapping

import httpx

from pacemark.errors import InputError
from pacemark.gateway.client import checked_url, http_client
from pacemark.gateway.connection import Connection


def client_of(
    variable: str, url: str, headers: Mapping[str, str], connection: Connection, timeout_s: float
) -> tuple[str, httpx.Client]:
    """The URL without a slash at its end, and a client for what is below it.

    Raises:
        InputError: the URL, which ``variable`` names, is none.
    """
    try:
        base = checked_url(url)
    except InputError:
        raise InputError(f"{variable} is no URL", "write http://HOST:PORT, without a password") from None
    return base, http_client(connection, base, timeout_s=timeout_s, headers=headers, base_url=base)
