import pytest

from pacemark.gateway.client import GatewayError
from pacemark.gateway.counters import Counters, parse_counters

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
    assert parse_counters(TEXT).started_s == 1.79539683701e09


def test_without_a_process_there_is_no_start() -> None:
    assert parse_counters("").started_s is None


def test_since_leaves_out_what_was_not_asked_for() -> None:
    before = Counters(requests={"GET /tools": 7, "GET /ready": 1}, started_s=1)
    after = Counters(requests={"GET /tools": 9, "GET /ready": 1, "POST /rpc": 3}, started_s=1)
    assert after.since(before) == {"GET /tools": 2, "POST /rpc": 3}


@pytest.mark.parametrize("text", ["<html>no</html>", 'http_requests_total{method="GET"} 1\n'])
def test_what_is_no_metrics_text_is_refused(text: str) -> None:
    with pytest.raises(GatewayError, match="cannot be read"):
        parse_counters(text)
