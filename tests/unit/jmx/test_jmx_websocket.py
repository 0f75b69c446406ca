"""The plan of a workload whose threads are connections."""

import re

from lxml import etree

from pacemark.jmx.pacing import NEXT, script
from pacemark.jmx.plan import render
from pacemark.workloads.connections import CLOSE, CONNECTION_LIFETIME, HANDSHAKE
from pacemark.workloads.websocket_baseline import WORKLOAD

PLAN = etree.fromstring(render(WORKLOAD))
KIND = "eu.luminis.jmeter.wssampler."


def named(kind: str) -> list[str]:
    return [str(one.get("testname")) for one in PLAN.iter(f"{KIND}{kind}")]


def test_the_script_s_names_are_children_of_the_switch() -> None:
    text = script("connections")
    said = re.search(r"CLOSE = '(.*)', ENDED = '(.*)', END = '(.*)'", text)
    assert said is not None
    assert said.groups() == (CLOSE, CONNECTION_LIFETIME, "default")
    switch = PLAN.find(".//SwitchController")
    assert switch is not None
    assert switch.findtext("stringProp") == NEXT
    below = switch.getnext()
    assert below is not None
    names = {one.get("testname") for one in below if one.tag != "hashTree"}
    assert names >= {*said.groups(), "ws", "wss", *WORKLOAD.message_labels}


def test_every_message_has_its_sampler_and_one_check() -> None:
    assert named("RequestResponseWebSocketSampler") == list(WORKLOAD.message_labels)
    assert named("OpenWebSocketSampler") == [HANDSHAKE, HANDSHAKE]
    for sampler, message in zip(
        PLAN.iter(f"{KIND}RequestResponseWebSocketSampler"), WORKLOAD.messages, strict=True
    ):
        assert sampler.findtext("boolProp[@name='createNewConnection']") == "false"
        assert sampler.findtext("stringProp[@name='requestData']") == message.body
        below = sampler.getnext()
        assert below is not None
        paths = [one.text for one in below.findall("JSONPathAssertion/stringProp[@name='JSON_PATH']")]
        assert paths == [message.check.path]


def test_nothing_stands_above_a_message_that_it_would_take_in_each_time() -> None:
    assert PLAN.find(".//ConfigTestElement") is None
    for manager in PLAN.iter("HeaderManager"):
        holder = manager.getparent()
        assert holder is not None
        sampler = holder.getprevious()
        assert sampler is not None
        assert sampler.get("testname") == HANDSHAKE
