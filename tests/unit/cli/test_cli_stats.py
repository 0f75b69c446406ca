"""What `pacemark stats` answers, of a JTL of 20 s with one request each 100 ms."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacemark.errors import Exit, InputError
from pacemark.results.record import GatewayFacts, JudgedObjective, Reason, RunRecord, Window
from pacemark.settings import objectives_for
from pacemark.stats import Question, answer
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective


@pytest.fixture
def jtl(tmp_path: Path) -> Path:
    path = tmp_path / "samples.jtl"
    rows = (f"{1_769_767_200_000 + n * 100},{n % 7},{'ab'[n % 2]},true\n" for n in range(200))
    path.write_text("timeStamp,elapsed,label,success\n" + "".join(rows))
    return path


@pytest.fixture
def run(jtl: Path) -> Path:
    now = datetime.now(UTC)
    RunRecord(
        pacemark="0",
        workload="rest_api_baseline",
        title="REST API baseline",
        scale="local",
        started=now,
        ended=now,
        load=Load(threads=1, ramp_up_s=5, duration_s=15, rate_per_s=10),
        window=Window(from_s=5, to_s=15),
        verdict="pass",
        exit_status=0,
        gateway=GatewayFacts(url="http://127.0.0.1"),
    ).save_to(jtl.parent)
    return jtl.parent


def count(source: Path, **asked: object) -> int:
    return answer(Question(source=source, **asked)).summary.total.count  # type: ignore[arg-type]


def test_a_jtl_has_no_warm_up(jtl: Path) -> None:
    assert count(jtl) == 200
    assert count(jtl, warm_up_s=5) == 150
    assert count(jtl, from_s=2, to_s=4) == 20
    assert count(jtl, label="a") == 100


def test_a_run_is_measured_in_its_planned_window(run: Path) -> None:
    assert count(run) == 100
    assert count(run, warm_up_s=10) == 50
    assert count(run, from_s=0) == 150


def test_a_run_without_warm_up_shows_every_sample(run: Path) -> None:
    assert count(run, warm_up_s=0) == 200


def test_objectives_are_judged_and_their_misses_lead_to_a_status(jtl: Path) -> None:
    found = answer(Question(source=jtl, workload=workload("rest_api_baseline")))
    outcomes = {judged.objective.metric: judged.outcome for judged in found.objectives}
    # 200 samples are too few for a P95, and a JTL does not say what rate was asked for.
    assert outcomes == {"p95": "not judged", "errors": "met", "rate": "not judged"}
    assert found.exit_status == Exit.PASS
    jtl.write_text(jtl.read_text().replace("true", "false"))
    missed = answer(Question(source=jtl, workload=workload("rest_api_baseline")))
    assert missed.exit_status == Exit.MISSED
    assert any("errors 100 %" in line for line in missed.failures)


def test_coordinated_omission_is_corrected_where_an_interval_is_given(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    path.write_text("timeStamp,elapsed,label,success\n1769767201000,400,a,true\n1769767202000,10,b,true\n")
    found = answer(Question(source=path, expected_interval_ms=100))
    assert found.correction is not None
    figures = found.correction.figures
    assert (figures.total.count, figures.labels["a"].count, figures.labels["b"].count) == (5, 4, 1)
    assert (figures.labels["a"].min, figures.total.min) == (100, 10)
    # Never mixed with what was measured.
    assert (found.summary.total.count, found.summary.total.p95, found.summary.total.response) == (
        2,
        400,
        None,
    )
    assert answer(Question(source=path)).correction is None


def test_objectives_may_be_put_on_either_latency(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    rows = (f"{1_769_767_200_000 + n * 10},5,a,true,100\n" for n in range(1000))
    path.write_text("timeStamp,elapsed,label,success,late_ms\n" + "".join(rows))
    texts = ("elapsed p95 < 200 ms", "response p95 < 50 ms", "p95 < 50 ms")
    rest = workload("rest_api_baseline")
    asked = rest.model_copy(update={"objectives": objectives_for(rest, (), texts)})
    judged = answer(Question(source=path, workload=asked)).objectives
    assert {(one.basis, one.value, one.outcome) for one in judged if one.basis} == {
        ("elapsed", 5.0, "met"),
        ("response", 105.0, "missed"),
    }


def _frozen(path: Path) -> Path:
    """1,000 samples of 1 ms, then 20 threads that wait 3 s for one each, 95 ms apart by their interval."""
    rows = [(n * 5, 1) for n in range(1000)] + [(5000 + n * 5, 3000 - n * 5) for n in range(20)]
    path.write_text(
        "timeStamp,elapsed,label,success\n"
        + "".join(f"{1_769_767_200_000 + at},{ms},a,true\n" for at, ms in rows)
    )
    return path


def test_objectives_on_response_are_put_on_the_corrected_latencies(tmp_path: Path) -> None:
    path = _frozen(tmp_path / "samples.jtl")
    rest = workload("rest_api_baseline")
    texts = ("elapsed p95 < 200 ms", "response p95 < 200 ms", "a: p95 < 200 ms")
    asked = rest.model_copy(update={"objectives": objectives_for(rest, (), texts)})
    found = answer(Question(source=path, workload=asked, expected_interval_ms=95))
    assert found.correction is not None
    p95 = found.correction.figures.total.p95
    assert {(one.basis, one.value, one.outcome) for one in found.objectives if one.basis} == {
        ("elapsed", 1.0, "met"),
        ("corrected", p95, "missed"),
    }
    assert [one.basis for one in found.objectives].count("corrected") == 2
    assert found.exit_status == Exit.MISSED
    assert any(line.startswith(f"corrected p95 {p95} ms, limit < 200 ms (a)") for line in found.failures)


def test_added_samples_are_no_evidence_for_a_percentile(tmp_path: Path) -> None:
    """Of 399 samples 19 lie beyond p95, however many a correction adds."""
    path = tmp_path / "samples.jtl"
    rows = (f"{1_769_767_200_000 + n * 10},{3000 if n > 390 else 1},a,true\n" for n in range(399))
    path.write_text("timeStamp,elapsed,label,success\n" + "".join(rows))
    asked = Question(source=path, workload=workload("rest_api_baseline"), expected_interval_ms=10)
    (p95, *_) = answer(asked).objectives
    assert (p95.basis, p95.outcome) == ("corrected", "not judged")


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"label": "c"}, "has no label 'c'"),
        ({"from_s": 9, "to_s": 9}, "window from 9 to 9 s is empty"),
        ({"from_s": 60}, "is empty"),
    ],
)
def test_a_question_without_an_answer_is_refused(jtl: Path, asked: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        answer(Question(source=jtl, **asked))  # type: ignore[arg-type]


def test_a_single_sample_of_no_length_is_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "one.jtl"
    path.write_text("timeStamp,elapsed,label,success\n1769767201000,0,a,true\n")
    assert count(path) == 1


def test_an_invalid_run_meets_no_objective(run: Path) -> None:
    record = RunRecord.load_from(run)
    reason = Reason(level="invalid", text="rate limiting: 429")
    record.model_copy(update={"verdict": "invalid", "reasons": [reason]}).save_to(run)
    found = answer(Question(source=run, workload=workload("rest_api_baseline")))
    assert found.exit_status == Exit.INVALID
    assert "this run is invalid: rate limiting: 429" in found.failures


def test_what_only_the_run_could_judge_is_told_of_the_whole_run_alone(run: Path) -> None:
    held = JudgedObjective(objective=Objective.parse("breaking_point >= 10%"), value=40.0, outcome="met")
    record = RunRecord.load_from(run)
    record.model_copy(update={"workload": "stress_test", "objectives": [held]}).save_to(run)
    asked = {"source": run, "workload": workload("stress_test")}
    first, *others = answer(Question(**asked)).objectives  # type: ignore[arg-type]
    assert (first, {one.outcome for one in others}) == (held, {"not judged"})
    part = answer(Question(**asked, from_s=8)).objectives  # type: ignore[arg-type]
    assert {(one.outcome, one.why) for one in part} == {("not judged", "samples alone do not tell it")}
