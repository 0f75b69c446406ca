"""Grafana, as far as a run needs it (https://grafana.com/docs/grafana/latest/developers/http_api/)."""

import base64
import html
from collections.abc import Sequence
from typing import Any, Self

import httpx

from pacemark.errors import PacemarkError
from pacemark.gateway.client import json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.telemetry.client import client_of

_TIMEOUT_S = 5.0
TAG = "pacemark"
"""Of every annotation: what dashboards ask for."""


class GrafanaError(PacemarkError):
    """It could not be asked, or did not answer as it should."""

    def __init__(self, message: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(message, hint)
        self.is_final = is_final
        """Whether the next request would fare no better."""


def authorization(token: str) -> dict[str, str]:
    """The header that a token goes by: a bearer's, or for ``USER:PASSWORD`` a basic one; none without."""
    if not token:
        return {}
    if ":" in token:
        return {"Authorization": f"Basic {base64.b64encode(token.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"}


class Grafana:
    """Asks one Grafana; ``token`` is a service account's, or ``USER:PASSWORD``."""

    def __init__(self, url: str, token: str = "", connection: Connection = DIRECT) -> None:
        headers = authorization(token)
        self.url, self._http = client_of("GRAFANA_URL", url, headers, connection, _TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def version(self) -> str:
        """Of a Grafana that is well.

        Raises:
            GrafanaError: it does not answer, or says that its database is not well.
        """
        health = self._asked("GET", "/api/health")
        if health.get("database") != "ok":
            raise GrafanaError(
                f"{self.url} says that its database is '{health.get('database')}'", "see its log"
            )
        return str(health.get("version", ""))

    def dashboards(self) -> list[str]:
        """The titles of the dashboards that the token may see.

        Raises:
            GrafanaError: it refuses.
        """
        found = self._asked("GET", "/api/search?type=dash-db")
        return sorted(str(one.get("title")) for one in found if isinstance(one, dict))

    def annotate(self, text: str, tags: Sequence[str], at: float, until: float | None = None) -> int | None:
        """Mark an instant, or a stretch, in epoch seconds, on every dashboard that asks for the tags.

        What it returns is the annotation's number in Grafana.

        Raises:
            GrafanaError: it refuses.
        """
        # It shows the text as HTML.
        body = {"tags": [TAG, *tags], "text": html.escape(text, quote=False), **_time(at, until)}
        made = self._asked("POST", "/api/annotations", body)
        return made.get("id") if isinstance(made, dict) else None

    def move(self, number: int, at: float, until: float | None = None) -> None:
        """Put an annotation's time right.

        Raises:
            GrafanaError: it refuses.
        """
        self._asked("PATCH", f"/api/annotations/{number}", _time(at, until))

    def _asked(self, verb: str, path: str, body: Any = None) -> Any:
        where = f"{verb} {self.url}{path.partition('?')[0]}"
        try:
            response = self._http.request(verb, path, json=body)
        except httpx.TimeoutException:
            raise GrafanaError(f"{where}: no answer within {_TIMEOUT_S:g} s", "is it up?") from None
        except httpx.HTTPError as error:
            raise GrafanaError(f"{where}: {error}", "is it up, and GRAFANA_URL right?") from None
        answer = json_of(response)
        if response.status_code == 200 and answer is not None:
            return answer
        said = answer.get("message") if isinstance(answer, dict) else None
        status = response.status_code
        text = f"{where} answered HTTP {status}" + (f": {str(said)[:200]}" if said else "")
        if status in (401, 403):
            hint = "set GRAFANA_TOKEN: a service account's as Editor, or USER:PASSWORD"
            raise GrafanaError(text, hint, is_final=True)
        if status in (200, 301, 302, 404):
            raise GrafanaError(text, "GRAFANA_URL must be Grafana's own base URL", is_final=True)
        raise GrafanaError(text, "see Grafana's log")


def _time(at: float, until: float | None) -> dict[str, int]:
    """Grafana counts milliseconds."""
    return {"time": round(1000 * at)} | ({} if until is None else {"timeEnd": round(1000 * until)})
