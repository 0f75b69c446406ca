# ruff: noqa: E501 - log lines as they are
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pacemark.jmeter.health import (
    CpuReading,
    cpu_between,
    last_lines,
    log_errors,
    pauses_between,
    reported_totals,
    slots_taken,
)

# As JMeter 5.6.3 and Java 17 and 21 write them.
LOG = """\
2026-11-23 01:33:36,001 INFO o.a.j.r.Summariser: summary +    141 in 00:00:01 =  148.7/s Avg:     0 Min: 0 Max: 5 Err:     3 (2.1%)
2026-11-23 01:33:40,001 INFO o.a.j.r.Summariser: summary =    400 in 00:00:05 =   80.0/s Avg:     1 Min: 0 Max: 5 Err:     3 (0.75%)
2026-11-23 01:33:49,169 INFO pacing: stage 1 of 2: 150 slots, 150 taken
2026-11-23 01:33:49,169 INFO pacing: stage 2 of 2: 600 slots, 512 taken
2026-11-23 01:33:50,001 INFO o.a.j.r.Summariser: summary =   1350 in 00:00:15 =   87.1/s Avg:     3 Min: 0 Max: 68 Err:    12 (0.89%)
"""
GC = """\
[2026-11-23T01:29:57.728+0000][0.004s][gc] Using G1
[2026-11-23T01:30:00.500+0000][2.776s][gc      ] GC(0) Pause Young (Normal) (G1 Evacuation Pause) 24M->5M(512M) 3.456ms
[2026-11-23T01:30:01.000+0000][3.276s][gc      ] GC(1) Concurrent Mark Cycle 12.1ms
[2026-11-23T01:30:02.000+0000][4.276s][gc      ] GC(2) Pause Remark 30M->30M(512M) 10.5ms
[2026-11-23T01:30:09.000+0000][11.276s][gc      ] GC(3) Pause Young (Normal) (G1 Evacuation Pause) 9M->5M(512M) 99.0ms
"""


def epoch(text: str) -> float:
    return datetime.fromisoformat(f"2026-11-23T{text}+00:00").astimezone(UTC).timestamp()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "jmeter.log"
    path.write_text(LOG)
    return path


def test_the_last_total_counts(log: Path) -> None:
    assert reported_totals(log) == (1350, 12)


def test_slots_are_read_by_stage(log: Path) -> None:
    assert slots_taken(log) == [(150, 150), (600, 512)]


def test_no_log_tells_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "jmeter.log"
    assert reported_totals(missing) is None
    assert slots_taken(missing) == log_errors(missing) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2026-11-23 01:33:36,001 ERROR o.a.j.JMeter: Error in NonGUIDriver", "Error in NonGUIDriver"),
        (
            "2026-11-23 01:33:36,001 INFO o.a.j.t.JMeterThread: Stopping Test: "
            "org.apache.jorphan.util.JMeterStopTestException: TARGET_RPS must be above 0, not 0.0",
            "TARGET_RPS must be above 0, not 0.0",
        ),
    ],
)
def test_what_stopped_a_plan_is_found(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "jmeter.log").write_text(f"{LOG}{line}\n{line}\n")
    assert log_errors(tmp_path / "jmeter.log") == [said]


def test_only_pauses_in_the_window_count() -> None:
    found = pauses_between(GC, epoch("01:30:00"), epoch("01:30:05"))
    assert (found.count, found.total_ms, found.max_ms) == (2, pytest.approx(13.956), 10.5)
    assert pauses_between(GC, epoch("01:31:00"), epoch("01:32:00")).count == 0


def test_processor_time_is_interpolated() -> None:
    readings = [CpuReading(0, 0), CpuReading(10, 5), CpuReading(20, 15), CpuReading(30, float("nan"))]
    assert cpu_between(readings, 5, 15) == pytest.approx(7.5)
    assert cpu_between(readings, 10, 20) == pytest.approx(10)
    assert cpu_between(readings, 15, 60) is None  # seen over a ninth of it
    assert cpu_between(readings[:1], 0, 1) is None


def test_the_last_lines_are_jmeters_own(tmp_path: Path) -> None:
    said = [
        "NOTE: Picked up JDK_JAVA_OPTIONS: -Xmx1g",
        "Picked up JAVA_TOOL_OPTIONS: -Dx=y",
        "",
        " Error: one ",
        "two",
    ]
    output = tmp_path / "output"
    output.write_text("\n".join(said), encoding="utf-8")
    assert last_lines(output) == ["Error: one", "two"]
    output.write_text(said[0], encoding="utf-8")
    assert last_lines(output) == []
