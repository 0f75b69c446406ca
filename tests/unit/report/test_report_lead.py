"""The picture that answers a workload's question stands before the latency that all have."""

from pathlib import Path

import pytest
from lxml.html import document_fromstring
from report_examples import FIRST_PICTURE, Run, of_workload

from pacemark.report import html
from pacemark.workloads import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_first_picture_is_the_workload_s_own(name: str, passed: Run, tmp_path: Path) -> None:
    record = of_workload(name, tmp_path, passed)
    root = document_fromstring(html.render(record, passed.digest, passed.summary, title=name))
    drawn = root.xpath("//section[.//figure or .//*[@class='bar']]/h2/text()")
    assert drawn[0] == FIRST_PICTURE.get(name, "Latency and rate")
