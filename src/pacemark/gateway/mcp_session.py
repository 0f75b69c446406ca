"""A session with one MCP endpoint over streamable HTTP, as far as finding out about it takes."""

import itertools
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx

from pacemark.errors import PacemarkError

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Protocol versions with ``initialize``, the newest first: a server answers with the one that it wants, or
refuses those that it does not know."""

SESSION_HEADER = "Mcp-Session-Id"
_FORMATS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


class McpError(PacemarkError):
    """An endpoint could not be asked, or did not answer as MCP has it."""


class UnreachableError(McpError):
    """No answer came at all."""


class McpSession:
    """What ``open_session`` found; ``call`` asks within it."""

    def __init__(self, http: httpx.Client, url: str, headers: Mapping[str, str]) -> None:
        self._http = http
        self._url = url
        self._headers = {**_FORMATS, **headers}
        self._ids = itertools.count(1)
        self.asked = ""
        """The protocol version that was asked for; ``version`` is what the server chose."""
        self.version = ""
        self.streams = False
        """Whether it answers as an event stream."""

    @property
    def has_session(self) -> bool:
        """Whether the server gave one."""
        return SESSION_HEADER in self._headers

    def open(self, version: str) -> None:
        """``initialize`` and ``notifications/initialized``.

        Raises:
            McpError: one of them was not answered as it should be.
        """
        self.asked = version
        client = {"name": "pacemark", "version": "1"}
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
        response, result = self._asked("initialize", params)
        self.version = str(result.get("protocolVersion", ""))
        if not self.version:
            raise McpError(f"{self._url}: initialize was answered without a protocol version")
        self.streams = response.headers.get("Content-Type", "").startswith("text/event-stream")
        self._headers["MCP-Protocol-Version"] = self.version
        if session := response.headers.get(SESSION_HEADER):
            self._headers[SESSION_HEADER] = session
        accepted = self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        if accepted.status_code not in (200, 202, 204):
            raise McpError(f"{self._url}: notifications/initialized was answered HTTP {accepted.status_code}")

    def call(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Ask, and return ``$.result``.

        Raises:
            McpError: there is none to this call; the text says what came instead.
        """
        return self._asked(method, params)[1]

    def tools(self) -> set[str]:
        """The names of all tools, page by page.

        Raises:
            McpError: they could not be listed.
        """
        names: set[str] = set()
        params: dict[str, Any] = {}
        seen: set[str] = set()
        while True:
            page = self.call("tools/list", params)
            names |= {str(row.get("name")) for row in page.get("tools", ()) if isinstance(row, dict)}
            cursor = page.get("nextCursor")
            if not cursor or cursor in seen:
                return names
            seen.add(cursor)
            params = {"cursor": cursor}

    def close(self) -> None:
        """Tell the server that the session is over; one that does not care may refuse."""
        if self.has_session:
            with suppress(httpx.HTTPError):
                self._http.delete(self._url, headers=self._headers)

    def _asked(self, method: str, params: Mapping[str, Any]) -> tuple[httpx.Response, dict[str, Any]]:
        number = f"pacemark-{next(self._ids)}"
        response = self._post({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        messages = _messages(response)
        answer = next((one for one in messages if one.get("id") == number), messages[-1] if messages else {})
        if isinstance(error := answer.get("error"), dict):
            raise McpError(f"{method}: JSON-RPC error {error.get('code')}: {str(error.get('message'))[:200]}")
        result = answer.get("result")
        if response.status_code != 200 or answer.get("id") != number or not isinstance(result, dict):
            raise McpError(f"{method}: {self._url} answered HTTP {response.status_code} without a result")
        return response, result

    def _post(self, message: dict[str, Any]) -> httpx.Response:
        try:
            return self._http.post(self._url, json=message, headers=self._headers)
        except httpx.TimeoutException:
            raise UnreachableError(f"{self._url} did not answer in time") from None
        except httpx.HTTPError as error:
            raise UnreachableError(f"{self._url}: {error}") from None


def open_session(
    http: httpx.Client, base: str, paths: Sequence[str], headers: Mapping[str, str]
) -> tuple[str, McpSession]:
    """Find where below ``base`` MCP is spoken, and in which version: the path, and an open session.

    Raises:
        UnreachableError: nobody answers at ``base``.
        McpError: no path answers to ``initialize``; the text has the last answer.
    """
    problem = McpError(f"{base}: no path to try")
    for path in paths:
        for version in VERSIONS:
            session = McpSession(http, base + path, headers)
            try:
                session.open(version)
            except UnreachableError:
                raise
            except McpError as error:
                problem = error
                continue
            return path, session
    raise problem


def _messages(response: httpx.Response) -> list[dict[str, Any]]:
    """Of a JSON body its message, of an event stream the data of every event."""
    texts = [response.text]
    if response.headers.get("Content-Type", "").startswith("text/event-stream"):
        events = response.text.replace("\r\n", "\n").split("\n\n")
        lines = ([line[5:] for line in event.split("\n") if line.startswith("data:")] for event in events)
        texts = ["\n".join(data) for data in lines]
    found = []
    for text in texts:
        with suppress(ValueError):
            found.append(json.loads(text))
    return [message for message in found if isinstance(message, dict)]
