"""What the streams' measurement makes of made-up samples."""

from pathlib import Path

from pacemark.results.digest import Digest
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.measurements.streams import open_streams
from pacemark.results.record import Window
from pacemark.workloads import workload
from pacemark.workloads.streams import (
    CONNECT,
    OUTAGE_LIFETIME,
    RECONNECT,
    ROUND_TRIP,
    STREAM_LIFETIME,
)

WORKLOAD = workload("sse_streaming_baseline")
Row = tuple[float, int, str, bool]
"""Start in seconds, elapsed in milliseconds, label, success."""


def digest(folder: Path, rows: list[Row]) -> Digest:
    lines = ["timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage"]
    for start_s, elapsed_ms, label, success in rows:
        ends = f"{label},200,OK,{str(success).lower()},{'' if success else 'the server ended the stream'}"
        lines.append(f"{1_700_000_000_000 + round(start_s * 1000)},{elapsed_ms},{ends}")
    (folder / "samples.jtl").write_text("\n".join(lines) + "\n")
    return Digest.from_jtl(folder / "samples.jtl")


def measured(samples: Digest) -> Measurement:
    load = WORKLOAD.scales["smoke"]
    window = Window(from_s=0, to_s=load.duration_s)
    return measure(Subject(workload=WORKLOAD, load=load, window=window, digest=samples))


def test_a_stream_is_open_from_its_headers_to_its_end(tmp_path: Path) -> None:
    samples = digest(
        tmp_path,
        [
            (0, 100, CONNECT, True),
            (1, 1500, CONNECT, True),
            (2, 100, CONNECT, False),
            (0.1, 3000, STREAM_LIFETIME, False),
            (5, 100, RECONNECT, True),
            (2.5, 5000, STREAM_LIFETIME, True),
            (5.1, 2400, STREAM_LIFETIME, True),
        ],
    )
    assert open_streams(samples) == ([float(n) for n in range(8)], [1, 1, 2, 1, 1, 2, 2, 0])


def test_drops_are_of_what_was_opened_and_returns_of_what_was_tried_again(tmp_path: Path) -> None:
    rows: list[Row] = [(0, 10, CONNECT, True)] * 197 + [(0, 10, CONNECT, False)] * 5
    rows += [(0, 9000, STREAM_LIFETIME, True)] * 196 + [(0, 5000, STREAM_LIFETIME, False)] * 4
    rows += [(6, 10, RECONNECT, True)] * 3 + [(6, 10, RECONNECT, False)] * 7
    rows += [(5, 1010, OUTAGE_LIFETIME, True)] * 2 + [(5, 4000, OUTAGE_LIFETIME, False)]
    found = measured(digest(tmp_path, rows))
    assert {key: own.value for key, own in found.own.items()} == {
        ("drops", "%"): 100 * 4 / 200,
        ("reconnections", "%"): 100 * 2 / 3,
    }
    # One of the four broke too late to be tried again.
    assert [reason.text for reason in found.reasons] == [
        "1 stream dropped so late that the load ended before a retry was due"
    ]
    assert "200 were opened, 4 of them dropped (2 %); 2 of 3 that were tried" in found.sections[0].summary


def test_without_a_drop_reconnection_is_not_judged(tmp_path: Path) -> None:
    rows = [(0, 10, CONNECT, True), (1, 5, ROUND_TRIP, True), (0, 9000, STREAM_LIFETIME, True)]
    found = measured(digest(tmp_path, rows))
    assert found.own[("drops", "%")].value == 0
    assert found.own[("reconnections", "%")].value is None
    assert found.own[("reconnections", "%")].why == "no stream was dropped"
    assert found.own[("reconnections", "%")].is_moot
    assert found.reasons == []


def test_without_a_stream_nothing_is_judged(tmp_path: Path) -> None:
    found = measured(digest(tmp_path, [(0, 10, CONNECT, False)]))
    assert {own.value for own in found.own.values()} == {None}
    assert found.sections[0].charts == []


def test_streams_without_an_end_are_told_of(tmp_path: Path) -> None:
    rows = [(0, 10, CONNECT, True), (0, 10, CONNECT, True), (0, 9000, STREAM_LIFETIME, True)]
    found = measured(digest(tmp_path, rows))
    assert [reason.level for reason in found.reasons] == ["warning"]
    assert "1 stream open when the run was cut short" in found.reasons[0].text
    assert open_streams(digest(tmp_path, rows))[1][-1] == 1


def test_percentiles_are_of_what_succeeded(tmp_path: Path) -> None:
    rows = [(0, ms, ROUND_TRIP, True) for ms in range(1, 101)] + [(0, 30_000, ROUND_TRIP, False)] * 50
    table = {row[0]: row[1:] for row in measured(digest(tmp_path, rows)).sections[0].rows}
    assert table["round trip, post to reply"] == [100, 50, 50, 95, 99, 100]
    assert table["outage, drop to open again"] == [0, 0, None, None, None, None]
