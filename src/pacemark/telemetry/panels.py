"""Grafana's dashboards and their panels, as plain values: Grafana's JSON model of a dashboard.

Every panel of Prometheus asks through the variable ``datasource``, so that the same files serve any Grafana.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from pacemark.telemetry.queries import BY_NAME
from pacemark.telemetry.query import Query

Json = dict[str, Any]
TAG = "pacemark"
"""Of the dashboards, and of the annotations that a run writes."""
WINDOW = "$__rate_interval"
"""Grafana's range of a rate: four scrapes, or more where a pixel stands for more."""

_SCHEMA = 39
_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 8
_UNITS = {"%": "percent", "ms": "ms", "MB": "decmbytes", "1/s": "cps", "s": "s", "": "short", "B/s": "Bps"}
"""Grafana's names of the queries' units, and of those of the panels here."""
_PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
_LOKI = {"type": "loki", "uid": "${logs}"}
_GRAFANA = {"type": "grafana", "uid": "-- Grafana --"}


@dataclass(frozen=True)
class Panel:
    """Lines over time, or log lines, under one title."""

    title: str
    asks: Sequence[tuple[str, str]]
    """Expressions, each with its legend; ``{{label}}`` stands for a label's value."""
    unit: str = ""
    description: str = ""
    limit: float | None = None
    kind: str = "timeseries"

    @classmethod
    def of(cls, *names: str, title: str = "") -> "Panel":
        """The panel of a query of the table, or of several with the same unit under one title."""
        queries = [BY_NAME[name] for name in names]
        assert len({query.unit for query in queries}) == 1, names
        limits = {query.limit.value for query in queries if query.limit}
        return cls(
            title=title or queries[0].title,
            asks=[(query.over(WINDOW), _legend(query, len(queries) > 1)) for query in queries],
            unit=queries[0].unit,
            description=" ".join(filter(None, map(_said, queries))),
            limit=limits.pop() if len(limits) == 1 else None,
        )

    @property
    def is_of_logs(self) -> bool:
        """Whether Loki is asked, and not Prometheus."""
        return self.kind == "logs"


@dataclass(frozen=True)
class Dashboard:
    """A page of panels, row by row."""

    uid: str
    title: str
    panels: Sequence[Panel]

    def model(self) -> Json:
        """What Grafana reads."""
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": [TAG],
            "schemaVersion": _SCHEMA,
            "version": 1,
            "editable": True,
            # one cross-hair over all panels
            "graphTooltip": 1,
            "refresh": "5s",
            "time": {"from": "now-15m", "to": "now"},
            "timezone": "browser",
            "annotations": {"list": [_marks()]},
            "links": [_others()],
            "templating": {"list": [_source("datasource", "prometheus"), *self._logs()]},
            "panels": list(_placed(self.panels)),
        }

    def _logs(self) -> list[Json]:
        return [_source("logs", "loki")] if any(panel.is_of_logs for panel in self.panels) else []


def _legend(query: Query, is_one_of_several: bool) -> str:
    by = f"{{{{{query.by}}}}}" if query.by else ""
    if not is_one_of_several:
        return by or query.title
    return f"{query.title}, {by}" if by else query.title


def _said(query: Query) -> str:
    parts = []
    if query.limit:
        limit = f"{query.limit.comparison} {query.limit.value:g} {query.unit}".rstrip()
        parts.append(f"Limit {limit}: {query.limit.meaning}.")
    if query.note:
        parts.append(f"{query.title}: {query.note}.")
    return " ".join(parts)


def _placed(panels: Iterable[Panel]) -> Iterable[Json]:
    """Three in a row, log lines over the whole width."""
    numbers, x, y = count(1), 0, 0
    for panel in panels:
        width = _COLUMNS if panel.is_of_logs else _WIDTH
        if x + width > _COLUMNS:
            x, y = 0, y + _HEIGHT
        yield _panel(panel) | {
            "id": next(numbers),
            "gridPos": {"x": x, "y": y, "w": width, "h": _HEIGHT},
        }
        x += width


def _panel(panel: Panel) -> Json:
    source = _LOKI if panel.is_of_logs else _PROMETHEUS
    drawn = {} if panel.is_of_logs else {"fieldConfig": _drawn(panel), "options": _LINES}
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": source,
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": source, "expr": expr}
            | ({} if panel.is_of_logs else {"legendFormat": legend, "range": True})
            for n, (expr, legend) in enumerate(panel.asks)
        ],
        **drawn,
    }


_LINES = {
    "legend": {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["mean", "max"]},
    "tooltip": {"mode": "multi", "sort": "desc"},
}


def _drawn(panel: Panel) -> Json:
    custom: Json = {"fillOpacity": 0, "spanNulls": False, "showPoints": "never"}
    defaults: Json = {"unit": _UNITS[panel.unit], "min": 0, "custom": custom}
    if panel.limit is not None:
        custom["thresholdsStyle"] = {"mode": "line"}
        steps = [{"color": "transparent", "value": None}, {"color": "red", "value": panel.limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return {"defaults": defaults, "overrides": []}


def _source(name: str, kind: str) -> Json:
    return {"name": name, "type": "datasource", "query": kind, "hide": 0, "refresh": 1}


def _marks() -> Json:
    """A run's start, stages, end and verdict, over every panel."""
    return {
        "name": "Runs",
        "datasource": _GRAFANA,
        "enable": True,
        "iconColor": "blue",
        "target": {"type": "tags", "tags": [TAG], "matchAny": False, "limit": 200},
    }


def _others() -> Json:
    return {
        "type": "dashboards",
        "title": "Pacemark",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }
