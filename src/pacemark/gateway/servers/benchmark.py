"""benchmark: tools that do nothing, one server a port, all in one process.

Unlike the other two it keeps sessions and answers with event streams, which is the SDK's own default.
"""

from mcp.server.mcpserver import MCPServer

from pacemark.gateway.servers.serve import serve_each

TOOLS, RESOURCES, PROMPTS = 5, 2, 1


def build(instance: int) -> MCPServer[None]:
    """One instance, not yet running. Its resources have its number in their URI: the gateway refuses to read
    one that two servers offer."""
    server: MCPServer[None] = MCPServer("benchmark", version="1.0.0", log_level="ERROR")
    for n in range(TOOLS):
        _add_tool(server, n)
    for n in range(RESOURCES):
        _add_resource(server, f"benchmark://{instance}/resource/{n}", n)
    for n in range(PROMPTS):
        _add_prompt(server, n)
    return server


def _add_tool(server: MCPServer[None], n: int) -> None:
    @server.tool(name=f"benchmark_tool_{n}", structured_output=False)
    async def tool(param1: str) -> str:
        """Answer at once, with the parameter."""
        return f"benchmark_tool_{n} got {param1}"


def _add_resource(server: MCPServer[None], uri: str, n: int) -> None:
    @server.resource(uri, name=f"benchmark_resource_{n}")
    async def resource() -> str:
        """A line of text."""
        return f"benchmark resource {n}"


def _add_prompt(server: MCPServer[None], n: int) -> None:
    @server.prompt(name=f"benchmark_prompt_{n}")
    def prompt(arg1: str) -> str:
        """A line of text with the argument."""
        return f"benchmark prompt {n} about {arg1}"


if __name__ == "__main__":
    serve_each(build)
