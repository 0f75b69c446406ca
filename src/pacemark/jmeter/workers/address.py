"""Where workers are, as ``--workers`` says it."""

import re
from typing import NamedTuple

from pacemark.errors import InputError

PORT = 1099
"""Where a worker listens: the port that JMeter's own remote engines are known by."""
ENGINE_PORTS = 2
"""The ports above a worker's own on which its engine listens: the RMI registry's and the engine's."""

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?")


class Address(NamedTuple):
    """A worker's host (a name or an IPv4 address) and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def addresses(text: str) -> tuple[Address, ...]:
    """Read ``HOST[:PORT],...``, in that order.

    Raises:
        InputError: one of them is no such address, or stands there twice.
    """
    found = tuple(_address(part.strip()) for part in text.split(","))
    if twice := {str(one) for one in found if found.count(one) > 1}:
        raise InputError(f"--workers names {', '.join(sorted(twice))} twice", "name each worker once")
    return found


def _address(text: str) -> Address:
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"] or PORT) if match else 0
    if match is None or not 0 < port <= 65535 - ENGINE_PORTS:
        raise InputError(f"'{text}' is no worker's address", "write HOST[:PORT],... such as load-1:1099")
    return Address(match["host"], port)
