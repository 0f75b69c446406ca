"""Prometheus's own tool on configuration, rules, the rules' tests, and every panel's PromQL."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pacemark.telemetry.dashboards import DASHBOARDS, OF_CONTAINERS
from pacemark.telemetry.panels import WINDOW
from pacemark.telemetry.rules import alert_rules

pytestmark = pytest.mark.prometheus

PROMETHEUS = Path(__file__).parents[3] / "deploy" / "prometheus"
ALERTS: list[dict[str, Any]] = alert_rules()["groups"][0]["rules"]


def promtool(*given: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["promtool", *map(str, given)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prometheus_takes_the_configuration() -> None:
    told = promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml")
    assert told.returncode == 0, told.stderr


def test_prometheus_takes_the_rules() -> None:
    told = promtool("check", "rules", "--lint-fatal", *sorted((PROMETHEUS / "rules").glob("*.yml")))
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_rules_do_what_their_tests_say() -> None:
    told = promtool("test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yml")))
    assert (told.returncode, told.stderr) == (0, "")


def test_what_only_containers_answer_has_a_test() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "services.yml").read_text(encoding="utf-8"))["tests"]
    tested = {one["expr"] for test in tests for one in test["promql_expr_test"] if one["exp_samples"]}
    asked = {expr for dashboard in DASHBOARDS for panel in dashboard.panels for expr, _ in panel.asks}
    assert set(OF_CONTAINERS) <= tested & asked


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    tests = yaml.safe_load((PROMETHEUS / "tests" / "alerts.yml").read_text(encoding="utf-8"))["tests"]
    fired = {
        one["alertname"] for test in tests for one in test.get("alert_rule_test", []) if one["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("wrong", ["vector(1)", "vector(1) > 2"], ids=["fires always", "fires never"])
def test_the_tests_see_each_alert_that_is_wrong(wrong: str, tmp_path: Path) -> None:
    for folder in ("rules", "tests"):
        shutil.copytree(PROMETHEUS / folder, tmp_path / folder)
    rules = [{**rule, "expr": wrong} for rule in ALERTS]
    groups = {"groups": [{"name": "pacemark", "rules": rules}]}
    (tmp_path / "rules" / "alerts.yml").write_text(json.dumps(groups), encoding="utf-8")
    told = promtool("test", "rules", tmp_path / "tests" / "alerts.yml")
    # Of a test of one alert, and of that in which none may fire.
    named = set(re.findall(r'alertname(?:: |=")(\w+)', told.stderr))
    assert named == {rule["alert"] for rule in ALERTS}


def test_every_panels_promql_can_be_parsed(tmp_path: Path) -> None:
    asked = {
        expr.replace(WINDOW, "20s")
        for dashboard in DASHBOARDS
        for panel in dashboard.panels
        if not panel.is_of_logs
        for expr, _ in panel.asks
    }
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(sorted(asked))]
    (tmp_path / "panels.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    told = promtool("check", "rules", tmp_path / "panels.json")
    assert told.returncode == 0, told.stderr
    assert f"{len(asked)} rules found" in told.stdout
