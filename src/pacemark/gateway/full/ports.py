"""The full stack's ports: the request's, unless they are moved."""

import contextlib
from collections.abc import Iterable, Mapping

import psutil

from pacemark.errors import InputError, SetupError
from pacemark.gateway.spec import BENCHMARK_PORTS, is_free

GATEWAYS = 3
PORTS = {
    "nginx": 8080,
    "gateway": 4444,
    "pgbouncer": 6432,
    "postgres": 5433,
    "redis": 6379,
    "prometheus": 9090,
    "postgres-exporter": 9187,
    "redis-exporter": 9121,
    "pgbouncer-exporter": 9127,
    "nginx-exporter": 9113,
    "process-exporter": 9256,
    "nginx-status": 8089,
    "fast_time": 8888,
    "fast_test": 8880,
    "benchmark": 9000,
}
"""By service; of those that take several adjacent ones, the first."""

WIDTHS = {"gateway": GATEWAYS, "benchmark": BENCHMARK_PORTS}
"""How many ports a service takes, where it is more than one."""


def chosen_ports(moved: Iterable[str] = ()) -> dict[str, int]:
    """The ports, with those that ``moved`` says (``nginx=18080``) elsewhere.

    Raises:
        InputError: one of them is no ``NAME=PORT``, or two services would share a port.
    """
    ports = dict(PORTS)
    for text in moved:
        name, _, where = text.partition("=")
        if name not in PORTS or not where.isdigit() or not 0 < int(where) <= 65_536 - WIDTHS.get(name, 1):
            raise InputError(
                f"cannot read the port '{text}'", f"write NAME=PORT, with NAME of {', '.join(PORTS)}"
            )
        ports[name] = int(where)
    holders: dict[int, str] = {}
    for name, port in _each(ports):
        if port in holders:
            raise InputError(
                f"{holders[port]} and {name} both want port {port}", "move one of them by --port"
            )
        holders[port] = name
    return ports


def check_free(ports: Mapping[str, int]) -> None:
    """See that nothing listens on any of them.

    Raises:
        SetupError: some are taken; the text says by whom, as far as that can be seen.
    """
    taken = [f"{port} ({name}){_holder(port)}" for name, port in _each(ports) if not is_free(port)]
    if taken:
        raise SetupError(
            f"these ports are taken: {', '.join(taken)}",
            "end what holds them, or move ours by --port NAME=PORT",
        )


def _each(ports: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    for name, first in ports.items():
        for port in range(first, first + WIDTHS.get(name, 1)):
            yield name, port


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for one in psutil.net_connections("tcp"):
            if one.status == psutil.CONN_LISTEN and getattr(one.laddr, "port", None) == port and one.pid:
                return f" by {psutil.Process(one.pid).name()}, pid {one.pid}"
    return ""
