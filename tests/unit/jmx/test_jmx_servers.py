"""The test servers' plan: each request has its checks, and says what it needs."""

import re

from lxml import etree

from pacemark.jmx.plan import render
from pacemark.workloads import workload
from pacemark.workloads.servers import Servers, ToolCall

ONE = workload("mcp_test_servers_baseline")
assert isinstance(ONE, Servers)


def variables(plan: etree._Element) -> dict[str, str]:
    return {
        str(one.findtext("stringProp[@name='Argument.name']")): str(
            one.findtext("stringProp[@name='Argument.value']") or ""
        )
        for one in plan.iterfind(".//TestPlan//elementProp[@elementType='Argument']")
    }


def test_every_label_has_one_sampler_with_assertions() -> None:
    plan = etree.fromstring(render(ONE))
    samplers = plan.findall(".//HTTPSamplerProxy")
    assert [str(sampler.get("testname")) for sampler in samplers] == _in_plan_order(ONE)
    for sampler in samplers:
        below = sampler.getnext()
        assert below is not None
        assert below.findall("ResponseAssertion")
        assert below.findall("HeaderManager")


def _in_plan_order(one: Servers) -> list[str]:
    return list(one.labels)


def test_the_mix_names_what_each_request_needs() -> None:
    found = variables(etree.fromstring(render(ONE)))
    parts = [re.fullmatch(r"([\d.]+)% (.+) \[(.+)\]", part.strip()) for part in found["MIX"].split(";")]
    assert all(parts)
    needs = {part[2]: part[3] for part in parts if part}
    assert list(needs) == [request.label for request in ONE.requests]
    assert needs["fast_time GET time"] == "FAST_TIME_URL, FAST_TIME_TIME"
    assert needs["gateway fast_test echo"] == "TOKEN, GATEWAY_URL, FAST_TEST_URL"
    # Whatever is needed is a variable of the plan, and a server's URL is empty unless given.
    assert {name.strip() for line in needs.values() for name in line.split(",")} <= set(found)
    assert found["BENCHMARK_URL"] == "${__P(BENCHMARK_URL,)}"


def test_the_token_is_for_the_gateway_only() -> None:
    plan = etree.fromstring(render(ONE))
    for sampler in plan.iterfind(".//HTTPSamplerProxy"):
        below = sampler.getnext()
        assert below is not None
        token = "Bearer ${TOKEN}" in etree.tostring(below, encoding="unicode")
        assert token == str(sampler.get("testname")).startswith("gateway ")


def test_narrowed_it_has_only_what_is_offered_and_its_servers() -> None:
    few = ONE.only({"fast_test echo", "fast_test GET health", "gateway fast_test echo"})
    assert [server.name for server in few.servers] == ["fast_test", "gateway"]
    assert [pair.tool for pair in few.pairs] == ["fast_test echo"]
    direct = ONE.only({"fast_test echo"})
    assert direct.labels == ("fast_test initialize", "fast_test notifications/initialized", "fast_test echo")
    assert direct.pairs == ()
    assert direct.handlers == {}
    assert "gateway" not in variables(etree.fromstring(render(direct)))["SERVERS"]


def test_a_pair_is_the_same_call_but_for_the_name() -> None:
    calls = {request.label: request for request in ONE.requests if isinstance(request, ToolCall)}
    shares = set()
    for pair in ONE.pairs:
        direct, gateway = calls[pair.direct], calls[pair.gateway]
        assert (direct.arguments, direct.holds) == (gateway.arguments, gateway.holds)
        shares.add(direct.weight / gateway.weight)
    # Pooled, both sides have the same proportions.
    assert len(shares) == 1
