"""What is generated in deploy/ is what the code says; what is written twice by hand says the same twice."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
DEPLOYED: dict[str, str] = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["deployed"]()


@pytest.mark.parametrize("path", DEPLOYED)
def test_a_committed_file_is_the_codes(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == DEPLOYED[path], f"{path}: run make reference"


def test_no_dashboard_or_rule_file_is_left_over() -> None:
    found = {*(DEPLOY / "grafana" / "dashboards").iterdir(), *(DEPLOY / "prometheus" / "rules").iterdir()}
    assert {str(path.relative_to(ROOT)) for path in found} <= set(DEPLOYED)


def labels_of_promtail() -> dict[str, tuple[str, str]]:
    config = yaml.safe_load((DEPLOY / "promtail" / "promtail.yaml").read_text(encoding="utf-8"))
    (scrape,) = config["scrape_configs"]
    return {
        rule["target_label"]: (rule["source_labels"][0], rule.get("regex", ""))
        for rule in scrape["relabel_configs"]
    }


def test_alloy_gives_the_labels_that_promtail_gives() -> None:
    text = (DEPLOY / "alloy" / "config.alloy").read_text(encoding="utf-8")
    rules = re.findall(r"\trule \{\n(.*?)\n\t\}", text, re.DOTALL)
    fields: list[dict[str, Any]] = [dict(re.findall(r'(\w+)\s+= \[?"([^"]*)"', rule)) for rule in rules]
    alloys = {one["target_label"]: (one["source_labels"], one.get("regex", "")) for one in fields}
    assert alloys == labels_of_promtail()
    assert set(alloys) == {"job", "container", "stream"}


def test_both_read_the_projects_containers_and_the_gateways_level() -> None:
    promtail = yaml.safe_load((DEPLOY / "promtail" / "promtail.yaml").read_text(encoding="utf-8"))
    alloy = (DEPLOY / "alloy" / "config.alloy").read_text(encoding="utf-8")
    (scrape,) = promtail["scrape_configs"]
    project = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))["name"]
    (chosen,) = scrape["docker_sd_configs"][0]["filters"][0]["values"]
    assert chosen == f"com.docker.compose.project={project}"
    assert f'["{chosen}"]' in alloy
    (stage,) = scrape["pipeline_stages"]
    assert stage["match"]["selector"] == '{job="gateway"}'
    assert stage["match"]["stages"][0]["json"]["expressions"] == {"level": "levelname"}
    assert 'selector = "{job=\\"gateway\\"}"' in alloy
    assert 'expressions = {level = "levelname"}' in alloy


def test_grafana_asks_where_the_services_are() -> None:
    sources = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/pacemark.yaml").read_text(encoding="utf-8")
    )["datasources"]
    loki = yaml.safe_load((DEPLOY / "loki" / "loki.yaml").read_text(encoding="utf-8"))
    prometheus = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    urls = {source["uid"]: source["url"] for source in sources}
    assert urls == {
        "prometheus": "http://prometheus:9090",
        "loki": f"http://loki:{loki['server']['http_listen_port']}",
    }
    (interval,) = [source["jsonData"]["timeInterval"] for source in sources if source["uid"] == "prometheus"]
    assert interval == prometheus["global"]["scrape_interval"]
