"""What the report draws of the system, and what it says of figures without a value."""

import polars as pl

from pacemark.results.record import Chart, Mark, Section, Window
from pacemark.telemetry.queries import QUERIES
from pacemark.telemetry.recorder import NO_VALUES, SCHEMA, Telemetry
from pacemark.telemetry.saturation import saturations
from pacemark.telemetry.sections import CHART_POINTS, not_known, sections

STEP_S = 5.0
Points = dict[float, float | None]


def recorded(
    lines: dict[tuple[str, str], Points], gaps: tuple[tuple[float, float], ...] = (), step_s: float = STEP_S
) -> Telemetry:
    """By query and series, the values by their seconds."""
    rows = [
        (at_s, name, series, value)
        for (name, series), points in lines.items()
        for at_s, value in points.items()
    ]
    return Telemetry(step_s, pl.DataFrame(rows, schema=SCHEMA, orient="row"), gaps=gaps)


def shown(telemetry: Telemetry, end_s: float) -> Section:
    found = saturations(telemetry, until_s=end_s)
    _, system = sections(telemetry, found, Window(from_s=0, to_s=end_s), end_s=end_s, client_p95=None)
    return system


def chart(telemetry: Telemetry, title: str, end_s: float = 30) -> Chart:
    (one,) = [chart for chart in shown(telemetry, end_s).charts if chart.title == title]
    return one


def test_a_chart_is_over_the_load_with_its_gap_and_a_mark_at_the_limit() -> None:
    points: Points = {-5: 1, 1: 0, 6: 7, 11: 9, 16: 9, 26: None}
    drawn = chart(
        recorded({("pool_waiting", ""): points}, gaps=((21.0, 26.0), (40.0, 50.0))),
        "Clients of the connection pool",
    )
    assert drawn.at == [0, 5, 10, 15, 20, 25, 30]
    (line,) = drawn.series
    assert (line.name, line.values) == (
        "Clients that wait for PgBouncer's pool",
        [0, 7, 9, 9, None, None, None],
    )
    assert drawn.marks == [
        Mark(from_at=21, to_at=26, text="nothing recorded"),
        Mark(from_at=6, to_at=6, text="past its limit: Clients that wait for PgBouncer's pool"),
    ]


def test_what_goes_on_beyond_the_load_is_marked_up_to_its_end_and_what_was_before_it_is_not() -> None:
    points: Points = dict.fromkeys(range(-60, 31, 5), 9.0)
    drawn = chart(
        recorded({("pool_waiting", ""): points}, gaps=((28.0, 90.0),)), "Clients of the connection pool"
    )
    assert drawn.marks == [Mark(from_at=28, to_at=30, text="nothing recorded")]


def test_of_a_long_run_each_point_is_the_worst_of_its_time() -> None:
    """Two values a point: of those that wait the most, of what answers the least."""
    end_s = 2 * CHART_POINTS * STEP_S
    times = [n * STEP_S for n in range(2 * CHART_POINTS)]
    telemetry = recorded(
        {
            ("pool_waiting", ""): {at_s: 8.0 if at_s == 15 else 2.0 for at_s in times},
            ("redis_up", "redis:9121"): {at_s: 0.0 if at_s == 15 else 1.0 for at_s in times},
        }
    )
    waiting = chart(telemetry, "Clients of the connection pool", end_s)
    assert waiting.at[:3] == [0, 10, 20]
    assert waiting.series[0].values[:3] == [2, 8, 2]
    (redis,) = chart(telemetry, "Services that answer", end_s).series
    assert redis.values[:3] == [1, 0, 1]


def test_a_service_that_is_down_throughout_is_drawn_with_its_name() -> None:
    times = range(0, 31, 5)
    telemetry = recorded(
        {
            ("redis_up", "redis:9121"): dict.fromkeys(times, 0.0),
            ("db_up", "db:9187"): dict.fromkeys(times, 1.0),
        }
    )
    drawn = chart(telemetry, "Services that answer")
    assert {line.name: set(line.values) for line in drawn.series} == {
        "Redis answers its exporter (redis:9121)": {0},
        "PostgreSQL answers its exporter (db:9187)": {1},
    }
    assert drawn.unit == "1 or 0"
    assert [mark.text for mark in drawn.marks] == ["past its limit: Redis answers its exporter"]


def test_what_can_go_past_a_limit_has_a_picture() -> None:
    telemetry = recorded({(query.name, ""): {0.0: 1.0, 5.0: 1.0} for query in QUERIES})
    charts = shown(telemetry, 10).charts
    drawn = {line.name for chart in charts for line in chart.series}
    limited = [query.title for query in QUERIES if query.limit and query.is_shown]
    assert [title for title in limited if not any(name.startswith(title) for name in drawn)] == []
    of_the_request = [query.title for query in QUERIES if query.asked_as]
    assert set(of_the_request) <= drawn
    assert len(charts) == 15


def test_a_series_without_a_number_is_said_beside_one_with_numbers() -> None:
    telemetry = recorded(
        {
            ("gateway_files", "a"): {0: 1, 5: 2},
            ("gateway_files", "b"): {0: None, 5: None},
            ("redis_hits", ""): {0: None},
            ("db_cache_hits", ""): {-5: 99, 0: None, 5: None},
        }
    )
    rows = {(row[0], row[1]) for row in shown(telemetry, 10).rows}
    assert ("Gateway's file descriptors, of its limit", "a") in rows
    assert ("Gateway's file descriptors, of its limit", f"b: {NO_VALUES}") in rows
    assert ("Keys found in Redis", NO_VALUES) in rows
    assert "gateway_files" not in not_known(telemetry)
    assert "db_cache_hits" in not_known(telemetry)
