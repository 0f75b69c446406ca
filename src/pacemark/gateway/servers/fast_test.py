"""fast_test: the four tools and a REST interface."""

from json import JSONDecodeError

from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pacemark.gateway.servers import clock
from pacemark.gateway.servers.serve import serve
from pacemark.gateway.servers.tools import add_tools


def build() -> MCPServer[None]:
    """The server, not yet running."""
    server: MCPServer[None] = MCPServer("fast_test", version="1.0.0", log_level="ERROR")
    add_tools(server)
    return server


async def _time(request: Request) -> JSONResponse:
    try:
        return JSONResponse(clock.described(request.query_params.get("tz", "UTC")))
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=400)


async def _echo(request: Request) -> JSONResponse:
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return JSONResponse({"error": 'send {"message": "..."}'}, status_code=400)
    return JSONResponse({"message": body["message"]})


ROUTES = [Route("/api/time", _time), Route("/api/echo", _echo, methods=["POST"])]

if __name__ == "__main__":
    serve(build(), ROUTES)
