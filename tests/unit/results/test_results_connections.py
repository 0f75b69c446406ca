"""What is measured of connections, on made-up samples."""

from pathlib import Path

import pytest

from pacemark.results.digest import Digest
from pacemark.results.judge import judge
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import Measurement, Subject
from pacemark.results.record import Generator, JudgedObjective, Window
from pacemark.results.verdict import Evidence, decide
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective
from pacemark.workloads.websocket_baseline import WORKLOAD

HEAD = "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage,late_ms,waited"
LOAD = Load(threads=2, ramp_up_s=0, duration_s=10, rate_per_s=2)
TIMEOUT = "Websocket I/O error,WebSocket I/O error: Read timed out,false,Response was null"
REFUSED = "Websocket I/O error,WebSocket I/O error: Connection refused,false,"
OK = "200,OK,true,"


def ping(at_ms: int, said: str = OK, elapsed_ms: int = 5) -> str:
    return f"{1_769_767_200_000 + at_ms},{elapsed_ms},WS ping,{said},0,1"


def handshake(at_ms: int, said: str = "101,Switching Protocols,true,") -> str:
    return f"{1_769_767_200_000 + at_ms},7,WS handshake,{said},0,2"


def lifetime(at_ms: int, lasted_ms: int, said: str = "1000,Connection closed.,true,") -> str:
    return f"{1_769_767_200_000 + at_ms},{lasted_ms},WS connection lifetime,{said},0,2"


# Two connections; one breaks at 3 s, is refused twice and stands again at 6 s.
BROKEN = [
    handshake(0),
    handshake(10),
    *(ping(500 * n) for n in range(1, 6)),
    ping(2990, TIMEOUT, 10),
    lifetime(17, 2983, TIMEOUT),
    handshake(3000, REFUSED),
    handshake(4000, REFUSED),
    handshake(5990),
    *(ping(6000 + 500 * n) for n in range(8)),
    lifetime(7, 9990),
    lifetime(5997, 4000),
]


def digest(tmp_path: Path, rows: list[str]) -> Digest:
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join([HEAD, *rows, ""]))
    return Digest.from_jtl(path)


def measured(tmp_path: Path, rows: list[str], *, cut_short: bool = False) -> Measurement:
    window = Window(from_s=0, to_s=10)
    found = digest(tmp_path, rows)
    return measure(Subject(workload=WORKLOAD, load=LOAD, window=window, digest=found, cut_short=cut_short))


def test_loss_is_of_messages_without_their_reply_and_the_unsent_are_said_apart(tmp_path: Path) -> None:
    found = measured(tmp_path, BROKEN)
    assert found.own["loss", "%"].value == 100 / 14
    messages = found.sections[0]
    assert messages.summary == (
        "Of 14 messages 13 were answered, 1 lost (7.143%). 6 more were planned and not sent."
    )
    assert messages.rows[0] == ["WS ping", 14, 13, 1, 5, 10, 10, 10, "timeout (1)"]
    assert [reason.level for reason in found.reasons] == ["warning"]
    assert (
        "6 planned messages were not sent: replies were awaited, or no connection stood"
        in found.reasons[0].text
    )


def test_connections_are_counted_with_why_they_broke(tmp_path: Path) -> None:
    connections = measured(tmp_path, BROKEN).sections[1]
    assert connections.summary == (
        "3 connections were opened, 1 of them anew, at most 2 at once; 1 broke (timeout (1)); "
        "2 handshakes failed (connect (2))."
    )
    rows = {row[0]: row[1:] for row in connections.rows}
    assert rows["Handshake"] == [5, 2, 7, 7, 7, 7]
    assert rows["Lifetime, ended by us"] == [2, 0, 4000, 9990, 9990, 9990]
    assert rows["Lifetime, broken"] == [1, 1, 2983, 2983, 2983, 2983]
    (chart,) = connections.charts
    assert chart.series[0].values == [2, 2, 2, 1, 1, 2, 2, 2, 2, 1, 0]


def test_a_connection_without_an_end_is_said_to_have_none(tmp_path: Path) -> None:
    found = measured(tmp_path, [handshake(0), ping(500)], cut_short=True)
    assert found.sections[1].summary.endswith("1 had not ended when the run did.")
    assert "planned" not in found.sections[0].summary
    assert found.reasons == []


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ("200,OK,false,No results for path: $['result']", 0),
        ("200,OK,false,Value in json path '$.error' expected to be null but found '{code=-32000}'", 0),
        ("Sampler error: unexpected frame type (close).,Received: Close frame,false,Response was null", 100),
        ("Sampler error,Sampler error: a surprise,false,Response was null", 100),
    ],
)
def test_a_reply_that_is_an_error_is_not_lost(tmp_path: Path, said: str, lost: int) -> None:
    assert measured(tmp_path, [handshake(0), ping(500, said)]).own["loss", "%"].value == lost


def test_without_a_message_loss_is_unknown_and_the_reason_says_what_to_do(tmp_path: Path) -> None:
    forbidden = "403,Got unexpected status 403 with statusLine:HTTP/1.1 403 Forbidden,false,"
    found = measured(tmp_path, [handshake(0, forbidden), handshake(1000, forbidden)])
    assert found.own["loss", "%"].value is None
    (reason,) = found.reasons
    assert (reason.level, reason.text) == (
        "invalid",
        "no connection was opened: all 2 handshakes failed: HTTP 403 (2)",
    )
    assert "MCPGATEWAY_WS_RELAY_ENABLED=true" in reason.remedy


@pytest.mark.parametrize(
    ("broken", "value", "said"),
    [
        ("loss < 0.1%", 7.0, "loss 7 %, limit < 0.1 % (all samples)"),
        ("drops < 1%", 40.0, "drops 40 %, limit < 1 % (all samples)"),
        ("reconnections >= 99%", 60.0, "reconnections 60 %, limit >= 99 % (all samples)"),
    ],
)
def test_what_the_gateway_breaks_makes_a_missed_rate_its_fault(broken: str, value: float, said: str) -> None:
    objectives = [
        JudgedObjective(objective=Objective.parse(text), value=value, outcome="missed")
        for text, value in ((broken, value), ("rate >= 95%", 70.0))
    ]
    generator = Generator(jmeter="5.6.3", java="21", reported_count=14, exit_code=0, waiting_share=0.1)
    evidence = Evidence(
        window=Window(from_s=0, to_s=10),
        warm_up_s=0,
        outcomes={"ok": 13, "timeout": 1},
        recorded=14,
        parents=0,
        in_window=14,
        labels=("WS ping",),
        expected_labels=("WS ping",),
        objectives=objectives,
        generator=generator,
    )
    verdict, reasons = decide(evidence)
    assert verdict == "fail"
    assert [reason.text for reason in reasons] == [
        said,
        "rate 70 %, limit >= 95 % (all samples)",
    ]


@pytest.mark.parametrize(("messages", "rate"), [(10, 50), (0, 0)])
def test_a_rate_counts_what_had_a_slot(tmp_path: Path, messages: int, rate: float) -> None:
    """Handshakes that are refused again and again must not make up for messages."""
    rows = [
        handshake(0),
        *(ping(500 * n) for n in range(messages)),
        *(handshake(5000 + n, REFUSED) for n in range(9)),
    ]
    window = Window(from_s=0, to_s=10)
    cut = digest(tmp_path, rows).between(0, 10)
    (judged,) = judge([Objective.parse("rate >= 95%")], cut, window=window, due=20)
    assert (judged.value, judged.outcome) == (rate, "missed")
