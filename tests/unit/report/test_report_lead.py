"""The picture that answers a workload's question stands before the latency that all have."""

from pathlib import Path

import pytest
from lxml.html import document_fromstring
from report_examples import Run

from pacemark.report import html
from pacemark.results.digest import Digest
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import ProcessReading, Subject
from pacemark.results.record import Window
from pacemark.workloads import WORKLOADS, workload

FIRST = {
    "mcp_test_servers_baseline": "The gateway's tax",
    "stress_test": "Breaking point",
    "spike_test": "Recovery",
    "soak_test": "Growth",
    "sse_streaming_baseline": "Event streams",
    "websocket_baseline": "Connections",
    "admin_ui_baseline": "Pages",
}
"""Of the others the percentile curve and the rate are the answer."""


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_first_picture_is_the_workload_s_own(name: str, passed: Run, tmp_path: Path) -> None:
    one = workload(name)
    load = one.scales["ci"]
    labels = list(one.labels)
    rows = [
        f"{1_769_767_200_000 + n * 250},20,{labels[n % len(labels)]},200,true,0,1"
        for n in range(4 * load.duration_s)
    ]
    path = tmp_path / "samples.jtl"
    path.write_text("\n".join(["timeStamp,elapsed,label,responseCode,success,late_ms,waited", *rows, ""]))
    window = Window(from_s=load.ramp_up_s, to_s=load.duration_s)
    seconds = range(0, load.duration_s, 5)
    readings = [ProcessReading(float(t), "gateway", 3 * 10**8, 9, t / 2) for t in seconds]
    subject = Subject(one, load, window, Digest.from_jtl(path), processes=readings)
    record = passed.record.model_copy(update={"sections": measure(subject).sections})
    root = document_fromstring(html.render(record, passed.digest, passed.summary, title=name))
    drawn = root.xpath("//section[.//figure or .//*[@class='bar']]/h2/text()")
    assert drawn[0] == FIRST.get(name, "Latency and rate")
