"""docs/baselines.md: what runs show of the request's success criteria, and what they do not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacemark.errors import InputError
from pacemark.report.criteria import CRITERIA, Outcome, Run
from pacemark.report.documented import baselines_page, runs_in
from pacemark.results.record import (
    GatewayFacts,
    Generator,
    JudgedObjective,
    Reason,
    RunRecord,
    Section,
    Verdict,
    Window,
)
from pacemark.results.statistics import Figures, Summary, TimeSpan
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

STARTED = datetime(2026, 1, 30, 10, tzinfo=UTC)


def run_of(
    name: str,
    scale: str = "full",
    *,
    verdict: Verdict = "pass",
    judged: dict[str, tuple[float, str]] | None = None,
    summary: str = "",
    load: Load | None = None,
    messages: int = 0,
    count: int = 2000,
) -> Run:
    """A run of a workload at a scale; ``judged`` has value and outcome by objective, ``messages`` are of a
    WebSocket's first kind, ``count`` are all samples."""
    load = load or WORKLOADS[name].scales[scale]
    found = {"rate >= 95%": (100.0, "met"), **(judged or {})}
    objectives = [
        JudgedObjective.model_validate(
            {"objective": Objective.parse(text), "value": value, "outcome": outcome}
        )
        for text, (value, outcome) in found.items()
    ]
    record = RunRecord(
        pacemark="0",
        workload=name,
        title=name,
        scale=scale,
        started=STARTED,
        ended=STARTED,
        load=load,
        window=Window(from_s=0, to_s=load.duration_s),
        verdict=verdict,
        exit_status=0,
        reasons=[Reason(level="invalid", text="JMeter was the limit")] if verdict == "invalid" else [],
        objectives=objectives,
        sections=[Section(title="Breaking point", summary=summary)] if summary else [],
        gateway=GatewayFacts(url="http://gateway", version="1.0", embedded=True),
        generator=Generator(jmeter="5.6.3", java="21", exit_code=0),
        machine={"cores": "2"},
    )
    nothing = dict.fromkeys(name for name in Figures.model_fields if name != "too_few")
    total = Figures.model_validate(
        {**nothing, "count": count, "errors": 0, "outcomes": {}, "p50": 12, "p95": 34, "p99": 56}
    )
    labels = {WORKLOADS[name].labels[1]: total.model_copy(update={"count": messages})} if messages else {}
    span = TimeSpan(start=STARTED, end=STARTED, seconds=60)
    return Run(Path("nowhere"), record, Summary(window=span, total=total, labels=labels))


def outcome(words: str, *runs: Run) -> tuple[Outcome, str]:
    """What the runs say of the criterion that holds these words."""
    (one,) = [criterion for criterion in CRITERIA if words in criterion.text]
    by_name: dict[str, list[Run]] = {name: [] for name in WORKLOADS}
    for run in runs:
        by_name[run.record.workload].append(run)
    return one.answer(by_name)


def test_the_request_s_load_shows_a_criterion_and_less_shows_it_at_a_smaller_scale() -> None:
    found, because = outcome("REST API baseline", run_of("rest_api_baseline"))
    assert (found, because) == (
        Outcome.SHOWN,
        "P50 12, P95 34, P99 56 ms (1,000 /s, 100 threads, 10 min)",
    )
    found, because = outcome("REST API baseline", run_of("rest_api_baseline", "smoke"))
    assert found is Outcome.SMALLER
    assert because.endswith("ms (10 /s, 5 threads, 15 s)")


@pytest.mark.parametrize("change", [{"rate_per_s": 999}, {"threads": 99}, {"duration_s": 599}])
def test_a_load_smaller_in_anything_is_a_smaller_scale(change: dict[str, float]) -> None:
    less = WORKLOADS["rest_api_baseline"].scales["full"].model_copy(update=change)
    assert outcome("REST API", run_of("rest_api_baseline", load=less))[0] is Outcome.SMALLER


def test_what_was_missed_or_not_judged_is_not_shown() -> None:
    missed = run_of("load_test", verdict="fail", judged={"p95 < 300 ms": (431, "missed")})
    found, because = outcome("Load test", missed)
    assert found is Outcome.NOT
    assert "response p95 < 300 ms: 431 ms, missed" in because
    unjudged = run_of("load_test", judged={"p95 < 300 ms": (120, "not judged")})
    assert outcome("Load test", unjudged)[0] is Outcome.NOT
    assert outcome("Load test", run_of("load_test"))[0] is Outcome.NOT


def test_a_looser_limit_that_was_met_does_not_show_the_request_s() -> None:
    looser = run_of("load_test", judged={"p95 < 5 s": (431, "met")})
    found, because = outcome("Load test", looser)
    assert found is Outcome.NOT
    assert "response p95 < 5000 ms: 431 ms, met, where response p95 < 300 ms is asked for" in because
    stricter = run_of(
        "load_test", judged={"p95 < 200 ms": (120, "met"), "GET /tools: p95 < 1 s": (999, "met")}
    )
    assert outcome("Load test", stricter)[0] is Outcome.SHOWN
    assert (
        outcome("Load test", run_of("load_test", judged={"elapsed p95 < 300 ms": (9, "met")}))[0]
        is Outcome.NOT
    )


def test_a_run_that_is_invalid_shows_nothing_and_says_why() -> None:
    found, because = outcome("REST API", run_of("rest_api_baseline", verdict="invalid"))
    assert found is Outcome.NOT
    assert because == "no run of `rest_api_baseline` is valid; of the newest: JMeter was the limit"
    assert outcome("REST API") == (Outcome.NOT, "there is no run of `rest_api_baseline`")


def test_a_rate_that_was_not_held_documents_no_baseline() -> None:
    slow = run_of("rest_api_baseline", verdict="fail", judged={"rate >= 95%": (60, "missed")})
    assert outcome("REST API", slow)[0] is Outcome.NOT


def test_percentiles_of_too_few_samples_document_no_baseline() -> None:
    assert outcome("REST API", run_of("rest_api_baseline", count=1999)) == (
        Outcome.NOT,
        "P50 12, P95 34, P99 56† ms, of too few samples for P99",
    )


def test_the_run_of_most_load_answers() -> None:
    runs = [run_of("rest_api_baseline", scale) for scale in ("smoke", "full", "ci")]
    assert outcome("REST API", *runs)[0] is Outcome.SHOWN
    invalid = run_of("rest_api_baseline", verdict="invalid")
    assert outcome("REST API", runs[0], invalid)[0] is Outcome.SMALLER


def test_a_breaking_point_is_identified_where_a_rate_was_not_held() -> None:
    def stress(percent: float, scale: str) -> Run:
        judged = {"breaking_point >= 10%": (percent, "met")}
        return run_of("stress_test", scale, judged=judged, summary="It held some.")

    assert outcome("Stress", stress(60, "smoke"))[0] is Outcome.SMALLER
    assert outcome("Stress", stress(60, "full"))[0] is Outcome.SHOWN
    assert outcome("Stress", stress(100, "full"))[0] is Outcome.SHOWN
    assert outcome("Stress", stress(100, "smoke"))[0] is Outcome.NOT
    assert outcome("Stress", stress(0, "full"))[0] is Outcome.NOT
    assert outcome("Stress", stress(0, "local"), stress(60, "smoke"))[0] is Outcome.SMALLER


@pytest.mark.parametrize(
    ("words", "name", "met"),
    [
        ("Spike", "spike_test", {"recovery < 30 s": (16, "met")}),
        ("soak", "soak_test", {"growth < 10%": (1, "met")}),
        ("WebSocket", "websocket_baseline", {"loss < 0.1%": (0, "met")}),
        ("SSE", "sse_streaming_baseline", {"drops < 1%": (0, "met")}),
    ],
)
def test_a_run_that_did_not_reach_its_rate_shows_no_criterion(
    words: str, name: str, met: dict[str, tuple[float, str]]
) -> None:
    run = run_of(name, verdict="fail", judged=met | {"rate >= 95%": (40, "missed")}, messages=5000)
    found, because = outcome(words, run)
    assert found is Outcome.NOT
    assert "rate >= 95%: 40 %, missed" in because
    assert outcome(words, run_of(name, judged=met, messages=5000))[0] is Outcome.SHOWN


def test_a_share_takes_enough_to_show_it() -> None:
    """Of 48 messages none lost says that fewer than 6 % are, with a confidence of 95 %."""
    lossless = {"loss < 0.1%": (0.0, "met")}
    found, because = outcome("WebSocket", run_of("websocket_baseline", judged=lossless, messages=48))
    assert found is Outcome.NOT
    assert because.startswith("48 messages are too few to show it, it takes 3,000; loss < 0.1%: 0 %, met")
    assert (
        outcome("WebSocket", run_of("websocket_baseline", judged=lossless, messages=3000))[0] is Outcome.SHOWN
    )
    few = run_of("sse_streaming_baseline", "smoke", judged={"drops < 1%": (0.0, "met")})
    assert "streams are too few to show it, it takes 300" in outcome("SSE", few)[1]


def test_of_runs_of_one_load_the_newest_answers() -> None:
    later = STARTED.replace(hour=11)
    slow = run_of("load_test", verdict="fail", judged={"p95 < 300 ms": (431, "missed")})
    fast = run_of("load_test", judged={"p95 < 300 ms": (120, "met")})
    newer = slow._replace(record=slow.record.model_copy(update={"started": later}))
    assert outcome("Load test", fast, newer)[0] is Outcome.NOT
    assert outcome("Load test", slow, fast)[0] is Outcome.SHOWN


def test_plans_reports_and_telemetry_are_shown_by_the_directories(tmp_path: Path) -> None:
    every = [run_of(name, "smoke")._replace(directory=tmp_path) for name in WORKLOADS]
    assert outcome("non-GUI", *every)[0] is Outcome.SHOWN
    assert outcome("non-GUI", *every[1:])[0] is Outcome.NOT
    assert outcome("HTML", *every)[0] is Outcome.NOT
    assert outcome("Grafana", *every)[0] is Outcome.NOT
    for name in ("index.html", "telemetry.parquet", "logs.jsonl"):
        (tmp_path / name).touch()
    assert outcome("HTML", *every)[0] is Outcome.SHOWN
    assert outcome("Grafana", *every)[0] is Outcome.NOT


def test_the_page_has_every_workload_and_every_criterion(tmp_path: Path) -> None:
    run = run_of("rest_api_baseline", "smoke", count=1000, messages=500)
    directory = tmp_path / "rest_api_baseline" / "1"
    directory.mkdir(parents=True)
    run.record.save_to(directory)
    assert run.summary
    (directory / "summary.json").write_text(run.summary.model_dump_json())
    page = baselines_page(runs_in([tmp_path]))
    assert page.count("| `rest_api_baseline` | 10 /s, 5 threads, 15 s | pass | 1,000 |") == 1
    assert [name for name in WORKLOADS if f"| `{name}` |" not in page] == []
    assert "| response |" not in page
    assert "| 12 | 34 | 56† |" in page
    assert "† too few samples for this percentile" in page
    assert page.count("*not shown here*") == len(CRITERIA)
    label = WORKLOADS["rest_api_baseline"].labels[1]
    assert f"| `rest_api_baseline` | {label} | elapsed | 500 | – | 12 | 34 | 56† |" in page


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no runs in"):
        runs_in([tmp_path])
