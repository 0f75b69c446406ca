"""Grafana, as far as a run needs it (https://grafana.com/docs/grafana/latest/developers/http_api/)."""

from collections.abc import Sequence
from typing import Any, Self

import httpx

from pacemark.errors import InputError, PacemarkError
from pacemark.gateway.client import checked_url, http_client, json_of
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.results.record import RunRecord, StageFigures

_TIMEOUT_S = 5.0
TAG = "pacemark"
"""Of every annotation: what dashboards ask for."""


class GrafanaError(PacemarkError):
    """It could not be asked, or did not answer as it should."""


class Grafana:
    """Asks one Grafana; ``token`` is a service account's."""

    def __init__(self, url: str, token: str = "", connection: Connection = DIRECT) -> None:
        try:
            self.url = checked_url(url)
        except InputError:
            raise InputError("GRAFANA_URL is no URL", "write http://HOST:PORT, without a password") from None
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http_client(
            connection, self.url, timeout_s=_TIMEOUT_S, headers=headers, base_url=self.url
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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

    def annotate(self, text: str, tags: Sequence[str], at: float, until: float | None = None) -> None:
        """Mark an instant, or a stretch, in epoch seconds, on every dashboard that asks for the tags.

        Raises:
            GrafanaError: it refuses.
        """
        body: dict[str, Any] = {"time": round(at * 1000), "tags": [TAG, *tags], "text": text}
        if until is not None:
            body["timeEnd"] = round(until * 1000)
        self._asked("POST", "/api/annotations", body)

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
        remedy = (
            "set GRAFANA_TOKEN: a service account's, Editor" if response.status_code in (401, 403) else ""
        )
        raise GrafanaError(
            f"{where} answered HTTP {response.status_code}" + (f": {str(said)[:200]}" if said else ""), remedy
        )


def annotate_start(grafana: Grafana, workload: str, scale: str, at: float) -> None:
    """That a load begins; ``at`` in epoch seconds.

    Raises:
        GrafanaError: it refuses.
    """
    grafana.annotate(f"{workload} ({scale}) begins", [workload, "start"], at)


def annotate_end(grafana: Grafana, record: RunRecord, start: float) -> None:
    """The run from its first sample (``start``, epoch seconds) to its end with its verdict, and its stages.

    Raises:
        GrafanaError: it refuses.
    """
    end = start + record.load.duration_s
    first = next((reason.text for reason in record.reasons), "")
    text = f"{record.workload} ({record.scale}): {record.verdict}" + (f": {first}" if first else "")
    grafana.annotate(text, [record.workload, "run", record.verdict], start, end)
    for stage in record.stages:
        grafana.annotate(
            _of_stage(stage), [record.workload, "stage"], start + stage.from_s, start + stage.to_s
        )
    grafana.annotate(f"{record.workload} ends: {record.verdict}", [record.workload, "end"], end)


def _of_stage(stage: StageFigures) -> str:
    seconds = stage.to_s - stage.from_s
    return f"stage {stage.name}: {stage.started / seconds:.4g} of {stage.due / seconds:.4g} requests a second"
