"""Requests to several MCP servers, each in a session of the thread's own, and through the gateway."""

import json
from collections.abc import Collection
from typing import NamedTuple, Self

from pydantic import Field

from pacemark.workloads.json_rpc import PROTOCOL_VERSION
from pacemark.workloads.model import Feed, Vocabulary, Weighted, Whole, Workload

GATEWAY = "gateway"
INITIALIZE, INITIALIZED = "initialize", "notifications/initialized"


class Setting(Vocabulary):
    """What servers of one name have in common only by luck, such as a path: a property of the plan.

    The plan on its own takes the first candidate, which is the embedded stack's; ``pacemark run`` the first
    to which the server answers truly. Empty is a server that has not got it.
    """

    name: str
    candidates: tuple[str, ...]
    note: str


class McpServer(Vocabulary):
    """A server that speaks MCP over streamable HTTP."""

    name: str
    rest: tuple[Setting, ...] = ()
    """The paths of its REST interface, each up to the value that a request appends."""
    at_gateway: str = ""
    """What the gateway puts before the names of its tools: the name under which it is registered there."""

    @property
    def url(self) -> str:
        """The property that has its URL; empty, nothing is sent to it."""
        return f"{self.name.upper()}_URL"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its other properties."""
        name = self.name.upper()
        at = Setting(
            name=f"{name}_AT_GATEWAY",
            candidates=(self.at_gateway,),
            note=f"What the gateway puts before the names of {self.name}'s tools",
        )
        return (
            Setting(name=f"{name}_MCP", candidates=("/mcp", "/http", ""), note=f"{self.name}'s MCP endpoint"),
            Setting(
                name=f"{name}_PROTOCOL",
                candidates=(PROTOCOL_VERSION,),
                note=f"The MCP version that {self.name} is asked for",
            ),
            *self.rest,
            *([at] if self.at_gateway else []),
        )

    @property
    def openings(self) -> tuple[str, str]:
        """The labels of the two requests that open a session."""
        return f"{self.name} {INITIALIZE}", f"{self.name} {INITIALIZED}"


class ToolCall(Weighted):
    """``tools/call`` of one tool, at its server or, with ``through_gateway``, by its name at the gateway."""

    server: str
    tool: str
    arguments: dict[str, str] = Field(default_factory=dict)
    holds: str = ""
    """Text that a true answer has, ``${REQUEST_ID}`` in it replaced by this request's id."""
    feeds: tuple[Feed, ...] = ()
    through_gateway: bool = False

    @property
    def to(self) -> str:
        """The server that it is sent to."""
        return GATEWAY if self.through_gateway else self.server

    @property
    def label(self) -> str:
        direct = f"{self.server} {self.tool}"
        return f"{GATEWAY} {direct}" if self.through_gateway else direct

    @property
    def needs(self) -> tuple[str, ...]:
        """Properties without which it is not sent. Through the gateway only beside the direct one."""
        direct = (f"{self.server.upper()}_URL",)
        return ("TOKEN", "GATEWAY_URL", *direct) if self.through_gateway else direct

    @property
    def body(self) -> str:
        name = self.tool
        if self.through_gateway:
            name = f"${{{self.server.upper()}_AT_GATEWAY}}-{self.tool.replace('_', '-')}"
        params = json.dumps({"name": name, "arguments": self.arguments}, separators=(",", ":"))
        return f'{{"jsonrpc":"2.0","id":"${{REQUEST_ID}}","method":"tools/call","params":{params}}}'

    @property
    def truth(self) -> str:
        """What a true answer is, for the reference page."""
        said = "; it says what was asked" if self.holds else ""
        return f"to this id, with content, without an error, the tool did not fail{said}"


class RestRequest(Weighted):
    """A request to a server's REST interface, where it offers that."""

    server: str
    name: str
    path: str
    """The setting that has its path."""
    value: str = ""
    """What is appended to the path."""
    body: str = ""
    holds: str
    """A regular expression that a true answer matches somewhere."""
    truth: str
    """The same in words."""
    feeds: tuple[Feed, ...] = ()

    @property
    def to(self) -> str:
        return self.server

    @property
    def method(self) -> str:
        return "POST" if self.body else "GET"

    @property
    def label(self) -> str:
        return f"{self.server} {self.method} {self.name}"

    @property
    def needs(self) -> tuple[str, ...]:
        return f"{self.server.upper()}_URL", self.path


class Pair(NamedTuple):
    """The same call, directly and through the gateway."""

    tool: str
    direct: str
    gateway: str


class Servers(Workload):
    """Every user has a session with each server, and sends the request of the next slot, by weight.

    Opening a session takes no slot: a thread does it before its first one, and again after a request that
    found its session gone.
    """

    servers: tuple[McpServer, ...]
    requests: Whole[ToolCall | RestRequest]

    def only(self, labels: Collection[str]) -> Self:
        """With those requests alone, in the same proportions, and with the servers that they go to."""
        kept = tuple(request for request in self.requests if request.label in labels)
        asked = {request.to for request in kept} | {request.server for request in kept}
        servers = tuple(server for server in self.servers if server.name in asked)
        return self.model_copy(update={"requests": kept, "servers": servers})

    @property
    def sessions(self) -> tuple[McpServer, ...]:
        """The servers to which tool calls go."""
        asked = {request.to for request in self.requests if isinstance(request, ToolCall)}
        return tuple(server for server in self.servers if server.name in asked)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """What is called both ways."""
        calls = [request for request in self.requests if isinstance(request, ToolCall)]
        direct = {(call.server, call.tool): call.label for call in calls if not call.through_gateway}
        return tuple(
            Pair(f"{call.server} {call.tool}", direct[call.server, call.tool], call.label)
            for call in calls
            if call.through_gateway and (call.server, call.tool) in direct
        )

    @property
    def labels(self) -> tuple[str, ...]:
        openings = (label for server in self.sessions for label in server.openings)
        return (*openings, *(request.label for request in self.requests))

    @property
    def described(self) -> tuple[tuple[str, str, str], ...]:
        openings = (
            ((first, "a thread", "to this id, with a protocol version"), (second, "a thread", "accepted"))
            for first, second in (server.openings for server in self.sessions)
        )
        return (
            *(row for rows in openings for row in rows),
            *((request.label, f"{request.weight:g} %", request.truth) for request in self.requests),
        )

    @property
    def feeds(self) -> tuple[Feed, ...]:
        return tuple(dict.fromkeys(feed for request in self.requests for feed in request.feeds))

    @property
    def handlers(self) -> dict[str, str]:
        at_gateway = [request.label for request in self.requests if request.to == GATEWAY]
        openings = [label for one in self.sessions if one.name == GATEWAY for label in one.openings]
        return dict.fromkeys([*openings, *at_gateway], "POST /mcp")
