"""The native stack's rules, as Prometheus's own tool evaluates them; those in deploy/ have tests there."""

import json
import subprocess
from pathlib import Path

import pytest

from pacemark.telemetry.rules import native_rules

pytestmark = pytest.mark.prometheus

_TEST = """
rule_files: [rules.yml]
evaluation_interval: 5s
tests:
  - interval: 5s
    input_series:
      # 0.2 + 0.1 cores of two gateways in one group, 0.5 of PostgreSQL.
      - {series: 'namedprocess_namegroup_cpu_seconds_total{groupname="gateway",mode="user"}', values: '0+1x60'}
      - {series: 'namedprocess_namegroup_cpu_seconds_total{groupname="gateway",mode="system"}', values: '0+0.5x60'}
      - {series: 'namedprocess_namegroup_cpu_seconds_total{groupname="postgres",mode="user"}', values: '0+2.5x60'}
      - {series: 'namedprocess_namegroup_memory_bytes{groupname="gateway",memtype="proportionalResident"}', values: '3e8x60'}
      - {series: 'namedprocess_namegroup_memory_bytes{groupname="gateway",memtype="resident"}', values: '9e8x60'}
    promql_expr_test:
      - {expr: 'round(pacemark:cpu_cores:used, 0.001)', eval_time: 2m, exp_samples: [
          {labels: '{service="gateway"}', value: 0.3}, {labels: '{service="postgres"}', value: 0.5}]}
      - {expr: pacemark:cpu_cores:all, eval_time: 2m, exp_samples: [{labels: pacemark:cpu_cores:all, value: 4}]}
      - {expr: pacemark:memory_bytes:used, eval_time: 2m, exp_samples: [
          {labels: 'pacemark:memory_bytes:used{service="gateway"}', value: 3e8}]}
      - {expr: pacemark:memory_bytes:all, eval_time: 2m, exp_samples: [
          {labels: pacemark:memory_bytes:all, value: 8e9}]}
"""  # noqa: E501 a series is one line


def evaluated(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yml").write_text(json.dumps(native_rules(4, 8_000_000_000)), encoding="utf-8")
    (folder / "test.yml").write_text(test, encoding="utf-8")
    command = ["promtool", "test", "rules", str(folder / "test.yml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_process_exporter_gives_cores_and_memory_by_service(tmp_path: Path) -> None:
    told = evaluated(tmp_path, _TEST)
    assert (told.returncode, told.stderr) == (0, "")


def test_another_figure_would_be_seen(tmp_path: Path) -> None:
    assert evaluated(tmp_path, _TEST.replace("value: 0.3", "value: 0.2")).returncode == 1
