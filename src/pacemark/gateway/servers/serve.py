"""How the servers are run: streamable HTTP at ``/mcp``, by default on loopback, ``/health`` beside it."""

import argparse
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

LOOPBACK = "127.0.0.1"


def serve(server: MCPServer[None], routes: Sequence[Route]) -> None:
    """Serve until a TERM or INT; the port comes from the command line (``--port N``).

    Without sessions and with plain JSON replies, a ``tools/call`` costs the gateway (1.0.7) four requests
    on two connections; with sessions six on three, with event streams a connection a request. Measured, the
    gateway's own CPU is the same within the noise (some 57 ms a call); the server's is 1 ms less of 9.
    """
    parser = _parser(f"The MCP test server {server.name}.")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()

    app = server.streamable_http_app(json_response=True, stateless_http=True, host=given.host)
    app.router.routes.extend([_health(server), *routes])
    uvicorn.run(app, host=given.host, port=given.port, log_level="error", access_log=False)


def serve_each(build: Callable[[int], MCPServer[None]]) -> None:
    """Serve one instance, numbered from 0, on each port of the command line (``--port N --port M``).

    All in one process, since importing the SDK is what costs; with sessions and event streams.
    """
    parser = _parser("MCP test servers.")
    parser.add_argument("--port", type=int, required=True, action="append")
    given = parser.parse_args()
    ports: list[int] = given.port
    apps: dict[int, Starlette] = {}
    for instance, port in enumerate(ports):
        server = build(instance)
        apps[port] = server.streamable_http_app(host=given.host)
        apps[port].router.routes.append(_health(server))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as running:
            for app in apps.values():
                await running.enter_async_context(app.router.lifespan_context(app))
            yield

    async def by_port(scope: Scope, receive: Receive, send: Send) -> None:
        await apps[scope["server"][1]](scope, receive, send)

    whole = Starlette(routes=[Mount("/", by_port)], lifespan=lifespan)
    config = uvicorn.Config(whole, log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[_listening(given.host, port) for port in ports])


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    # In a container loopback is nobody's but its own.
    parser.add_argument("--host", default=LOOPBACK, help="The address to listen on, by default loopback's.")
    return parser


def _listening(host: str, port: int) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named. Without, an event stream's second packet
    # waits for the client's delayed acknowledgement: 43 ms instead of 3.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    return made


def _health(server: MCPServer[None]) -> Route:
    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "healthy", "server": server.name})

    return Route("/health", health)
