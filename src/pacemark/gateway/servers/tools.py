"""The four tools that both servers offer."""

import time
from collections import Counter

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from pacemark.gateway.servers import clock

_READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)


def add_tools(server: MCPServer[None]) -> None:
    """Add ``get_system_time``, ``convert_time``, ``echo`` and ``get_stats``.

    A zone or a time that cannot be read is a tool error (``isError``), as with the originals. The
    functions are coroutines so that the SDK calls them on its event loop, without a thread each.
    """
    calls: Counter[str] = Counter()
    started = time.monotonic()
    tool = server.tool

    @tool(annotations=_READ_ONLY, structured_output=False)
    async def get_system_time(timezone: str = "UTC") -> str:
        """The current time in an IANA timezone."""
        calls["get_system_time"] += 1
        try:
            return clock.now_in(timezone).isoformat()
        except ValueError as error:
            raise ToolError(str(error)) from None

    @tool(annotations=_READ_ONLY, structured_output=False)
    async def convert_time(time: str, source_timezone: str, target_timezone: str) -> str:
        """Convert an ISO 8601 time from one IANA timezone to another."""
        calls["convert_time"] += 1
        try:
            return clock.convert(time, source_timezone, target_timezone).isoformat()
        except ValueError as error:
            raise ToolError(str(error)) from None

    @tool(annotations=_READ_ONLY, structured_output=False)
    async def echo(message: str) -> str:
        """Answer the message, unchanged."""
        calls["echo"] += 1
        return message

    @tool(annotations=_READ_ONLY, structured_output=False)
    async def get_stats() -> str:
        """Tool calls so far, by tool, and the seconds since the server started."""
        calls["get_stats"] += 1
        counted = ", ".join(f"{name}={count}" for name, count in sorted(calls.items()))
        return f"uptime_seconds={time.monotonic() - started:.0f}, {counted}"
