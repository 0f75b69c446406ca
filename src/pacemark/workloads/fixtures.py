"""What a gateway offers to be called: tools, resources and prompts, with the arguments to call them with."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ToolCall(_Frozen):
    """A tool and its arguments. String values may hold the variables ``${timezone}``, ``${message}``."""

    name: str
    arguments: dict[str, Any]


class PromptCall(_Frozen):
    """A prompt and its arguments, of the same kind as a tool's."""

    name: str
    arguments: dict[str, str]


class Fixtures(_Frozen):
    """What the plans may ask this gateway for; each was asked once and answered well."""

    tools: tuple[ToolCall, ...] = ()
    resources: tuple[str, ...] = ()
    prompts: tuple[PromptCall, ...] = ()


SAFE_TOOLS: dict[str, dict[str, str]] = {
    "get-system-time": {"timezone": "${timezone}"},
    "convert-time": {
        "time": "2026-01-30T10:00:00Z",
        "source_timezone": "UTC",
        "target_timezone": "${timezone}",
    },
    "echo": {"message": "${message}"},
    "get-stats": {},
}
"""The test servers' tools, as the gateway names them after a server's name: calling them changes nothing."""

EMBEDDED = Fixtures(
    tools=tuple(
        ToolCall(name=f"{server}-{tool}", arguments=arguments)
        for server in ("fast-test", "fast-time")
        for tool, arguments in SAFE_TOOLS.items()
    ),
    resources=(
        *("benchmark://0/resource/0", "benchmark://0/resource/1"),
        *("timezone://info", "time://current/world", "time://formats", "time://business-hours"),
    ),
)
"""What the local stack registers, which the committed plans call when they run on their own."""
