"""What the logs add to a run's record, when there is a Loki and when there is none."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from loki_server import FakeLoki
from lxml.html import document_fromstring

from pacemark.asked import Asked
from pacemark.details import with_details
from pacemark.report import html
from pacemark.results.digest import Digest
from pacemark.results.record import GatewayFacts, RunRecord, Window
from pacemark.results.statistics import summarize
from pacemark.telemetry import loki
from pacemark.telemetry.log_files import LogFiles
from pacemark.telemetry.logs import LOGS_FILE, LokiAsked
from pacemark.workloads import workload
from pacemark.workloads.load import Load

START_MS = 1_780_000_000_000
TRACE = "40b61de615f8f75b8cfc37711c2db9ff"
UNLOGGED = "50b61de615f8f75b8cfc37711c2db9ff"
LOAD = Load(threads=1, ramp_up_s=0, duration_s=10, rate_per_s=1)
NOBODY = LokiAsked("http://127.0.0.1:9", "{}")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki, "_WAIT_S", 0.0)


def detailed(folder: Path, where: LokiAsked | None, *, has_files: bool) -> RunRecord:
    """Of a run of two samples; with files the gateway's log grows by a line of the first."""
    samples = folder / "samples.jtl"
    head = "timeStamp,elapsed,label,responseCode,responseMessage,success,trace_id"
    rows = [
        f"{START_MS},50,GET /tools,200,OK,true,{TRACE}",
        f"{START_MS + 9},40,GET /tools,200,OK,true,{UNLOGGED}",
    ]
    samples.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    log = folder / "gateway-1.log"
    log.touch()
    files = {"gateway-1": log} if has_files else {}
    places = LogFiles(files)
    at = datetime.fromtimestamp(START_MS / 1000 + 0.04, UTC).isoformat()
    log.write_text(json.dumps({"@timestamp": at, "message": "done", "correlation_id": TRACE}) + "\n", "utf-8")
    asked = Asked(
        workload=workload("rest_api_baseline"), scale="smoke", load=LOAD, warm_up_s=0, objectives=(),
        url="http://127.0.0.1:4444", credentials=None, out=folder, loki=where, log_files=files,
    )  # fmt: skip
    record = RunRecord(
        pacemark="0", workload="rest_api_baseline", title="REST", scale="smoke", load=LOAD,
        started=datetime.now(UTC), ended=datetime.now(UTC), window=Window(from_s=0, to_s=10),
        verdict="pass", exit_status=0, gateway=GatewayFacts(url="http://127.0.0.1:4444"),
    )  # fmt: skip
    return with_details(record, asked, Digest.from_jtl(samples), folder, places)


def titles(record: RunRecord) -> list[str]:
    return [section.title for section in record.sections]


def test_the_slowest_sample_has_its_line_from_the_files(tmp_path: Path) -> None:
    record = detailed(tmp_path, None, has_files=True)
    assert titles(record) == ["Slowest samples", "Logs", "Log lines of the slowest samples"]
    assert record.sections[2].rows == [[TRACE, 0.04, "gateway-1", "INFO", "done"]]
    assert record.reasons == []
    digest = Digest.from_jtl(tmp_path / "samples.jtl")
    root = document_fromstring(html.render(record, digest, summarize(digest), title="x"))
    links = root.xpath("//a[starts-with(@href, '#log-')]/@href")
    assert links == [f"#log-{TRACE}"]
    (row,) = root.xpath("//tr[@id=$id]", id=links[0][1:])
    assert "done" in row.text_content()


@pytest.mark.parametrize("where", [NOBODY, LokiAsked(NOBODY.url, "{}", is_grafana=True)])
def test_where_loki_does_not_answer_the_files_do(tmp_path: Path, where: LokiAsked) -> None:
    record = detailed(tmp_path, where, has_files=True)
    (reason,) = record.reasons
    assert (reason.level, "the logs of Loki were not read" in reason.text) == ("warning", True)
    assert TRACE in (tmp_path / LOGS_FILE).read_text("utf-8")
    assert record.sections[2].rows[0][4] == "done"


def test_without_either_the_run_is_there_all_the_same(tmp_path: Path) -> None:
    record = detailed(tmp_path, NOBODY, has_files=False)
    assert [reason.level for reason in record.reasons] == ["warning"]
    # That nothing was logged is not known.
    assert titles(record) == ["Slowest samples"]
    assert titles(detailed(tmp_path, None, has_files=False)) == ["Slowest samples"]


def test_the_lines_of_loki_are_those_of_the_run(tmp_path: Path) -> None:
    at_ns = START_MS * 1_000_000
    at = datetime.fromtimestamp(START_MS / 1000 + 3, UTC).isoformat()
    line = json.dumps({"@timestamp": at, "message": "done", "correlation_id": TRACE})
    logged = [(at_ns + n * 10**9, "gateway", line if n == 3 else f"line {n}") for n in range(-9, 30)]
    with FakeLoki(logged) as server:
        record = detailed(tmp_path, LokiAsked(server.url, '{job="gateway"}'), has_files=False)
    assert record.reasons == []
    assert titles(record) == ["Slowest samples", "Logs", "Log lines of the slowest samples"]
    assert record.sections[2].rows == [[TRACE, 3, "gateway", "INFO", "done"]]
    assert len((tmp_path / LOGS_FILE).read_text("utf-8").splitlines()) == 12  # a second before and after


def test_a_query_that_selects_nothing_is_no_silence(tmp_path: Path) -> None:
    with FakeLoki([]) as server:
        record = detailed(tmp_path, LokiAsked(server.url, '{job="x"}'), has_files=False)
    (reason,) = record.reasons
    assert reason.text == 'Loki has no line of {job="x"} in the run\'s time'
    assert titles(record) == ["Slowest samples"]


def test_of_more_lines_than_are_read_the_slow_samples_and_the_errors_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loki, "MOST_LINES", 6)
    at_ns = START_MS * 1_000_000
    texts = {7: f"done {TRACE}", 8: "ERROR: broken"}
    logged = [(at_ns + n * 10**9, "gateway", texts.get(n, "x")) for n in range(10)]
    with FakeLoki(logged) as server:
        server.labels_of = {"traced": {"trace_id": TRACE}}
        server.logged.append((at_ns + 9 * 10**9, "traced", "done"))
        record = detailed(tmp_path, LokiAsked(server.url, '{job="gateway"}'), has_files=False)
    slow, logs, lines = record.sections
    assert "The gateway's logs have lines of 1 of them" in slow.summary
    assert "1 ERROR, 5 INFO. Read were those at WARNING and worse all, the others up to 2 s" in logs.summary
    assert [row[1] for row in lines.rows] == [9]
    (reason,) = record.reasons
    assert "and 5 were not" in reason.text


def test_what_loki_gave_up_in_the_midst_of_is_not_said_not_to_be_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loki, "PAGE", 4)
    at_ns = START_MS * 1_000_000
    with FakeLoki([(at_ns + n * 10**9, "gateway", "x") for n in range(10)]) as server:
        server.interrupt = lambda n: (400, {}, b"gone") if n > 2 else None
        record = detailed(tmp_path, LokiAsked(server.url, '{job="gateway"}'), has_files=False)
    slow, logs = record.sections
    assert "What was read of the gateway's logs has lines of 0 of them" in slow.summary
    assert "Read were up to 2 s" in logs.summary
