"""Loki's contract, put to a server that answers as its documentation says."""

import math
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loki_server import JSON, START_NS, FakeLoki, Logged

from pacemark.errors import InputError
from pacemark.telemetry import loki as client
from pacemark.telemetry.log_lines import LogLine
from pacemark.telemetry.loki import Loki, LokiError, NotAllError


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_WAIT_S", 0.0)


@pytest.fixture
def server() -> Iterator[FakeLoki]:
    with FakeLoki([(START_NS + n, "gateway", f"line {n}") for n in range(7)]) as one:
        yield one


def asked(server: FakeLoki, page: int = 5000, seconds: float = 60) -> list[tuple[float, str, str]]:
    with pytest.MonkeyPatch.context() as patch, Loki(server.url, "a-token") as loki:
        patch.setattr(client, "PAGE", page)
        found = list(loki.lines('{job="gateway"}', START_NS / 1e9, START_NS / 1e9 + seconds))
    return [(line.at, line.service, line.message) for line in found]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("ab"), st.sampled_from(["x", "y"])), max_size=60),
    st.integers(1, 20),
)
def test_each_line_comes_once_and_in_order_whatever_the_page(lines: list[Logged], page: int) -> None:
    """Times are few, so that many are equal, and so are many lines."""
    logged = [(START_NS + at_ns, service, text) for at_ns, service, text in lines]
    with FakeLoki(logged) as server:
        found = asked(server, page)
    assert Counter((service, text) for _, service, text in found) == Counter(one[1:] for one in logged)
    assert [at for at, _, _ in found] == sorted(at for at, _, _ in found)
    assert len(found) == len(logged)


def test_what_is_asked(server: FakeLoki) -> None:
    assert [message for _, _, message in asked(server)] == [f"line {n}" for n in range(7)]
    (query,) = server.queries
    assert query == {
        "query": '{job="gateway"}',
        "start": str(START_NS),
        "end": str(START_NS + 60_000_000_000),
        "limit": "5000",
        "direction": "forward",
    }
    assert server.authorizations == {"Bearer a-token"}


def test_by_grafanas_proxy(server: FakeLoki) -> None:
    with Loki.by_grafana(server.url, "a-token") as loki:
        assert loki.labels(START_NS / 1e9) == ["job", "service_name"]
        assert len(list(loki.lines("{}", START_NS / 1e9, START_NS / 1e9 + 1))) == 7


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.text('ab\\"0 é', max_size=5)), max_size=60, unique=True),
    st.integers(1, 12),
    st.integers(2, 30),
)
def test_each_different_line_comes_once_however_few_loki_gives(
    lines: list[tuple[int, str]], page: int, most: int
) -> None:
    logged = [(START_NS + at_ns, "gateway", text) for at_ns, text in lines]
    with FakeLoki(logged, most=most) as server:
        found = asked(server, page)
    assert sorted(message for _, _, message in found) == sorted(text for _, text in lines)


def test_many_lines_of_one_second_are_had_in_parts() -> None:
    """As of an agent that takes the time from a line that has seconds only."""
    texts = [f"GET /tools 200 {random.getrandbits(64):016x} in {n} ms" for n in range(3000)]
    with FakeLoki([(START_NS, "nginx", text) for text in texts], most=500) as server:
        found = asked(server)
    assert Counter(message for _, _, message in found) == Counter(texts)
    assert len(server.queries) < 40


def test_more_equal_lines_of_one_instant_than_loki_gives_are_an_error_not_a_loss() -> None:
    with FakeLoki([(START_NS, "gateway", "again")] * 50, most=10) as server:
        with pytest.raises(LokiError, match=r"more than 10 lines are of the one instant 1700000000\.0"):
            asked(server, page=10)
        server.most = 100
        assert len(asked(server, page=10)) == 50


def test_a_loki_that_gives_fewer_lines_at_once_is_asked_for_fewer(server: FakeLoki) -> None:
    server.most = 3
    assert [message for _, _, message in asked(server)] == [f"line {n}" for n in range(7)]
    assert [query["limit"] for query in server.queries[:3]] == ["5000", "3", "3"]


@pytest.mark.parametrize("what", ["longest_s", "tired_s"])
def test_a_range_that_is_too_long_is_asked_for_in_parts(server: FakeLoki, what: str) -> None:
    server.logged += [(START_NS + n * 10**9, "gateway", f"second {n}") for n in range(1, 60)]
    setattr(server, what, 10.0)
    assert len(asked(server)) == 66
    assert len(server.queries) < 30
    setattr(server, what, 0.5)
    with pytest.raises(LokiError, match="exceeds the limit" if what == "longest_s" else "HTTP 504"):
        asked(server)


def test_lines_from_before_the_start_are_none_of_ours(server: FakeLoki) -> None:
    server.stray = [(START_NS - 5, "gateway", "stray")]
    assert [message for _, _, message in asked(server)] == [f"line {n}" for n in range(7)]
    assert [message for _, _, message in asked(server, page=3)] == [f"line {n}" for n in range(7)]
    server.stray *= 10
    with pytest.raises(LokiError, match="outside of the time"):
        asked(server, page=4)


def test_more_lines_than_a_run_keeps_are_counted(server: FakeLoki, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_LINES", 5)
    with pytest.raises(NotAllError, match="5 lines were read, up to 0 s, and 2 were not") as told:
        asked(server)
    assert told.value.read_to == dict.fromkeys(("samples", "worse", "others"), pytest.approx(START_NS / 1e9))
    monkeypatch.setattr(client, "MOST_LINES", 7)
    assert len(asked(server)) == 7


TRACE, OTHER = "4" * 32, "5" * 32
IN_LABEL = {
    "labelled": {"detected_level": "error"},
    "traced": {"trace_id": OTHER},
    "both": {"level": "warn", "trace_id": OTHER},
}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.sampled_from(["gateway", *IN_LABEL]),
            st.sampled_from(["x", "ERROR: y", f"of {TRACE}", f"WARN {TRACE}"]),
        ),
        max_size=60,
    ),
    st.integers(1, 20),
    st.integers(0, 60),
)
def test_of_too_many_lines_what_matters_comes_first_and_none_twice(
    lines: list[Logged], page: int, most: int
) -> None:
    """Half of the seconds are near to the samples that are looked for."""
    logged = [(START_NS + second * 10**9, service, text) for second, service, text in lines]
    start = START_NS / 1e9
    spans = {TRACE: (start, start + 4), OTHER: (start + 2, start + 6)}
    read: list[LogLine] = []
    why = ""
    with pytest.MonkeyPatch.context() as patch, FakeLoki(logged) as server, Loki(server.url) as loki:
        server.labels_of = IN_LABEL
        patch.setattr(client, "PAGE", page)
        patch.setattr(client, "MOST_LINES", most)
        try:
            for line in loki.lines("{}", start, start + 60, spans):
                read.append(line)
        except NotAllError as error:
            why = error.message
    assert len(read) == min(len(logged), most)
    assert (f", and {len(logged) - most} were not" in why) == (len(logged) > most)
    found = Counter((round((line.at - start) * 1e9), line.service, line.message) for line in read)
    assert found <= Counter((at_ns - START_NS, service, text) for at_ns, service, text in logged)

    def rank(at_s: float, service: str, text: str) -> int:
        trace = service in ("traced", "both") or TRACE in text
        worse = service in ("labelled", "both") or text.startswith(("ERROR", "WARN"))
        return 0 if trace and at_s < 6 else 1 if worse else 2

    ranks = [rank(line.at - start, line.service, line.message) for line in read]
    if len(logged) > most:
        assert ranks == sorted(ranks)
        unread = Counter((at - START_NS, *what) for at, *what in logged) - found
        assert all(rank(at / 1e9, *what) >= max(ranks, default=0) for at, *what in unread)


def test_how_far_what_matters_and_the_others_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_LINES", 20)
    logged = [(START_NS + n * 10**9, "gateway", "ERROR: y" if n % 10 == 9 else "x") for n in range(100)]
    start = START_NS / 1e9
    with FakeLoki(logged) as server, Loki(server.url) as loki:
        with pytest.raises(NotAllError) as told:
            list(loki.lines("{}", start, start + 100, {}))
        assert told.value.message == (
            "20 lines were read, those at WARNING and worse all, the others up to 10 s, and 80 were not"
        )
        assert told.value.read_to == {"samples": start, "worse": math.inf, "others": start + 10}
        monkeypatch.setattr(client, "MOST_LINES", 5)
        with pytest.raises(NotAllError, match="worse up to 49 s, the others up to 0 s, and 95 were not"):
            list(loki.lines("{}", start, start + 100, {}))
        server.interrupt = lambda n: (400, {}, b"gone") if "ERROR" in server.queries[-1]["query"] else None
        with pytest.raises(NotAllError, match="gone") as told:
            list(loki.lines("{}", start, start + 100, {TRACE: (start, start + 1)}))
        assert told.value.read_to == {"samples": math.inf, "worse": start, "others": start}


def test_what_a_line_says_is_clean_and_its_labels_count(server: FakeLoki) -> None:
    server.logged = [
        (START_NS, "gateway", "  File x.py\x1b[31m password=s3cret\n"),
        (
            START_NS + 1,
            "gateway",
            '{"@timestamp": "2026-11-26T16:22:06Z", "message": "m", "correlation_id": "c"}',
        ),
    ]
    server.labels = {"detected_level": "error", "trace_id": "t"}
    with Loki(server.url) as loki:
        raw, parsed = loki.lines("{}", START_NS / 1e9, START_NS / 1e9 + 1)
    assert (raw.level, raw.message, raw.trace_id) == ("ERROR", "  File x.py  password=***", "t")
    assert (parsed.level, parsed.message, parsed.trace_id) == ("ERROR", "m", "c")


def test_a_token_that_may_not_list_data_sources_asks_ours(server: FakeLoki) -> None:
    server.may_list = False
    with Loki.by_grafana(server.url, "admin:s3cret") as loki:
        assert loki.url.endswith("/uid/loki")
        assert loki.labels(START_NS / 1e9) == ["job", "service_name"]
    assert server.authorizations == {"Basic YWRtaW46czNjcmV0"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_passes_is_tried_again(server: FakeLoki, status: int) -> None:
    server.interrupt = lambda n: (status, {}, b"too many outstanding requests") if n < 3 else None
    assert len(asked(server)) == 7
    assert len(server.queries) == 3


def test_what_does_not_pass_is_an_error_with_lokis_own_words(server: FakeLoki) -> None:
    server.interrupt = lambda _: (503, {}, b"ingester not ready")
    with pytest.raises(LokiError, match="HTTP 503: ingester not ready"):
        asked(server)
    assert len(server.queries) == 4
    server.interrupt = lambda _: (400, {}, b"parse error at line 1, col 2: syntax error")
    with pytest.raises(LokiError, match="HTTP 400: parse error at line 1"):
        asked(server)
    assert len(server.queries) == 5
    server.interrupt = lambda _: (
        200,
        JSON,
        b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
    )
    with pytest.raises(LokiError, match="no log lines"):
        asked(server)


def test_a_slow_answer_is_waited_for_and_one_that_never_comes_is_not(
    server: FakeLoki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_TIMEOUT_S", 0.5)
    server.delay_s = 0.2
    assert len(asked(server)) == 7
    server.delay_s = 1.0
    began = time.monotonic()
    with pytest.raises(LokiError, match=r"no answer within 0.5 s"):
        asked(server)
    assert time.monotonic() - began < 4


def test_nobody_there_and_no_url() -> None:
    with Loki("http://127.0.0.1:9") as loki, pytest.raises(LokiError, match=r"127\.0\.0\.1:9"):
        loki.labels(START_NS / 1e9)
    with pytest.raises(InputError, match="LOKI_URL is no URL"):
        Loki("somewhere")
