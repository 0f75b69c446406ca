"""fast_time: the four tools, four time resources, three prompts and a REST interface."""

import json
from zoneinfo import available_timezones

from mcp.server.mcpserver import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pacemark.gateway.servers import clock
from pacemark.gateway.servers.serve import serve
from pacemark.gateway.servers.tools import add_tools


def build() -> MCPServer[None]:
    """The server, not yet running."""
    server: MCPServer[None] = MCPServer("fast_time", version="1.5.0", log_level="ERROR")
    add_tools(server)
    _add_resources(server)
    _add_prompts(server)
    return server


def _add_resources(server: MCPServer[None]) -> None:
    @server.resource("timezone://info", mime_type="application/json")
    async def timezone_info() -> str:
        """The timezones of some cities, with their current offsets."""
        cities = clock.CITIES.items()
        return json.dumps(
            {city: {"timezone": name, "offset": f"{clock.now_in(name):%z}"} for city, name in cities}
        )

    @server.resource("time://current/world", mime_type="application/json")
    async def current_world() -> str:
        """The current time in some cities."""
        return json.dumps({city: clock.now_in(name).isoformat() for city, name in clock.CITIES.items()})

    @server.resource("time://formats", mime_type="application/json")
    async def formats() -> str:
        """Now, in the formats in use."""
        now = clock.now_in("UTC")
        return json.dumps(
            {
                "iso8601": now.isoformat(),
                "rfc2822": f"{now:%a, %d %b %Y %H:%M:%S %z}",
                "unix": int(now.timestamp()),
            }
        )

    @server.resource("time://business-hours", mime_type="application/json")
    async def business_hours() -> str:
        """Where it is between 9 and 17 on a weekday."""
        here = {city: clock.now_in(name) for city, name in clock.CITIES.items()}
        return json.dumps({city: t.weekday() < 5 and 9 <= t.hour < 17 for city, t in here.items()})


def _add_prompts(server: MCPServer[None]) -> None:
    @server.prompt()
    def compare_timezones(timezones: str) -> str:
        """Compare the current time in several timezones (separated by commas)."""
        return f"Compare the current time in these timezones, and say how far apart they are: {timezones}."

    @server.prompt()
    def schedule_meeting(participants: str, duration_minutes: str = "60") -> str:
        """Find a time for a meeting of people in several places."""
        return f"Find a time in business hours for {participants} to meet for {duration_minutes} minutes."

    @server.prompt()
    def convert_time_detailed(time: str, from_timezone: str, to_timezones: str) -> str:
        """Convert a time to several timezones, with the reasoning."""
        return f"Convert {time} from {from_timezone} to {to_timezones}; show offsets and changes of date."


async def _time(request: Request) -> JSONResponse:
    try:
        return JSONResponse(clock.described(request.query_params.get("timezone", "UTC")))
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=400)


async def _timezones(request: Request) -> JSONResponse:
    names = sorted(available_timezones())
    return JSONResponse({"timezones": names, "count": len(names)})


ROUTES = [Route("/api/v1/time", _time), Route("/api/v1/timezones", _timezones)]

if __name__ == "__main__":
    serve(build(), ROUTES)
