"""The Containerfiles are linted; what is for Kubernetes is what its API takes and what the code says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pacemark import __version__
from pacemark.jmeter.workers.address import ENGINE_PORTS, PORT, addresses
from pacemark.workloads import WORKLOADS

ROOT = Path(__file__).parents[3]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OBJECTS: list[dict[str, Any]] = [
    each for file in sorted(KUBERNETES.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())
]
PORTS = list(range(PORT, PORT + ENGINE_PORTS + 1))


def named(kind: str) -> dict[str, Any]:
    (found,) = [each for each in OBJECTS if each["kind"] == kind]
    return found


def container(kind: str) -> dict[str, Any]:
    (found,) = named(kind)["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("file", ["Containerfile", "deploy/compose/gateway.Containerfile"])
def test_a_containerfile_has_no_finding_of_hadolint(file: str) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    hadolint = shutil.which("hadolint", path=path)
    assert hadolint is not None
    command = [hadolint, "--no-color", str(ROOT / file)]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("thing", OBJECTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
@pytest.mark.parametrize("version", ["1.29", "1.33"])
def test_kubernetes_api_takes_each_object(thing: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(thing, version, strict=True)


def test_the_schema_refuses_what_the_api_does_not_know() -> None:
    wrong = {**named("Job"), "spec": {**named("Job")["spec"], "backofLimit": 0}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.33", strict=True)


def test_the_ports_are_the_workers() -> None:
    exposed = re.search(r"^EXPOSE (.*)$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    assert exposed is not None
    assert [int(port) for port in exposed[1].split()] == PORTS
    assert [port["port"] for port in named("Service")["spec"]["ports"]] == PORTS
    assert [port["containerPort"] for port in container("StatefulSet")["ports"]] == PORTS


def test_the_controller_names_every_worker_and_a_workload() -> None:
    workers = named("StatefulSet")
    name, replicas = workers["metadata"]["name"], workers["spec"]["replicas"]
    service = named("Service")["metadata"]["name"]
    assert workers["spec"]["serviceName"] == service
    (option,) = [arg for arg in container("Job")["args"] if arg.startswith("--workers=")]
    hosts = [address.host for address in addresses(option.removeprefix("--workers="))]
    assert hosts == [f"{name}-{number}.{service}" for number in range(replicas)]
    assert container("Job")["args"][1] in WORKLOADS


@pytest.mark.parametrize("kind", ["Job", "StatefulSet"])
def test_nothing_runs_as_root_or_writes_into_its_image(kind: str) -> None:
    pod, one = named(kind)["spec"]["template"]["spec"], container(kind)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    assert one["securityContext"]["allowPrivilegeEscalation"] is False
    assert one["resources"]["requests"] == one["resources"]["limits"]
    assert one["image"] == f"pacemark:{__version__}"
    # Not for everybody to read, which Pacemark refuses.
    assert all(each["secret"]["defaultMode"] == 0o440 for each in pod["volumes"] if "secret" in each)
