import re
from io import StringIO
from pathlib import Path

import pytest
from report_examples import Run
from rich.console import Console, RenderableType

from pacemark.gateway.service import ServiceState, State
from pacemark.report import console, numerals, wording
from pacemark.results.baselines import Baseline
from pacemark.results.compare import compare
from pacemark.results.record import Finding
from pacemark.workloads import WORKLOADS


def printed(renderable: RenderableType, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None, legacy_windows=False).print(renderable)
    return out.getvalue()


def test_the_summary_fits_80_columns_with_every_number_whole(failed: Run) -> None:
    lines = printed(console.summary_table(failed.summary)).splitlines()
    assert max(map(len, lines)) <= 80
    total = failed.summary.total
    assert total.response is not None
    (last,) = [line.split() for line in lines if line.startswith("All labels")]
    assert last[:3] == ["All", "labels", f"{total.count:,}"]
    assert last[-1] == numerals.latency(total.response, "p95")


def test_server_text_is_neither_markup_nor_control(hostile: Run) -> None:
    shown = printed(console.summary_table(hostile.summary), width=140)
    assert "[bold]" in shown
    assert "<script>alert(1)</script>" in shown
    assert console.printable("a\x1b[31mb\nc") == "a�[31mb c"


def test_the_verdict_panel_names_reasons_and_remedies(hostile: Run) -> None:
    shown = " ".join(printed(console.verdict_panel(hostile.record)).replace("│", " ").split())
    assert "INVALID" in shown
    for reason in hostile.record.reasons:
        assert ": ".join(filter(None, (reason.text, reason.remedy))) in shown


def test_each_reason_but_a_warning_is_a_line_with_its_remedy(hostile: Run) -> None:
    deciding = [reason for reason in hostile.record.reasons if reason.level != "warning"]
    lines = console.failing_lines(hostile.record)
    assert lines == [f"{reason.text} ({reason.remedy})" for reason in deciding]


def test_a_pass_has_no_failing_line(passed: Run) -> None:
    assert console.failing_lines(passed.record) == []


def test_several_runs_are_a_row_each_with_what_decided_it(passed: Run, failed: Run, hostile: Run) -> None:
    runs = [(run.record, Path(f"results/{number}")) for number, run in enumerate((passed, failed, hostile))]
    header, *lines = printed(console.runs_table(runs), 400).splitlines()
    assert header.split() == ["Verdict", "Workload", "Because", "Run"]
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert [row[0] for row in cells] == ["pass", "fail", "invalid"]
    assert [row[1] for row in cells] == [console.printable(record.workload) for record, _ in runs]
    assert [row[3] for row in cells] == ["results/0", "results/1", "results/2"]
    deciding = [
        next(reason.text for reason in run.record.reasons if reason.level == run.record.verdict)
        for run in (failed, hostile)
    ]
    assert [row[2] for row in cells] == [wording.headline(passed.record), *deciding]


def test_the_test_matrix_fits_80_columns_with_every_load_and_objective_whole() -> None:
    lines = printed(console.plans_table(WORKLOADS.values())).splitlines()
    assert lines == printed(console.plans_table(WORKLOADS.values()), 200).splitlines()
    assert max(map(len, lines)) <= 80
    for workload in WORKLOADS.values():
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"{workload.name} "))
        assert lines[at + 1].strip().startswith(workload.protocol)
        shown = lines[at : at + max(2, len(workload.objectives))]
        assert [one for one in workload.objectives if str(one) not in "\n".join(shown)] == []
        load = workload.scales["full"]
        assert numerals.duration(load.duration_s) in shown[0]
        assert numerals.duration(load.ramp_up_s) in shown[1]


def test_the_test_matrix_shows_a_spike_as_its_turns_and_think_time_as_such() -> None:
    spike, ui = (
        [
            re.split(r"\s{2,}", line.strip())
            for line in printed(console.plans_table([WORKLOADS[name]])).splitlines()
        ]
        for name in ("spike_test", "admin_ui_baseline")
    )
    assert spike[2:] == [
        ["spike_test", "200-2,000", "8 min 30 s", "1,000", "recovery < 30 s"],
        ["HTTP, JSON-RPC", "30 s", "→10,000", "clearance < 60 s"],
        ["→1,000", "rate >= 95%"],
    ]
    assert ui[2:] == [
        ["admin_ui_baseline", "50", "5 min", "think", "elapsed p95 < 500 ms"],
        ["HTMX", "30 s", "3-5 s", "errors < 0.1%"],
    ]


def test_a_stack_shows_what_runs_and_why_it_failed() -> None:
    services = {
        "gateway": ServiceState(pid=12, pid_created=1.0, url="http://127.0.0.1:4444", ready=True),
        "fast_time": ServiceState(pid=13, pid_created=1.0, exit_code=3),
    }
    state = State(
        phase="failed", reason="[red]fast_time ended", pid=1, pid_created=1, started=1, services=services
    )
    lines = printed(console.services_table(state)).splitlines()
    assert "ready" in lines[2]
    assert "http://127.0.0.1:4444" in lines[2]
    assert "ended (3)" in lines[3]
    assert lines[-1] == "[red]fast_time ended"


def test_findings_show_their_remedies() -> None:
    finding = Finding(name="Token", level="error", detail="[red]expired", remedy="mint a new one")
    shown = printed(console.findings_table([finding]))
    assert "[red]expired" in shown
    assert "mint a new one" in shown


def test_a_comparison_fits_80_columns_worst_first(passed: Run, failed: Run) -> None:
    comparison = compare([passed.digest] * 3, [failed.digest] * 3)
    lines = printed(console.comparison_table(comparison)).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("WORSE ")
    header = next(number for number, line in enumerate(lines) if line.startswith("Label "))
    assert lines[header + 1].rstrip().endswith("worse")


@pytest.mark.parametrize("width", [80, 120])
def test_baselines_are_listed_with_what_they_are_of(passed: Run, width: int) -> None:
    shown = printed(
        console.baselines_table([Baseline(name="main", path=Path(), record=passed.record)]), width
    )
    for text in ("main", "local", "2026-01-30", "10:00 UTC", "pass"):
        assert text in shown
