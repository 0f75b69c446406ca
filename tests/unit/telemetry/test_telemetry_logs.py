"""Log lines as the stack's services write them; what is counted and kept of them."""

import gzip
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacemark.telemetry import logs
from pacemark.telemetry.log_files import LogFiles
from pacemark.telemetry.log_lines import (
    MOST_CHARACTERS,
    WORSE,
    WORSE_LABEL,
    WORSE_LINE,
    LogLine,
    cleaned,
    gathered,
    level_of,
    parse,
)
from pacemark.telemetry.logs import collect, pattern, sections
from pacemark.telemetry.loki import Kind, LokiError, NotAllError

AT = datetime(2026, 11, 26, 16, 22, 6, 500_000, UTC).timestamp()
TRACE = "40b61de615f8f75b8cfc37711c2db9ff"
GATEWAY = {
    "asctime": "2026-11-26T16:22:06",
    "levelname": "WARNING",
    "message": "[http_gateway] Request completed: GET /tools - 404",
    "duration_ms": 14.5,
    "correlation_id": TRACE,
    "@timestamp": "2026-11-26T16:22:06.500000Z",
}
NGINX = {
    "time": "2026-11-26T16:22:06+00:00",
    "msec": AT,
    "status": 502,
    "method": "POST",
    "path": "/rpc",
    "seconds": 0.088,
    "upstream": "127.0.0.1:4444, 127.0.0.1:4445",
    "upstream_status": "502, 200",
    "correlation_id": TRACE,
}


@pytest.mark.parametrize(
    ("text", "level", "message", "trace"),
    [
        (json.dumps(GATEWAY), "WARNING", "[http_gateway] Request completed: GET /tools - 404 (14 ms)", TRACE),
        (json.dumps(NGINX), "ERROR", "POST /rpc 502 in 88 ms by 127.0.0.1:4444, 127.0.0.1:4445", TRACE),
        ("2026-11-26 16:22:06.500 UTC [9] ERROR:  deadlock", "ERROR", "[9] ERROR:  deadlock", ""),
        ("2026-11-26 16:22:06.500 UTC [9] LOG:  ready", "INFO", "[9] LOG:  ready", ""),
        (
            "2026-11-26 16:22:06.500 UTC [9] LOG:  duration: 612.070 ms  statement: SELECT 1",
            "WARNING",
            "[9] LOG:  duration: 612.070 ms  statement: SELECT 1",
            "",
        ),
        (
            "2026-11-26 16:22:06.500 UTC [9] LOG:  process 9 still waiting for ShareLock on relation 1 of 2",
            "WARNING",
            "[9] LOG:  process 9 still waiting for ShareLock on relation 1 of 2",
            "",
        ),
        ("2026-11-26 16:22:06.500 UTC [1] WARNING C-0x1: no", "WARNING", "[1] WARNING C-0x1: no", ""),
        ("2026-11-26T16:22:06.500 - a.b - ERROR - broken", "ERROR", "- a.b - ERROR - broken", ""),
        ("41:M 26 Nov 2026 16:22:06.500 # low memory", "WARNING", "low memory", ""),
        ("41:M 26 Nov 2026 16:22:06.500 * ready", "INFO", "ready", ""),
        ('ts=2026-11-26T16:22:06.500Z caller=a.go:1 level=warn msg="x"', "WARNING",
         'caller=a.go:1 level=warn msg="x"', ""),
        ("2026/11/26 16:22:06.500 [crit] 7#7: full", "CRITICAL", "[crit] 7#7: full", ""),
        ("2026-11-26T18:22:06.500+02:00 a message of errors", "INFO", "a message of errors", ""),
    ],
)  # fmt: skip
def test_a_line_of_each_service(text: str, level: str, message: str, trace: str) -> None:
    line = parse(text + "\n", "some")
    assert line is not None
    assert line == LogLine(pytest.approx(AT), "some", line.level, message, trace)  # type: ignore[arg-type]
    assert line.level == level
    assert bool(re.search(WORSE_LINE, text)) == (level in WORSE)


LEVELLED = st.tuples(
    st.sampled_from(
        ["", "2026-11-26 16:22:06.500 UTC ", 'ts=2026-11-26T16:22:06Z "', "2026/11/26 16:22:06 "]
    ),
    st.sampled_from(["", "[9] ", "x - a.b - ", "- a.b - ", "caller=a.go:1 ", "** ", "a "]),
    st.sampled_from(["", "level=", "lvl=", "LOG:  "]),
    st.sampled_from(["warn", "WARNING", "Error", "crit", "PANIC", "info", "duration: 1.5 ms", "errors"]),
    st.sampled_from(["", ":  deadlock", "] no", "_x"]),
).map("".join)


@given(LEVELLED)
def test_what_is_read_as_a_warning_is_found_by_what_loki_is_asked(text: str) -> None:
    line = parse(text, "some")
    if (line.level if line else level_of(text)) in WORSE:
        assert re.search(WORSE_LINE, text)
    if level_of(text) in WORSE and text.startswith(("warn", "WARN", "Err", "crit", "PANIC")):
        assert re.fullmatch(WORSE_LABEL, text)


def test_what_has_no_time_belongs_to_the_line_before() -> None:
    texts = ["lost\n", "2026-11-26 16:22:06 UTC [9] ERROR:  no\n", "  at here\n", "{broken\n"]
    (line,) = gathered(texts, "postgres")
    assert line.message == "[9] ERROR:  no\n  at here\n{broken"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("password='s3cret' x", "password='***' x"),
        ("postgresql://mcp:s3cret@127.0.0.1/mcp", "postgresql://mcp:***@127.0.0.1/mcp"),
        ("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl b", "a *** b"),
        ("Authorization: Basic dXNlcjpwYXNz, next", "Authorization: Basic ***, next"),
        ("sent bearer 4f3a9c", "sent bearer ***"),
        ("no bearer token there", "no bearer token there"),
        ('{"csrf_token": "two words", "a": 1}', '{"csrf_token": "***", "a": 1}'),
        (r'"body": "{\"password\": \"a b\"}"', r'"body": "{\"password\": \"***\"}"'),
        ("alter role mcp password 's3cret' login", "alter role mcp password '***' login"),
        ("password='cut off", "password='***'"),
        ("cookie: jwt_token=abc", "cookie: ***"),
        ("redis://:s3cret@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("http://a:p@ss:w@127.0.0.1/x", "http://a:***@127.0.0.1/x"),
        ("http://127.0.0.1:4444/tools", "http://127.0.0.1:4444/tools"),
        ("\x1b[31mred\x1b[0m\x07", " red  "),
        ("\x1b]0;title\x07shown", " shown"),
        ("a\u202etxt.exe\ud800", "a txt.exe "),
        ("the tokens are many, tokens=7", "the tokens are many, tokens=7"),
    ],
)
def test_secrets_and_control_characters_are_taken_out(text: str, clean: str) -> None:
    assert cleaned(text) == clean


def test_what_is_too_long_is_cut_after_its_secrets_are_out() -> None:
    text = "x" * (MOST_CHARACTERS - 12) + " password=" + "s3cret" * 100
    assert cleaned(text) == "x" * (MOST_CHARACTERS - 12) + " password=** ..."


BROKEN = (
    "2026-99-99 99:99:99.5 UTC [1] LOG:  x",
    "0000-01-01 00:00:00 x",
    "41:M 32 Nov 2026 16:22:06.500 # low",
    '{"a":' * 100_000,
    '{"@timestamp": "2026-13-01T00:00:00Z"}',
    json.dumps(GATEWAY | {"duration_ms": "slow", "levelname": None, "message": None}),
    json.dumps(NGINX | {"msec": float("nan")}),
    json.dumps(NGINX | {"msec": float("inf"), "status": "2" * 5000}),
    json.dumps(NGINX | {"status": None}),
    '{"@timestamp": "2026-11-26T16:22:06Z", "message": "\\ud800"}',
)


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_what_only_looks_like_a_line_costs_no_run(text: str, tmp_path: Path) -> None:
    good = "2026-11-26 16:22:06.500 UTC [9] ERROR:  deadlock"
    found = collect(gathered([good, text, good], "some"), tmp_path / "logs.jsonl", ())
    assert found.counts["some", "ERROR"] == 2


@given(st.text(), st.sampled_from(["", "2026-11-26 16:22:06", "{", json.dumps(GATEWAY)[:-9], "41:M 26 Nov "]))
def test_any_text_can_be_read(text: str, before: str) -> None:
    for made in gathered([before + text], "some"):
        json.loads(made.as_json().encode())


def line(at: float, level: str = "INFO", message: str = "fine", trace: str = "") -> LogLine:
    return LogLine(at, "gateway-1", level, message, trace)  # type: ignore[arg-type]


def test_all_are_counted_and_what_matters_is_kept(tmp_path: Path) -> None:
    lines = [
        *(line(100 + n / 10) for n in range(50)),
        line(101, "ERROR", "tool 12 failed: 'a'"),
        line(104, "ERROR", "tool 7 failed: 'b'"),
        line(102, message="yours", trace=TRACE),
        line(103, message="another's", trace="0" * 32),
    ]
    found = collect(lines, tmp_path / "logs.jsonl", {TRACE})
    assert found.counts == {("gateway-1", "INFO"): 52, ("gateway-1", "ERROR"): 2}
    assert found.lines_by_trace == {TRACE: 1}
    kept = [json.loads(text) for text in (tmp_path / "logs.jsonl").read_text("utf-8").splitlines()]
    assert [one["at"] for one in kept] == sorted(one.at for one in lines)
    assert Counter(one["message"] for one in kept) == Counter(one.message for one in lines)
    all_of_them, single = sections(found, 100, 6)
    assert all_of_them.summary == "54 lines: 2 ERROR, 52 INFO. Most often: tool 12 failed: 'a'"
    assert all_of_them.rows == [["gateway-1", "ERROR", 2, 1.0, 4.0, "tool 12 failed: 'a'"]]
    (chart,) = all_of_them.charts
    assert {one.name: sum(value or 0 for value in one.values) for one in chart.series} == {
        "ERROR": 2,
        "INFO": 52,
    }
    assert single.rows == [[TRACE, 2.0, "gateway-1", "INFO", "yours"]]
    assert single.columns[0].anchor == "log-{}"


def test_the_worst_comes_first_and_the_most_frequent_is_called_so(tmp_path: Path) -> None:
    lines = [line(100, "CRITICAL", "gone"), *(line(101, "WARNING", "slow") for _ in range(9))]
    lines += [line(102, "ERROR", f"kind {'x' * n}") for n in range(20)]
    (section,) = sections(collect(lines, tmp_path / "logs.jsonl", ()), 100, 6)
    assert section.rows[0][5] == "gone"
    assert section.summary.endswith("The table has 15 of 22 kinds of messages. Most often: slow")


def test_what_is_not_kept_any_more_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_KEPT", 10)
    worse = [line(100 + n, "WARNING", f"no {n}") for n in range(12)]
    others = [line(100 + n / 10) for n in range(15)]
    found = collect([*others, *worse], tmp_path / "logs.jsonl", ())
    assert (found.kept, found.left_out) == (20, 7)
    assert "7 more than logs.jsonl keeps" in sections(found, 100, 6)[0].summary
    kept = [json.loads(text)["at"] for text in (tmp_path / "logs.jsonl").read_text("utf-8").splitlines()]
    assert kept == sorted(one.at for one in (*others[:10], *worse[:10]))


def test_of_files_that_are_read_one_after_another_the_earliest_lines_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_KEPT", 10)
    names = ("gateway", "nginx", "postgres")
    files = {name: tmp_path / f"{name}.log" for name in names}
    places = LogFiles(files)
    for name, path in files.items():
        path.write_text("".join(stamped(n, name) for n in range(20)), encoding="utf-8")
    found = collect(places.lines(AT - 10, AT + 60), tmp_path / "logs.jsonl", ())
    assert found.counts == {(name, "INFO"): 20 for name in names}
    assert (found.kept, found.left_out) == (10, 50)
    kept = [json.loads(text) for text in (tmp_path / "logs.jsonl").read_text("utf-8").splitlines()]
    assert Counter(one["service"] for one in kept) == {"gateway": 4, "nginx": 3, "postgres": 3}
    assert max(one["at"] for one in kept) == AT - 6.5 + 3


def test_a_line_that_is_looked_for_is_kept_before_earlier_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_KEPT", 3)
    lines = [line(109, message="yours", trace=TRACE), *(line(100 + n, "WARNING", "no") for n in range(6))]
    collect(lines, tmp_path / "logs.jsonl", {TRACE})
    kept = [json.loads(text)["at"] for text in (tmp_path / "logs.jsonl").read_text("utf-8").splitlines()]
    assert kept == [100, 101, 109]


def read(worse_to: float, others_to: float) -> dict[Kind, float]:
    return {"samples": worse_to, "worse": worse_to, "others": others_to}


def test_what_was_read_before_they_were_lost_is_kept(tmp_path: Path) -> None:
    def lines() -> Iterator[LogLine]:
        yield line(100, "ERROR", "broken")
        raise NotAllError(
            LokiError("http://127.0.0.1:3100: no answer within 30 s", "see Loki"), read(100, 100)
        )

    found = collect(lines(), tmp_path / "logs.jsonl", ())
    assert found.lost == "http://127.0.0.1:3100: no answer within 30 s: see Loki"
    assert "broken" in (tmp_path / "logs.jsonl").read_text("utf-8")


def test_what_was_not_read_is_not_known_and_no_silence(tmp_path: Path) -> None:
    def lines() -> Iterator[LogLine]:
        yield line(100.2, "ERROR", "broken")
        yield from (line(100 + n) for n in (1, 1.5, 3, 3.2))
        raise NotAllError(
            LokiError("http://127.0.0.1:3100: no answer within 30 s", "see Loki"), read(103.2, 103.2)
        )

    (section,) = sections(collect(lines(), tmp_path / "logs.jsonl", ()), 100, 6)
    (chart,) = section.charts
    assert {one.name: one.values for one in chart.series} == {
        "ERROR": [1, 0, 0, None, None, None],
        "INFO": [0, 2, 0, None, None, None],
    }
    assert [(mark.from_at, mark.to_at, mark.text) for mark in chart.marks] == [
        (pytest.approx(3.2), 6, "not read")
    ]
    assert "Read were up to 3 s: later ones are not known." in section.summary


def test_warnings_may_have_been_read_further_than_the_others(tmp_path: Path) -> None:
    def lines() -> Iterator[LogLine]:
        yield line(105, trace=TRACE)
        yield from (line(at, "ERROR", "broken") for at in (100, 104))
        yield from (line(100 + n) for n in (0, 1, 2))
        raise NotAllError(LokiError("3 were read and 9 were not", "select fewer"), read(math.inf, 102))

    found = collect(lines(), tmp_path / "logs.jsonl", {TRACE})
    section = sections(found, 100, 6)[0]
    (chart,) = section.charts
    assert {one.name: one.values for one in chart.series} == {
        "ERROR": [1, 0, 0, 0, 1, 0],
        "INFO": [1, 1, None, None, None, None],
    }
    assert [(mark.from_at, mark.text) for mark in chart.marks] == [(2, "INFO and DEBUG not read")]
    assert "Read were those at WARNING and worse all, the others up to 2 s: later" in section.summary


def test_nothing_logged_is_said(tmp_path: Path) -> None:
    found = collect((), tmp_path / "logs.jsonl", ())
    assert sections(found, 0, 1)[0].summary == "No line was logged during the run."


def test_ids_numbers_and_quoted_texts_make_no_other_message() -> None:
    one = "row 12 of 0b61de61-5f8f-475b-8cfc-37711c2db9ff: 'a' at 0x7f\nTraceback"
    other = "row 9 of 1b61de61-5f8f-475b-8cfc-37711c2db9ff: 'b c' at 0x80"
    assert pattern(one) == pattern(other) == "row * of *: * at *"
    assert pattern("row x") != pattern("row y")


def stamped(second: int, text: str) -> str:
    return f"2026-11-26 16:22:{second:02} UTC [1] {text}\n"


def test_files_are_read_from_where_they_were_at_the_start(tmp_path: Path) -> None:
    path, missing = tmp_path / "postgres.log", tmp_path / "none.log"
    path.write_text(stamped(1, "before"), encoding="utf-8")
    files = LogFiles({"postgres": path, "redis": missing})
    with path.open("a", encoding="utf-8") as file:
        file.write(stamped(6, "within") + stamped(30, "after"))
    missing.write_text(stamped(7, "new"), encoding="utf-8")
    messages = [one.message for one in files.lines(AT - 5, AT + 10)]
    assert messages == ["[1] within", "[1] new"]


def test_what_was_rotated_away_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text(stamped(1, "before") * 100, encoding="utf-8")
    files = LogFiles({"gateway": path})
    with path.open("a", encoding="utf-8") as file:
        file.write(stamped(2, "within"))
    path.rename(tmp_path / "gateway.log.2")
    with gzip.open(tmp_path / "gateway.log.1.gz", "wt", encoding="utf-8") as zipped:
        zipped.write(stamped(4, "zipped"))
    path.write_text(stamped(6, "new"), encoding="utf-8")
    old = tmp_path / "gateway.log.3"
    old.write_text(stamped(5, "of a run before"), encoding="utf-8")
    os.utime(old, (AT - 3600, AT - 3600))
    (tmp_path / "gateway.log.orig").write_text(stamped(5, "no rotation"), encoding="utf-8")
    messages = sorted(one.message for one in files.lines(AT - 5, AT + 10))
    assert messages == ["[1] new", "[1] within", "[1] zipped"]


def test_a_file_that_was_copied_and_cut_off_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text(stamped(-5 % 60, "before") * 100, encoding="utf-8")
    files = LogFiles({"gateway": path})
    os.truncate(path, 0)
    path.write_text(stamped(6, "new"), encoding="utf-8")
    assert [one.message for one in files.lines(AT - 5, AT + 10)] == ["[1] new"]


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "gateway.log"
    path.write_text(stamped(1, "x" * 300_000) + stamped(2, "next"), encoding="utf-8")
    long, after = LogFiles({"gateway": tmp_path / "none"})._of("gateway", path, 0, AT + 10)
    assert (len(long.message), after.message) == (MOST_CHARACTERS + 4, "[1] next")
