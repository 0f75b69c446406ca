"""The plan of event streams, and the script that runs in it."""

import re
from importlib import resources

import pytest
from lxml import etree

from pacemark.errors import InputError
from pacemark.jmx.plan import render
from pacemark.jmx.sse import ACTS
from pacemark.workloads import workload
from pacemark.workloads.streams import ROUND_TRIP, Streams

WORKLOAD = workload("sse_streaming_baseline")
SCRIPT = resources.files("pacemark.jmx").joinpath("sse.groovy").read_text(encoding="utf-8")


def test_every_sample_has_its_sampler_and_every_reply_its_check() -> None:
    assert isinstance(WORKLOAD, Streams)
    plan = etree.fromstring(render(WORKLOAD))
    names = [sampler.get("testname") for sampler in plan.findall(".//JSR223Sampler")]
    assert names == [*ACTS, *[ROUND_TRIP] * len(WORKLOAD.messages)]
    assert {label for label, *_ in WORKLOAD.described} == set(names)
    controllers = [one.get("testname") for one in plan.findall(".//GenericController")]
    assert controllers == [message.label for message in WORKLOAD.messages]
    paths = [one.text for one in plan.findall(".//JSONPathAssertion/stringProp[@name='JSON_PATH']")]
    assert paths == [message.check.path for message in WORKLOAD.messages]


def test_the_script_names_the_samplers_and_has_their_methods() -> None:
    """A name that no sampler has would end the thread."""
    for label, act in ACTS.items():
        assert f"'{label}'" in SCRIPT
        assert re.search(rf"^    void {act}\(JMeterContext ctx, SampleResult result\)", SCRIPT, re.MULTILINE)


def test_no_plan_but_this_one_carries_the_script() -> None:
    assert "class EventParser" in render(WORKLOAD).decode()
    assert "class EventParser" not in render(workload("rest_api_baseline")).decode()


def test_the_streams_of_a_virtual_server() -> None:
    assert isinstance(WORKLOAD, Streams)
    assert set(WORKLOAD.handlers.values()) == {"GET /sse", "POST /message"}
    there = WORKLOAD.at("/servers/0f-a_1/sse")
    assert set(there.handlers.values()) == {
        "GET /servers/{server_id}/sse",
        "POST /servers/{server_id}/message",
    }
    assert b"__P(MCP_SSE_ENDPOINT,/servers/0f-a_1/sse)" in render(there)


@pytest.mark.parametrize("text", ["sse", "/", "//sse", "/sse?a=b", "/a,b", "/${x}", "http://h/sse", "/sse\n"])
def test_what_is_no_path_is_refused(text: str) -> None:
    assert isinstance(WORKLOAD, Streams)
    with pytest.raises(InputError, match="is no path: write /servers/ID/sse"):
        WORKLOAD.at(text)
