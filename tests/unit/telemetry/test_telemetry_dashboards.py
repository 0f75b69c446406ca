"""Grafana's dashboards: the request's, whole, and each of its own."""

from itertools import combinations
from typing import Any

import pytest

from pacemark.telemetry.dashboards import DASHBOARDS
from pacemark.telemetry.live import LIVE_METRICS
from pacemark.telemetry.panels import WINDOW, Dashboard, Panel
from pacemark.telemetry.queries import QUERIES

MODELS: list[dict[str, Any]] = [dashboard.model() for dashboard in DASHBOARDS]
ASKED = [expr for dashboard in DASHBOARDS for panel in dashboard.panels for expr, _ in panel.asks]


def test_the_requests_six_are_there_and_the_load_tests() -> None:
    assert [model["title"] for model in MODELS] == [
        "Gateway Performance",
        "Database Health",
        "Container Resources",
        "MCP Protocol",
        "Redis Metrics",
        "Connection Pools",
        "Load Test",
    ]
    assert len({model["uid"] for model in MODELS}) == len(MODELS)


def test_every_figure_that_is_shown_is_on_a_dashboard() -> None:
    assert [query.name for query in QUERIES if query.is_shown and query.over(WINDOW) not in ASKED] == []


def test_every_live_metric_is_on_a_dashboard() -> None:
    assert [one.name for one in LIVE_METRICS if not any(one.name in expr for expr in ASKED)] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["uid"])
def test_panels_have_numbers_and_places_of_their_own(model: dict[str, Any]) -> None:
    assert len({panel["id"] for panel in model["panels"]}) == len(model["panels"])
    for one, other in combinations([panel["gridPos"] for panel in model["panels"]], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in model["panels"])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["uid"])
def test_panels_ask_through_the_variables_that_the_dashboard_has(model: dict[str, Any]) -> None:
    variables = {f"${{{one['name']}}}": one["query"] for one in model["templating"]["list"]}
    for panel in model["panels"]:
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert variables[source["uid"]] == source["type"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["uid"])
def test_the_marks_of_runs_are_on_each(model: dict[str, Any]) -> None:
    (marks,) = model["annotations"]["list"]
    assert marks["datasource"]["uid"] == "-- Grafana --"
    assert (marks["target"]["type"], marks["target"]["tags"]) == ("tags", ["pacemark"])
    assert model["schemaVersion"] >= 36


def test_a_limit_is_drawn_where_the_figures_of_a_panel_share_it() -> None:
    assert Panel.of("cpu_all").limit == 80
    assert Panel.of("http_p50", "http_p95").limit == 500
    assert Panel.of("db_query_time", "redis_command_time").limit is None


def test_figures_of_several_units_share_no_panel() -> None:
    with pytest.raises(AssertionError, match="db_query_time"):
        Panel.of("db_query_time", "db_connections")


def test_log_lines_take_the_whole_width_below() -> None:
    panels = (Panel("a", [("up", "")]), Panel("b", [('{job="gateway"}', "")], kind="logs"))
    first, second = Dashboard("u", "t", panels).model()["panels"]
    assert (first["gridPos"]["w"], second["gridPos"]["w"]) == (8, 24)
    assert second["gridPos"]["y"] == first["gridPos"]["h"]
