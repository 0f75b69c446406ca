from pathlib import Path

import pytest
from lxml import etree

from pacemark.jmx.data import rows
from pacemark.jmx.files import out_of_step, properties, write_plans
from pacemark.jmx.plan import render
from pacemark.workloads import WORKLOADS
from pacemark.workloads.fixtures import EMBEDDED
from pacemark.workloads.model import Mix, Workload

COMMITTED = Path(__file__).parents[2] / "jmeter"
ALL = pytest.mark.parametrize("one", WORKLOADS.values(), ids=WORKLOADS)
MIXES = {name: one for name, one in WORKLOADS.items() if isinstance(one, Mix)}
EVERY_MIX = pytest.mark.parametrize("one", MIXES.values(), ids=MIXES)


def test_the_committed_plans_are_what_the_workloads_say() -> None:
    assert out_of_step(COMMITTED) == []


def test_a_plan_out_of_step_missing_or_of_no_workload_is_named(tmp_path: Path) -> None:
    write_plans(tmp_path)
    (tmp_path / "data" / "timezones.csv").write_text("timezone\nUTC\n")
    (tmp_path / "rest_api_baseline.jmx").unlink()
    (tmp_path / "old.jmx").touch()
    assert out_of_step(tmp_path) == [
        f"{tmp_path}/data/timezones.csv differs from its workload",
        f"{tmp_path}/rest_api_baseline.jmx is missing",
        f"{tmp_path}/old.jmx belongs to no workload",
    ]


@EVERY_MIX
def test_every_request_has_its_sampler_and_its_check(one: Mix) -> None:
    plan = etree.fromstring(render(one))
    samplers = plan.findall(".//HTTPSamplerProxy")
    assert [sampler.get("testname") for sampler in samplers] == list(one.labels)
    for sampler, request in zip(samplers, one.requests, strict=True):
        below = sampler.getnext()
        assert below is not None
        assert below.findtext("JSONPathAssertion/stringProp[@name='JSON_PATH']") == request.check.path
        assert sampler.findtext("stringProp[@name='HTTPSampler.method']") == request.method


@EVERY_MIX
def test_the_mix_adds_up_and_names_samplers(one: Mix) -> None:
    plan = etree.fromstring(render(one))
    mix = plan.findtext(".//elementProp[@name='MIX']/stringProp[@name='Argument.value']")
    assert mix is not None
    shares = dict(reversed(part.strip().split("% ")) for part in mix.split(";"))
    assert list(shares) == list(one.labels)
    assert sum(float(share) for share in shares.values()) == 100


@ALL
def test_a_plan_holds_no_secret_and_no_absolute_path(one: Workload) -> None:
    text = render(one).decode()
    if one.signs_in:
        assert "${TOKEN}" not in text
        assert "${__P(ADMIN_PASSWORD,)}" in text
    else:
        assert "${__P(TOKEN,)}" in text
        # Set from the variable, by a Header Manager or by a script of ours.
        assert "Bearer ${TOKEN}" in text or "vars.get('TOKEN')" in text
    assert str(Path.home()) not in text


def test_data_rows_are_csv_with_the_plans_variables() -> None:
    names = rows("tool_names", EMBEDDED)
    assert names[0] == ["tool_name", "tool_arguments"]
    assert ["fast-test-echo", '{"message":"${message}"}'] in names


def test_a_properties_file_sets_each_plan_by_its_own_name() -> None:
    text = properties("full", WORKLOADS.values())
    assert "rest_api_baseline.THREADS=100\n" in text
    assert "mcp_jsonrpc_baseline.DURATION=900\n" in text
    assert "sample_variables=late_ms,trace_id,waited\n" in text
