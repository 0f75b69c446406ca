"""What a gateway offers that may be called: found by asking, chosen by what is known to be safe, tried once.

A tool is called only when it is known (one of the test servers' own), when it says of itself that it only
reads, or when the user lists it. Reading resources and getting prompts changes nothing, by the protocol.
"""

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict

from pacemark.gateway.client import GatewayClient, GatewayError
from pacemark.workloads.fixtures import SAFE_TOOLS, Fixtures, PromptCall, ToolCall

Listed = Mapping[str, Mapping[str, Any] | None]
"""Tools that the user declares safe to call under load, by name: with their arguments, or None to have
those that the tool requires made up."""

MOST = 20
"""Tools, resources and prompts used, of each at most."""

_SAMPLES = {"${timezone}": "Europe/Berlin", "${message}": "Pacemark says hello"}


class Discovery(BaseModel):
    """The fixtures, and a line for each candidate that was left out because it failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fixtures: Fixtures
    failed: tuple[str, ...] = ()
    offered_tools: int = 0
    """Tools that the gateway lists, safe to call or not."""


def discover(client: GatewayClient, *, listed: Listed = MappingProxyType({})) -> Discovery:
    """List what the gateway offers, choose, and verify each choice by one real call.

    Args:
        client: with a token that may list and call.
        listed: what the user declares safe to call; goes before what is known of a tool.

    Raises:
        GatewayError: a list could not be had.
    """
    offered = list(_rows(client, "tools/list", "tools"))
    offered.sort(key=lambda row: (row.get("name") not in listed, not _is_known(row)))
    tools = [call for row in offered if (call := _tool_call(row, listed))]
    uris = [str(row["uri"]) for row in _rows(client, "resources/list", "resources") if row.get("uri")]
    resources = list(dict.fromkeys(uris))
    prompts = [_prompt_call(row) for row in _rows(client, "prompts/list", "prompts") if row.get("name")]
    failed: list[str] = []
    fixtures = Fixtures(
        tools=tuple(call for call in tools[:MOST] if _answers(client, call, failed)),
        resources=tuple(uri for uri in resources[:MOST] if _answers(client, uri, failed)),
        prompts=tuple(call for call in prompts[:MOST] if _answers(client, call, failed)),
    )
    return Discovery(fixtures=fixtures, failed=tuple(failed), offered_tools=len(offered))


def _rows(client: GatewayClient, method: str, key: str) -> Iterator[dict[str, Any]]:
    """Every row of a list, page by page, in the order of their names: the gateway's own order may change."""
    rows: list[dict[str, Any]] = []
    params: dict[str, Any] = {}
    seen: set[str] = set()
    while True:
        page = client.rpc(method, params)
        found = page.get(key)
        if not isinstance(found, list):
            raise GatewayError(f"{method}: the answer holds no {key}")
        rows += [row for row in found if isinstance(row, dict)]
        cursor = page.get("nextCursor")
        if not cursor or cursor in seen:
            break
        seen.add(cursor)
        params = {"cursor": cursor}
    yield from sorted(rows, key=lambda row: str(row.get("uri") or row.get("name")))


def _tool_call(row: dict[str, Any], listed: Listed) -> ToolCall | None:
    """How to call a tool, when it may be called and its arguments can be made; else None."""
    name, schema = str(row.get("name", "")), row.get("inputSchema") or {}
    if (given := listed.get(name)) is not None:
        return ToolCall(name=name, arguments=dict(given))
    if (known := _known_arguments(name, schema)) is not None:
        return ToolCall(name=name, arguments=known)
    if name in listed or (row.get("annotations") or {}).get("readOnlyHint") is True:
        arguments = _made_arguments(schema)
        return None if arguments is None else ToolCall(name=name, arguments=arguments)
    return None


def _is_known(row: dict[str, Any]) -> bool:
    return _known_arguments(str(row.get("name", "")), row.get("inputSchema") or {}) is not None


def _known_arguments(name: str, schema: dict[str, Any]) -> dict[str, Any] | None:
    """The arguments of a tool of the test servers; None when the name or the schema is another's."""
    plain = name.replace("_", "-")
    for suffix, template in SAFE_TOOLS.items():
        if plain == suffix or plain.endswith("-" + suffix):
            if set(schema.get("required", ())) <= set(template) and set(template) <= _properties(schema):
                return dict(template)
            return None
    return None


def _properties(schema: dict[str, Any]) -> set[str]:
    return set(schema.get("properties") or {})


def _made_arguments(schema: dict[str, Any]) -> dict[str, Any] | None:
    """A value for each required argument; None when one cannot be made."""
    properties = schema.get("properties") or {}
    made = {name: _made(name, properties.get(name) or {}) for name in schema.get("required", ())}
    return None if None in made.values() else made


def _made(name: str, schema: dict[str, Any]) -> Any:
    """A value that the schema allows, as far as it says; None when nothing is sure."""
    for source in (
        schema.get("const"),
        schema.get("default"),
        *schema.get("enum", ()),
        *schema.get("examples", ()),
    ):
        if source is not None:
            return source
    match schema.get("type"):
        case "boolean":
            return False
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "string" if not {"pattern", "format", "minLength", "maxLength"} & set(schema):
            return _variable(name)
    return None


def _variable(name: str) -> str:
    return "${timezone}" if "zone" in name.lower() else "${message}"


def _prompt_call(row: dict[str, Any]) -> PromptCall:
    required = [str(arg["name"]) for arg in row.get("arguments") or () if arg.get("required")]
    return PromptCall(name=str(row["name"]), arguments={name: _variable(name) for name in required})


def _answers(client: GatewayClient, what: ToolCall | PromptCall | str, failed: list[str]) -> bool:
    """Ask for it once, as the plans will; a failure is noted, with the gateway's own words."""
    try:
        problem = _ask(client, what)
    except GatewayError as error:
        problem = error.message
    if problem:
        failed.append(f"{what if isinstance(what, str) else what.name}: {problem}")
    return not problem


def _ask(client: GatewayClient, what: ToolCall | PromptCall | str) -> str:
    match what:
        case ToolCall():
            params = {"name": what.name, "arguments": filled(what.arguments)}
            result = client.rpc("tools/call", params)
            return f"tool error: {_text(result)}" if result.get("isError") else ""
        case PromptCall():
            params = {"name": what.name, "arguments": filled(what.arguments)}
            return "" if client.rpc("prompts/get", params).get("messages") else "no messages"
        case str():
            return "" if client.rpc("resources/read", {"uri": what}).get("contents") else "no contents"


def filled(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments with the plan's variables replaced by a sample of each."""
    return {
        name: _SAMPLES.get(value, value) if isinstance(value, str) else value
        for name, value in arguments.items()
    }


def _text(result: dict[str, Any]) -> str:
    return json.dumps(result.get("content"))[:200]
