"""Ports for a full stack that nobody has, so that it can stand beside another."""

from pacemark.gateway.full.ports import PORTS, WIDTHS
from pacemark.gateway.spec import adjacent_ports, free_ports


def elsewhere() -> dict[str, int]:
    """By service, of the right widths."""
    found: dict[str, int] = {}
    taken: set[int] = set()
    for name in PORTS:
        while name not in found:
            width = WIDTHS.get(name, 1)
            first = adjacent_ports(width)[0] if width > 1 else free_ports(1)[0]
            ports = set(range(first, first + width))
            if not ports & taken:
                found[name], taken = first, taken | ports
    return found
