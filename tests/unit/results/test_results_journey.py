"""What is measured of journeys, on samples that were made up."""

from dataclasses import replace
from pathlib import Path

from pacemark.results.digest import Digest
from pacemark.results.measurements.journey import measure
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.record import Window
from pacemark.workloads.admin_ui_baseline import WORKLOAD
from pacemark.workloads.load import Load

T0 = 1_769_767_200_000
LOAD = Load(threads=2, ramp_up_s=2, duration_s=10, think_s=(1, 2))
Row = tuple[float, int, str, str, str]
"""Start in seconds, elapsed in ms, label, code, what failed."""


def measured(tmp_path: Path, rows: list[Row], *, cut_short: bool = False) -> Measurement:
    path = tmp_path / "samples.jtl"
    lines = (
        f"{T0 + start * 1000:.0f},{elapsed},{label},{code},{failed},{'false' if failed else 'true'}\n"
        for start, elapsed, label, code, failed in sorted(rows)
    )
    path.write_text("timeStamp,elapsed,label,responseCode,failureMessage,success\n" + "".join(lines))
    subject = Subject(
        workload=WORKLOAD, load=LOAD, window=Window(from_s=2, to_s=10), digest=Digest.from_jtl(path)
    )
    return measure(replace(subject, cut_short=cut_short))


def a_user(logs_in_at: float, *, ms: int) -> list[Row]:
    """Signs in within the ramp-up, goes round twice, signs out after the end."""
    rounds = [(at, ms, label, "200", "") for at in (3.0, 6.0) for label in WORKLOAD.round]
    return [
        (logs_in_at, 200, "Admin login", "303", ""),
        *rounds,
        (10.5, 20, "Admin logout", "303", ""),
    ]


def test_a_rounds_wait_is_the_sum_of_its_requests_means(tmp_path: Path) -> None:
    found = measured(tmp_path, a_user(0, ms=10) + a_user(1, ms=30))
    pages, section = found.sections
    requests = len(WORKLOAD.round)
    assert section.rows == [
        ["Sign in", 2, 0, 200, 200],
        [f"A round: {requests} requests", 4 * requests, 0, 20 * requests, None],
        ["Sign out", 2, 0, 20, 20],
        ["Sign in, one round, sign out", None, None, 220 + 20 * requests, None],
    ]
    assert section.summary == (
        "2 of 2 users signed in, 2 signed out; they finished 4 rounds, and nobody was signed out on the way. "
        f"A round keeps its user waiting for {20 * requests} ms in all."
    )
    assert [row[:3] for row in pages.rows] == [
        [label, 4 * WORKLOAD.round.count(label), 0] for label in dict.fromkeys(WORKLOAD.round)
    ]
    assert {(row[3], row[4], row[5]) for row in pages.rows} == {(10, 30, 30)}
    assert pages.has_picture
    (chart,) = section.charts
    assert chart.series[0].values == [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]
    assert found.reasons == []


def test_failed_logins_and_logouts_fail_the_run_though_the_window_does_not_see_them(tmp_path: Path) -> None:
    refused: Row = (0.5, 150, "Admin login", "303", "login refused")
    stuck = [row for row in a_user(1, ms=10) if row[2] != "Admin logout"]
    stuck.append((10.5, 20, "Admin logout", "500", ""))
    rows = [refused, *a_user(0, ms=10), *[(*row[:4], row[4] or "x" * (row[3] == "500")) for row in stuck]]
    found = measured(tmp_path, rows)
    assert [(one.level, one.text) for one in found.reasons] == [
        ("fail", "1 of 3 logins failed: check failed: login refused (1)"),
        ("fail", "1 of 2 users could sign out: HTTP 500 (1)"),
    ]


def test_a_user_who_never_signed_in_fails_the_run_unless_it_was_cut_short(tmp_path: Path) -> None:
    rows = a_user(0, ms=10)
    assert [one.text for one in measured(tmp_path, rows).reasons] == ["1 of 2 users could sign in"]
    assert measured(tmp_path, rows, cut_short=True).reasons == []


def test_signed_out_answers_are_counted_and_a_round_that_is_not_whole_has_no_wait(tmp_path: Path) -> None:
    rows: list[Row] = [
        (0, 200, "Admin login", "303", ""),
        (3, 5, "Admin tools partial", "200", "signed out"),
        (4, 5, "Admin metrics", "401", "signed out"),
    ]
    pages, section = measured(tmp_path, rows).sections
    assert pages.summary == "The slowest is Admin tools partial, with a P95 of 5 ms."
    assert "2 answers were to users signed out on the way." in section.summary
    assert section.rows[1][3] is None
    assert section.rows[3][3] is None
