"""What saturated first, from figures over time."""

import polars as pl
import pytest

from pacemark.telemetry.observation import Observed
from pacemark.telemetry.queries import BY_NAME, QUERIES
from pacemark.telemetry.query import Limit, Query
from pacemark.telemetry.recorder import SCHEMA, Telemetry
from pacemark.telemetry.saturation import STARTUP_S, saturations
from pacemark.telemetry.sections import nothing_of, one_line, percentile_bounds

STEP_S = 5.0
CALM = {"gateway_cpu": 40.0, "pool_waiting": 0.0, "redis_up": 1.0, "db_transaction": 0.2}


def recorded(step_s: float = STEP_S, **lines: list[float | None]) -> Telemetry:
    """A value every step of time from the start of the load on, after one before it; None where nothing was
    recorded.

    The series of all are ``a``. Those that are not named stay calm.
    """
    length = max(map(len, lines.values()))
    every = {name: [value] * length for name, value in CALM.items()} | lines
    rows = [
        (n * step_s, name, "a", value)
        for name, values in every.items()
        for n, value in enumerate([CALM.get(name), *values], -1)
        if value is not None
    ]
    return Telemetry(step_s, pl.DataFrame(rows, schema=SCHEMA, orient="row"))


def names(telemetry: Telemetry, until_s: float = 1000) -> list[str]:
    return [one.query.name for one in saturations(telemetry, until_s=until_s)]


def test_nothing_is_found_where_all_stays_calm() -> None:
    assert names(recorded(gateway_cpu=[79.9] * 9)) == []


def test_the_first_past_its_limit_comes_first() -> None:
    late_and_far = [40.0] * 6 + [400.0] * 6
    early = [0.0] * 2 + [1.0] * 10
    assert names(recorded(gateway_cpu=late_and_far, pool_waiting=early)) == ["pool_waiting", "gateway_cpu"]


def test_of_two_at_once_the_one_that_is_further_past_its_limit() -> None:
    assert names(recorded(gateway_cpu=[81.0] * 6, db_transaction=[30.0] * 6)) == [
        "db_transaction",
        "gateway_cpu",
    ]
    assert names(recorded(gateway_cpu=[99.0] * 6, redis_up=[0.0] * 6)) == ["redis_up", "gateway_cpu"]


@pytest.mark.parametrize(
    ("values", "since"),
    [
        ([90.0, 90.0, 70.0, 90.0, 90.0, 70.0], None),
        ([70.0, 90.0, 90.0, 90.0, 70.0, 70.0], 5.0),
        ([90.0, 90.0, None, None, 90.0, 90.0], None),
        ([70.0, 70.0, 70.0, 70.0, 90.0, 90.0], None),
    ],
)
def test_a_limit_says_for_how_long_it_must_be_passed(values: list[float | None], since: float | None) -> None:
    found = saturations(recorded(gateway_cpu=values), until_s=1000)
    assert [one.at_s for one in found] == ([] if since is None else [since])


def test_of_steps_longer_than_a_limit_s_time_one_value_past_it_suffices() -> None:
    """Each is the worst of its 44 s: within the second of them Redis was gone, for however long."""
    (found,) = saturations(recorded(step_s=44, redis_up=[1.0, 0.0, 1.0]), until_s=1000)
    assert (found.query.name, found.at_s, found.until_s, found.worst) == ("redis_up", 44, 44, 0)
    assert one_line(found).endswith("limit < 1, at 44 s")
    (found,) = saturations(recorded(step_s=44, redis_up=[1.0, 0.0, 0.0, 1.0]), until_s=1000)
    assert (found.at_s, found.until_s) == (44, 88)


def test_a_long_step_that_reaches_back_before_the_load_tells_nothing_of_it_alone() -> None:
    assert names(recorded(step_s=44, redis_up=[0.0, 1.0, 1.0])) == []
    assert names(recorded(step_s=44, redis_up=[0.0, 0.0, 1.0])) == ["redis_up"]


def test_what_is_together_is_so_by_its_distance_and_not_by_a_grid() -> None:
    """Two steps are 10 s: 5 and 15 s are together, whatever the clock; 5 and 20 s are not."""
    one = [0.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    for start, expected in (
        (3, ["db_transaction", "pool_waiting"]),
        (4, ["pool_waiting", "db_transaction"]),
    ):
        other = [0.2] * start + [60.0] * 4
        assert names(recorded(pool_waiting=one, db_transaction=other)) == expected


def test_one_that_waits_does_not_outrank_what_is_far_beyond() -> None:
    busy = {"pool_waiting": [1.0] * 6, "db_transaction": [60.0] * 6}
    assert names(recorded(**busy)) == ["db_transaction", "pool_waiting"]  # type: ignore[arg-type]


def test_what_is_gone_comes_first_whenever_it_went() -> None:
    went = [1.0] * 8 + [0.0] * 4
    assert names(recorded(pool_waiting=[9.0] * 12, redis_up=went)) == ["redis_up", "pool_waiting"]


def test_what_ended_says_until_when() -> None:
    (found,) = saturations(recorded(pool_waiting=[0.0, 4.0, 4.0, 4.0, 0.0, 0.0, 0.0]), until_s=30)
    assert (found.at_s, found.until_s) == (5, 15)
    assert one_line(found).endswith("limit > 0, from 5 to 15 s")
    (found,) = saturations(recorded(pool_waiting=[0.0, 4.0, 4.0, 4.0]), until_s=16)
    assert found.until_s is None


def rates(values: list[float | None]) -> Telemetry:
    telemetry = recorded(gateway_cpu=values)
    return Telemetry(telemetry.step_s, telemetry.values, rate_s=20)


def test_what_a_rate_says_of_the_time_before_the_load_is_not_of_it() -> None:
    """JMeter's start makes the processors busy, and a rate over 20 s still says so 15 s into the load."""
    assert names(rates([95.0, 95.0, 90.0, 85.0, 60.0, 50.0])) == []
    assert names(rates([95.0, 95.0, 90.0, 85.0, 82.0, 50.0])) == ["gateway_cpu"]


def test_since_when_a_rate_is_past_its_limit_is_reckoned_from_its_course() -> None:
    """At 10 s all of it came at once: over 20 s the rate rises evenly from 0 to 100 % at 30 s."""
    course: list[float | None] = [0.0, 0.0, 0.0, 25.0, 50.0, 75.0, 100.0, 100.0, 100.0, 100.0]
    (found,) = saturations(rates(course), until_s=45)
    assert found.at_s == pytest.approx(30 - 0.8 * 20)
    pool = [0.0] * 4 + [1.0] * 6
    both = recorded(gateway_cpu=course, pool_waiting=pool)
    both = Telemetry(both.step_s, both.values, rate_s=20)
    assert names(both, until_s=45) == ["gateway_cpu", "pool_waiting"]


def test_a_load_shorter_than_rates_look_back_says_so() -> None:
    text = nothing_of(rates([95.0, 95.0]), 15)
    assert "rates look back 20 s, further than this load was long" in text
    assert "look back" not in nothing_of(rates([95.0] * 8), 35)


def test_a_gateway_that_does_not_answer_is_named_where_no_resource_is() -> None:
    hung = recorded(gateway_up=[1.0, 1.0, *[0.0] * 7], http_p95=[20.0] * 9)
    assert names(hung) == []
    text = nothing_of(hung, 40)
    assert text.startswith(
        "no resource went past its limit, as far as was recorded, but the gateway itself did: "
    )
    assert (
        "a gateway process does not answer: Gateway answers its scrape 0 (a), limit < 1, from 10 s on" in text
    )
    assert "takes long" not in text
    (reason,) = Observed(0, hung, []).first_to_saturate(40)
    assert reason.text == text


def test_a_gateway_that_hangs_within_a_transaction_is_not_the_database() -> None:
    up, open_s = [1.0, *[0.0] * 8], [0.0, *(5.0 * n for n in range(8))]
    hung = recorded(gateway_up=up, db_left_open=open_s)
    assert names(hung) == []
    (reason,) = Observed(0, hung, []).first_to_saturate(40)
    assert "a gateway process does not answer" in reason.text
    assert "a transaction waits for its client, a gateway, to go on: " in reason.text
    # Others wait for what it holds.
    held = recorded(gateway_up=up, db_left_open=open_s, db_transaction=open_s)
    (reason,) = Observed(0, held, []).first_to_saturate(40)
    assert reason.text.startswith("first to saturate was the database: a transaction holds on for long")
    assert reason.text.endswith(
        "; before that a gateway process does not answer: Gateway answers its scrape 0 (a), limit < 1, "
        "from 5 s on"
    )


def test_that_nothing_saturated_is_not_said_of_what_was_not_recorded() -> None:
    text = nothing_of(recorded(gateway_cpu=[10.0] * 9), 40)
    assert "; not known of http_errors, http_p95, gateway_up, gateway_files, db_up, db_connections" in text
    nothing = Observed(0, Telemetry(STEP_S, pl.DataFrame(schema=SCHEMA)), [])
    assert nothing.first_to_saturate(40) == []


def test_what_was_so_before_the_load_comes_last() -> None:
    before = recorded(gateway_cpu=[90.0] * 4)
    telemetry = with_busy_pool_from(before, -STARTUP_S - STEP_S)
    assert names(telemetry) == ["gateway_cpu", "pool_waiting"]
    assert "before the load already" in one_line(saturations(telemetry, until_s=1000)[1])


def test_what_began_while_jmeter_started_is_of_the_run() -> None:
    found = saturations(with_busy_pool_from(recorded(gateway_cpu=[90.0] * 4), -STARTUP_S), until_s=1000)
    assert [one.query.name for one in found] == ["pool_waiting", "gateway_cpu"]
    assert one_line(found[0]).endswith("from 0 to 5 s")


def with_busy_pool_from(telemetry: Telemetry, at_s: float) -> Telemetry:
    calm = telemetry.values.filter(pl.col("name") != "pool_waiting")
    times = [at_s + n * STEP_S for n in range(round((10 - at_s) / STEP_S))]
    rows = [(at, "pool_waiting", "a", 3.0) for at in times]
    return Telemetry(STEP_S, pl.concat([calm, pl.DataFrame(rows, schema=SCHEMA, orient="row")]))


def test_what_happens_after_the_load_is_not_of_it() -> None:
    assert names(recorded(gateway_cpu=[40.0] * 4 + [99.0] * 4), until_s=15) == []


def test_a_symptom_is_no_cause() -> None:
    assert names(recorded(http_p95=[4000.0] * 6, http_errors=[50.0] * 6)) == []


def test_one_line_has_figure_limit_and_moment() -> None:
    (found,) = saturations(recorded(gateway_cpu=[40.0, 40.0, 97.25, 96.0, 95.0]), until_s=20)
    assert one_line(found) == (
        "a gateway's event loop is busy: one worker can use one core: "
        "Gateway's CPU, of one core 97.2 % (a), limit > 80 %, from 10 s on"
    )


def test_every_limit_can_be_crossed_and_kept() -> None:
    for query in QUERIES:
        if query.limit:
            step = 1 if query.limit.comparison == ">" else -1
            assert query.limit.is_crossed_by(query.limit.value + step)
            assert not query.limit.is_crossed_by(query.limit.value)


def test_names_are_unique_and_windows_are_filled_in() -> None:
    assert len({query.name for query in QUERIES}) == len(QUERIES)
    assert not any("$" in query.over("20s") for query in QUERIES)
    assert Query("a", "A", "redis", "rate(x[$window])", "", limit=Limit(">", 1, 1, "m")).over("5s") == (
        "rate(x[5s])"
    )


def test_of_gauges_with_a_limit_the_worst_between_two_values_is_asked_for() -> None:
    assert BY_NAME["pool_waiting"].kept("44s", "5s") == (
        'max_over_time((sum(pgbouncer_pools_client_waiting_connections{database="mcp"}))[44s:5s])'
    )
    assert BY_NAME["redis_up"].kept("44s", "5s") == "min_over_time((redis_up)[44s:5s])"
    assert BY_NAME["gateway_cpu"].kept("44s", "5s") is None
    assert BY_NAME["cpu_all"].kept("44s", "5s") is None
    assert BY_NAME["redis_clients"].kept("44s", "5s") is None


BUCKETS = [(100.0, 50.0), (250.0, 94.0), (500.0, 96.0), (float("inf"), 100.0)]


@pytest.mark.parametrize(
    ("share", "bounds"), [(0.5, (0, 100)), (0.95, (250, 500)), (0.99, (500, float("inf")))]
)
def test_a_histogram_tells_between_which_bounds_a_percentile_is(
    share: float, bounds: tuple[float, float]
) -> None:
    assert percentile_bounds(BUCKETS, share) == bounds
    assert percentile_bounds([], share) is None
    assert percentile_bounds([(1.0, 0.0)], share) is None
