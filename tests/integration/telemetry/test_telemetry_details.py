"""What the logs add to a run's record, when there is a Loki and when there is none."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacemark.asked import Asked
from pacemark.details import with_details
from pacemark.results.digest import Digest
from pacemark.results.record import GatewayFacts, RunRecord, Window
from pacemark.telemetry import loki
from pacemark.telemetry.log_files import LogFiles
from pacemark.telemetry.logs import LOGS_FILE, LokiAsked
from pacemark.workloads import workload
from pacemark.workloads.load import Load

START_MS = 1_780_000_000_000
TRACE = "40b61de615f8f75b8cfc37711c2db9ff"
LOAD = Load(threads=1, ramp_up_s=0, duration_s=10, rate_per_s=1)
NOBODY = LokiAsked("http://127.0.0.1:9", "{}")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki, "_WAIT_S", 0.0)


def detailed(folder: Path, where: LokiAsked | None, *, has_files: bool) -> RunRecord:
    """Of a run of one sample; with files the gateway's log grows by its line."""
    samples = folder / "samples.jtl"
    head = "timeStamp,elapsed,label,responseCode,responseMessage,success,trace_id"
    samples.write_text(f"{head}\n{START_MS},50,GET /tools,200,OK,true,{TRACE}\n", encoding="utf-8")
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
    assert titles(record)[0] == "Slowest samples"
    assert "Logs" not in titles(detailed(tmp_path, None, has_files=False))
