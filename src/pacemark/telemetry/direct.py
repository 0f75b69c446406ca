"""The MCP test servers asked directly beside the load: are they, or is the machine, slower too?"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacemark.gateway.client import http_client
from pacemark.gateway.connection import Connection
from pacemark.gateway.mcp_servers import instances, opened, problem_of
from pacemark.gateway.mcp_session import McpError, McpSession
from pacemark.results.record import LEAST_BEYOND, Chart, Column, Section, Series, Window
from pacemark.results.statistics import rank, samples_beyond
from pacemark.workloads.mcp_test_servers_baseline import WORKLOAD
from pacemark.workloads.servers import McpServer, ToolCall

EVERY_S = 1.0
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class DirectCall:
    """One call. ``at`` is when it was due, in epoch seconds; ``ms`` from then to its answer, None without a
    true one."""

    at: float
    server: str
    ms: float | None
    problem: str = ""


class DirectCalls:
    """Calls one tool of each server every second, each server in a thread of its own."""

    def __init__(self, urls: Mapping[str, str], connection: Connection) -> None:
        """``urls`` by server name; of a range of ports the first is asked."""
        self._stop = threading.Event()
        self._calls: list[DirectCall] = []
        self._threads = [
            threading.Thread(
                target=self._follow, args=(server, call, instances(url)[0], connection), daemon=True
            )
            for server, call in _first_calls()
            if (url := urls.get(server.name)) and instances(url)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[DirectCall]:
        """End, and tell, in the order of time."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return sorted(self._calls, key=lambda call: call.at)

    def _follow(self, server: McpServer, call: ToolCall, url: str, connection: Connection) -> None:
        session: McpSession | None = None
        with http_client(connection, url, timeout_s=_TIMEOUT_S) as http:
            due = time.time()
            while not self._stop.wait(max(0.0, due - time.time())):
                try:
                    if session is None:
                        session = opened(http, server, url)[2]
                        due = time.time()  # opening is no call
                    problem = problem_of(session, call, call.tool)
                except McpError as error:
                    problem = error.message
                ms = None if problem else 1000 * (time.time() - due)
                self._calls.append(DirectCall(due, server.name, ms, problem))
                if problem:
                    session = None
                due += EVERY_S
            if session is not None:
                session.close()


def _first_calls() -> Iterator[tuple[McpServer, ToolCall]]:
    """Of each server the tool that the workload calls most."""
    for server in WORKLOAD.servers:
        calls = [
            one
            for one in WORKLOAD.requests
            if isinstance(one, ToolCall) and one.server == server.name and not one.through_gateway
        ]
        if calls:
            yield server, calls[0]


def section(calls: Sequence[DirectCall], start: float, window: Window, end_s: float) -> Section | None:
    """A row a server over the measured window, and their times over the run; None without a call.

    ``start`` is the first sample's instant, in epoch seconds.
    """
    servers = sorted({call.server for call in calls})
    if not servers:
        return None
    tools = {server.name: call.tool for server, call in _first_calls()}
    at_s = [float(n) for n in range(int(end_s) + 1)]
    series, rows = [], []
    for server in servers:
        own = [(call.at - start, call) for call in calls if call.server == server]
        inside = [call for at, call in own if window.from_s <= at < window.to_s]
        rows.append([server, tools[server], *_figures(inside)])
        values: list[float | None] = [None] * len(at_s)
        for at, call in own:
            if 0 <= at < len(values) and call.ms is not None:
                values[int(at)] = round(call.ms, 2)
        series.append(Series(name=server, values=values))
    return Section(
        title="MCP servers, asked directly",
        summary=_summary(calls, start, window),
        note="One call a second of one tool, beside the load and not through the gateway; from when it was "
        "due to its answer.",
        columns=[
            Column(name="Server"),
            Column(name="Tool"),
            Column(name="Calls"),
            Column(name="Failed"),
            Column(name="P50", unit="ms"),
            Column(name="P95", unit="ms"),
            Column(name="Most", unit="ms"),
        ],
        rows=rows,
        charts=[Chart(title="Direct calls", unit="direct, ms", at=at_s, series=series)],
        is_background=True,
    )


def _figures(calls: Sequence[DirectCall]) -> list[int | float | None]:
    times = sorted(call.ms for call in calls if call.ms is not None)
    failed = len(calls) - len(times)
    if not times:
        return [len(calls), failed, None, None, None]
    found = [
        round(times[rank(len(times), percent) - 1], 1)
        if samples_beyond(len(times), percent) >= LEAST_BEYOND
        else None
        for percent in ("50", "95")
    ]
    return [len(calls), failed, *found, round(times[-1], 1)]


def _summary(calls: Sequence[DirectCall], start: float, window: Window) -> str:
    inside = [call for call in calls if window.from_s <= call.at - start < window.to_s]
    failed = [call for call in inside if call.ms is None]
    if failed:
        return (
            f"{len(failed)} of {len(inside)} direct calls failed, the first of {failed[0].server} at "
            f"{failed[0].at - start:.0f} s: {failed[0].problem}"
        )
    slowest = max(inside, key=lambda call: call.ms or 0, default=None)
    if slowest is None or slowest.ms is None:
        return "No direct call fell into the measured window."
    return (
        f"All {len(inside)} direct calls were answered; the slowest took {slowest.ms:.0f} ms "
        f"({slowest.server}, at {slowest.at - start:.0f} s)."
    )
