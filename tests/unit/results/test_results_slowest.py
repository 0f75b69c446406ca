"""The slowest samples, from a JTL as JMeter writes it."""

from pathlib import Path

from pacemark.results.record import Window
from pacemark.results.slowest import MOST, section, slowest

HEAD = "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage,late_ms,trace_id,waited\n"
START = 1_700_000_000_000
WINDOW = Window(from_s=1, to_s=100)


def row(at_ms: int, elapsed: int, late: object = 0, label: str = "GET /tools", **more: str) -> str:
    trace, message = more.get("trace", f"{at_ms:032x}"), more.get("message", "OK")
    return f'{START + at_ms},{elapsed},{label},200,{message},true,"a ""b"",\nc",{late},{trace},1\n'


def found(folder: Path, *rows: str) -> list[tuple[float, int, int, str]]:
    (folder / "samples.jtl").write_text(HEAD + "".join(rows), encoding="utf-8")
    samples = slowest(folder / "samples.jtl", START, WINDOW)
    return [(one.at_s, one.response_ms, one.elapsed_ms, one.trace_id) for one in samples]


def test_by_response_and_of_equals_the_earliest_first(tmp_path: Path) -> None:
    rows = [row(3000, 70), row(2000, 40, 30), row(4000, 90, -5), row(5000, 60)]
    assert found(tmp_path, *rows) == [
        (4.0, 90, 90, f"{4000:032x}"),
        (2.0, 70, 40, f"{2000:032x}"),
        (3.0, 70, 70, f"{3000:032x}"),
        (5.0, 60, 60, f"{5000:032x}"),
    ]


def test_exactly_the_twenty_slowest_of_many(tmp_path: Path) -> None:
    rows = [row(1000 + n, n * 7919 % 1000) for n in range(3000)]
    expected = sorted(((n * 7919 % 1000, -n) for n in range(3000)), reverse=True)[:MOST]
    assert [
        (response, -round((at_s - 1) * 1000)) for at_s, response, _, _ in found(tmp_path, *rows)
    ] == expected


def test_outside_the_window_lifetimes_parents_and_cut_rows_are_none(tmp_path: Path) -> None:
    rows = [
        row(999, 9000),
        row(100_000, 9000),
        row(2000, 9000, label="SSE stream lifetime"),
        row(2000, 9000, message="Number of samples in transaction : 2"),
        row(2000, 5, "null", trace="null"),
        row(3000, 9000)[:12],
    ]
    assert found(tmp_path, *rows) == [(2.0, 5, 5, "")]
    assert found(tmp_path) == []


def test_the_section_links_to_log_lines_and_to_a_trace(tmp_path: Path) -> None:
    (tmp_path / "samples.jtl").write_text(HEAD + row(2000, 5) + row(3000, 4), encoding="utf-8")
    samples = slowest(tmp_path / "samples.jtl", START, WINDOW)
    made = section(samples, {samples[0].trace_id: 3}, "http://traces/{trace_id}")
    assert made is not None
    assert made.summary.endswith("logs have lines of 1 of them.")
    assert [column.link for column in made.columns[-2:]] == ["#log-{}", "http://traces/{}"]
    assert [line[5] for line in made.rows] == [3, None]
    assert section([], {}) is None
    unlogged = section(samples, None)
    assert unlogged is not None
    assert "logs" not in unlogged.summary
