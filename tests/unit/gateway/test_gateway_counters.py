import pytest

from pacemark.gateway.client import GatewayError
from pacemark.gateway.counters import Counters, parse_counters, together

TEXT = """\
# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.79539683701e+09
# HELP http_requests_total Total number of requests by method, status and handler.
# TYPE http_requests_total counter
http_requests_total{handler="/tools",method="GET",status="200"} 7.0
http_requests_total{handler="/tools",method="GET",status="401"} 2.0
http_requests_total{handler="/rpc",method="POST",status="200"} 2964.0
# HELP http_requests_created Total number of requests by method, status and handler.
# TYPE http_requests_created gauge
http_requests_created{handler="/tools",method="GET",status="200"} 1.795396837e+09
"""


def test_requests_are_summed_over_their_status() -> None:
    assert parse_counters(TEXT).requests == {"GET /tools": 9, "POST /rpc": 2964}


def test_the_start_of_the_process_is_read() -> None:
    assert parse_counters(TEXT).started == (1.79539683701e09,)


def test_without_a_process_there_is_no_start() -> None:
    assert parse_counters("").started == ()


def test_since_leaves_out_what_was_not_asked_for() -> None:
    before = Counters(requests={"GET /tools": 7, "GET /ready": 1}, started=(1,))
    after = Counters(requests={"GET /tools": 9, "GET /ready": 1, "POST /rpc": 3}, started=(1,))
    assert after.since(before) == {"GET /tools": 2, "POST /rpc": 3}


@pytest.mark.parametrize("text", ["<html>no</html>", 'http_requests_total{method="GET"} 1\n'])
def test_what_is_no_metrics_text_is_refused(text: str) -> None:
    with pytest.raises(GatewayError, match="cannot be read"):
        parse_counters(text)


def test_several_processes_count_together() -> None:
    one, other = Counters(requests={"GET /tools": 7}, started=(1,), read_at=9), parse_counters(TEXT)
    both = together([one, other])
    assert both.requests == {"GET /tools": 16, "POST /rpc": 2964}
    assert (both.started, both.read_at) == ((1, 1.79539683701e09), 9)


def test_another_process_is_no_restart() -> None:
    before = Counters(requests={}, started=(10, 20), read_at=100)
    assert not before.model_copy(update={"started": (10, 30)}).restarted_since(before)
    assert before.model_copy(update={"started": (10, 130)}).restarted_since(before)
    assert not before.model_copy(update={"started": (10,)}).restarted_since(before)


@pytest.mark.parametrize("started", [(), (10,)])
def test_a_count_that_fell_is_a_restart(started: tuple[float, ...]) -> None:
    """Workers that share their counters tell no start time."""
    before = Counters(requests={"GET /tools": 7, "POST /rpc": 1}, started=started, read_at=100)
    assert before.model_copy(update={"requests": {"GET /tools": 9}}).restarted_since(before)
    assert not before.model_copy(update={"requests": {**before.requests, "GET /": 1}}).restarted_since(before)
