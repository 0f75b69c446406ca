from typing import Any, cast

import pytest

from pacemark.gateway.client import GatewayClient, GatewayError, RpcError
from pacemark.gateway.fixtures import MOST, Discovery, discover, filled
from pacemark.workloads.fixtures import ToolCall


class Offers:
    """Answers as a gateway does, from what it is given, a page of two rows at a time."""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        self.lists = lists
        self.broken: set[str] = set()
        self.called: list[tuple[str, dict[str, Any]]] = []

    def rpc(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method.endswith("/list"):
            key = method.removesuffix("/list")
            start = int(params.get("cursor", "0"))
            rows = self.lists.get(key, [])
            more = {"nextCursor": str(start + 2)} if len(rows) > start + 2 else {}
            return {key: rows[start : start + 2], **more}
        name = params.get("name") or params["uri"]
        self.called.append((name, params.get("arguments", {})))
        if name in self.broken:
            raise RpcError(method, -32000, "broken")
        return {"content": [], "contents": [{}], "messages": [{}], "isError": name.endswith("tool-error")}


def found(offers: Offers, *listed: str) -> Discovery:
    return discover(cast(GatewayClient, offers), listed=dict.fromkeys(listed))


def tool(name: str, read_only: bool | None = None, **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    annotations = {} if read_only is None else {"annotations": {"readOnlyHint": read_only}}
    return {"name": name, "inputSchema": schema, **annotations}


STRING = {"type": "string"}


def test_a_known_tool_is_called_with_its_arguments() -> None:
    discovery = found(Offers(tools=[tool("fast-time-get-system-time", timezone=STRING)]))
    assert discovery.fixtures.tools == (
        ToolCall(name="fast-time-get-system-time", arguments={"timezone": "${timezone}"}),
    )


def test_a_tool_of_a_known_name_with_other_arguments_is_not_called() -> None:
    offers = Offers(tools=[tool("disk-echo", path=STRING)])
    assert found(offers).fixtures.tools == ()
    assert offers.called == []


@pytest.mark.parametrize("read_only", [None, False])
def test_an_unknown_tool_that_may_change_something_is_never_called(read_only: bool | None) -> None:
    offers = Offers(tools=[tool("delete-everything", read_only)])
    assert found(offers).fixtures.tools == ()
    assert offers.called == []


def test_an_unknown_tool_is_called_when_the_user_lists_it() -> None:
    discovery = found(Offers(tools=[tool("mine"), tool("theirs")]), "mine")
    assert [call.name for call in discovery.fixtures.tools] == ["mine"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "${message}"),
        ({"type": "string", "default": "x"}, "x"),
        ({"type": "string", "enum": ["red", "blue"]}, "red"),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number"}, 1),
        ({"type": "boolean"}, False),
    ],
)
def test_arguments_of_a_reading_tool_are_made_from_its_schema(schema: dict[str, Any], value: object) -> None:
    discovery = found(Offers(tools=[tool("look-up", True, key=schema)]))
    assert [call.arguments for call in discovery.fixtures.tools] == [{"key": value}]


@pytest.mark.parametrize(
    "schema", [{"type": "object"}, {"type": "array"}, {}, {"type": "string", "format": "uuid"}]
)
def test_a_reading_tool_whose_arguments_cannot_be_made_is_left_alone(schema: dict[str, Any]) -> None:
    offers = Offers(tools=[tool("look-up", True, key=schema)])
    assert found(offers).fixtures.tools == ()
    assert offers.called == []


def test_what_fails_once_is_left_out_and_named() -> None:
    offers = Offers(
        tools=[tool("a-echo", message=STRING), tool("tool-error", True)],
        resources=[{"uri": "time://good"}, {"uri": "time://bad"}],
    )
    offers.broken = {"a-echo", "time://bad"}
    discovery = found(offers)
    assert discovery.fixtures.tools == ()
    assert discovery.fixtures.resources == ("time://good",)
    assert [line.split(":")[0] for line in discovery.failed] == ["a-echo", "tool-error", "time"]


def test_every_page_is_read_and_each_uri_once() -> None:
    uris = ["time://c", "time://a", "time://b", "time://a", "time://d"]
    discovery = found(Offers(resources=[{"uri": uri} for uri in uris]))
    assert discovery.fixtures.resources == ("time://a", "time://b", "time://c", "time://d")


def test_known_tools_come_before_others_and_there_is_an_end() -> None:
    many = [tool(f"a-{i:03}", True) for i in range(MOST + 5)]
    discovery = found(Offers(tools=[*many, tool("z-get-stats")]))
    names = [call.name for call in discovery.fixtures.tools]
    assert names[0] == "z-get-stats"
    assert len(names) == MOST
    assert discovery.offered_tools == MOST + 6


def test_prompts_get_what_they_require() -> None:
    prompt = {
        "name": "plan",
        "arguments": [
            {"name": "timezone", "required": True},
            {"name": "who", "required": True},
            {"name": "extra", "required": False},
        ],
    }
    offers = Offers(prompts=[prompt])
    (call,) = found(offers).fixtures.prompts
    assert call.arguments == {"timezone": "${timezone}", "who": "${message}"}
    assert offers.called == [("plan", filled(call.arguments))]


def test_filled_leaves_no_variable() -> None:
    assert "$" not in str(filled({"a": "${timezone}", "b": "${message}", "c": 1}))


def test_a_list_that_is_none_is_an_error() -> None:
    class Nothing(Offers):
        def rpc(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
            return {}

    with pytest.raises(GatewayError, match="tools/list"):
        found(Nothing())
