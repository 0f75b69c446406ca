"""The documentation says what the code says."""

import os
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from pacemark.cli import helps
from pacemark.errors import Exit
from pacemark.report.reference import commands_page, telemetry_page, workloads_page
from pacemark.settings import File, ForWorkload, Tool
from pacemark.telemetry.queries import QUERIES
from pacemark.workloads import WORKLOADS
from pacemark.workloads.objective import Metric, Objective

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_reference_pages_are_the_codes() -> None:
    assert read("docs/reference/commands.md") == commands_page(helps())
    assert read("docs/reference/workloads.md") == workloads_page(WORKLOADS.values())
    assert read("docs/reference/telemetry.md") == telemetry_page(QUERIES)


@pytest.mark.parametrize("name", ["stress_test", "spike_test"])
def test_the_phases_of_a_load_that_has_some_are_told(name: str) -> None:
    page = workloads_page([WORKLOADS[name]])
    told = re.findall(r"^\| (.+?) \| ([\d,]+) \| ([\d,]+) \| .+ \|$", page.partition("The phases")[2], re.M)
    held = [stage for stage in WORKLOADS[name].scales["full"].stages if stage.is_hold]
    assert told == [(one.name, f"{one.to_per_s:,.0f}", f"{one.threads:,}") for one in held]


def test_the_example_of_pacemark_toml_can_be_read_and_names_every_key() -> None:
    example = re.search(r"```toml\n(.*?)```", read("docs/settings.md"), re.DOTALL)
    assert example is not None
    values = tomllib.loads(example[1])
    file = File.model_validate(values)
    assert set(values) == set(File.model_fields)
    assert set(values["workloads"]["rest_api_baseline"]) == set(ForWorkload.model_fields)
    assert set(values["tools"][0]) == set(Tool.model_fields)
    for text in file.for_workload("rest_api_baseline").objectives:
        Objective.parse(text)


def test_every_metric_of_an_objective_is_documented() -> None:
    documented = set(re.findall(r"`([a-z0-9_]+)`", read("docs/settings.md")))
    assert set(get_args(Metric)) - documented == set()


def test_every_environment_variable_is_documented() -> None:
    used = set()
    for path in (ROOT / "src").rglob("*.py"):
        used |= set(re.findall(r"environ(?:\.get\(|\[)\s*\"([A-Z_]+)\"", path.read_text(encoding="utf-8")))
    documented = set(re.findall(r"`([A-Z_]{4,})`", read("docs/settings.md")))
    assert used - documented - {"PATH", "HEAP", "JVM_ARGS", "JMETER_OPTS"} == set()


def test_the_readme_tells_every_exit_status() -> None:
    table = dict(re.findall(r"^\| (\d) \| (.*) \|$", read("README.md"), re.MULTILINE))
    assert {int(status) for status in table} == {int(status) for status in Exit}


@pytest.mark.parametrize(
    "page", ["README.md", "deploy/README.md", *(str(p.relative_to(ROOT)) for p in sorted(DOCS.rglob("*.md")))]
)
def test_no_link_leads_nowhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)", read(page)):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {os.fspath(target)}"


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    for page in ("README.md", "docs/developing.md", "deploy/README.md"):
        assert set(re.findall(r"`?make ([a-z]+(?:-[a-z]+)*)", read(page))) - {"me"} <= targets
