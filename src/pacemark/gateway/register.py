"""Making the test servers known to the gateway: one gateway entry each, and one virtual server over all."""

from collections.abc import Mapping
from typing import Any

from pacemark.errors import SetupError
from pacemark.gateway.client import GatewayClient, json_of

VIRTUAL_SERVER = "pacemark"


def register(client: GatewayClient, servers: Mapping[str, str]) -> str:
    """Register each MCP server (name to base URL) and a virtual server; return the latter's id.

    What has such a name already stays as it is. The tools of ``fast_time`` are then
    ``fast-time-get-system-time`` and so on. The gateway finds tools, resources and prompts while it answers.

    Raises:
        SetupError: the gateway refused; its answer is quoted.
    """
    known = _ids_by_name(client, "/gateways")
    for name, url in servers.items():
        if name in known:
            continue
        entry = {"name": name, "url": f"{url}/mcp", "transport": "STREAMABLEHTTP"}
        _created(client, "/gateways", entry, f"the MCP server {name}")
    if known_id := _ids_by_name(client, "/servers").get(VIRTUAL_SERVER):
        return known_id
    server = {
        "name": VIRTUAL_SERVER,
        "associated_tools": _ids(client, "/tools"),
        "associated_resources": _ids(client, "/resources"),
        "associated_prompts": _ids(client, "/prompts"),
    }
    created = _created(client, "/servers", {"server": server}, f"the virtual server {VIRTUAL_SERVER}")
    return str(created["id"])


def _created(client: GatewayClient, path: str, body: dict[str, Any], what: str) -> dict[str, Any]:
    response = client.post(path, body)
    answer = json_of(response)
    if response.status_code not in (200, 201) or not isinstance(answer, dict):
        raise SetupError(
            f"the gateway did not register {what}: HTTP {response.status_code} {response.text[:300]}"
        )
    return answer


def _ids(client: GatewayClient, path: str) -> list[str]:
    return [str(row["id"]) for row in _rows(client, path)]


def _ids_by_name(client: GatewayClient, path: str) -> dict[str, str]:
    return {str(row["name"]): str(row["id"]) for row in _rows(client, path)}


def _rows(client: GatewayClient, path: str) -> list[dict[str, Any]]:
    response = client.get(path, limit=0)
    rows = json_of(response)
    if response.status_code != 200 or not isinstance(rows, list):
        raise SetupError(
            f"the gateway did not list {path}: HTTP {response.status_code} {response.text[:300]}"
        )
    return rows
