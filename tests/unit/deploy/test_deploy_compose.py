"""The compose files are what the Compose specification takes, pinned, on loopback, and without a secret."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pacemark import __version__
from pacemark.gateway.environment import PACKAGE
from pacemark.gateway.full.containers import PERFORMANCE_GATEWAYS
from pacemark.gateway.full.files import CONNECTIONS_A_GATEWAY
from pacemark.gateway.full.ports import GATEWAYS
from pacemark.gateway.full.tasks import DOORS, write_secrets
from pacemark.telemetry.queries import QUERIES

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy" / "compose"
SCHEMA = json.loads((Path(__file__).parent / "compose-spec" / "compose-spec.json").read_text("utf-8"))
FILES = [ROOT / "compose.yaml", COMPOSE / "compose.yaml", COMPOSE / "performance.yaml"]


def read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


STACK = read(COMPOSE / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
PERFORMANCE: dict[str, dict[str, Any]] = read(COMPOSE / "performance.yaml")["services"]
ALL = [*SERVICES.items(), *PERFORMANCE.items()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_specification_takes_each_file(path: Path) -> None:
    jsonschema.validate(read(path), SCHEMA)


def test_the_specification_refuses_what_it_does_not_know() -> None:
    wrong = copy.deepcopy(STACK)
    wrong["services"]["nginx"]["port"] = ["80"]
    with pytest.raises(jsonschema.ValidationError, match="port"):
        jsonschema.validate(wrong, SCHEMA)


def test_every_image_has_a_version() -> None:
    images = [service["image"] for _, service in ALL if "image" in service]
    assert len(images) > 20
    for image in images:
        assert re.search(r":v?\d+\.\d+\.?\S*$|@sha256:[0-9a-f]{64}$", image), image
        assert "latest" not in image


@pytest.mark.parametrize("path", ["Containerfile", "deploy/compose/gateway.Containerfile"])
def test_what_is_built_begins_with_an_image_of_one_digest(path: str) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    first = [line for line in lines if line.startswith("FROM ")]
    assert len(first) == 2
    for line in first:
        assert re.search(r":\d+\.\d+\.\d+-\S+@sha256:[0-9a-f]{64}( AS build)?$", line), line


def test_the_images_that_are_built_have_the_versions_of_what_is_in_them() -> None:
    lock = (ROOT / "src/pacemark/gateway/gateway-requirements.txt").read_text(encoding="utf-8")
    version = re.search(rf"^{PACKAGE}==(\S+)", lock, re.MULTILINE)
    assert version is not None
    assert SERVICES["gateway"]["image"] == f"pacemark-gateway:{version[1]}"
    assert SERVICES["benchmark"]["image"] == f"pacemark:{__version__}"


def test_every_port_is_loopbacks_unless_told() -> None:
    ports = [port for _, service in ALL for port in service.get("ports", [])]
    assert all(port.startswith("${BIND:-127.0.0.1}:") for port in ports)


def test_the_ports_are_the_requests() -> None:
    text = " ".join(port for service in SERVICES.values() for port in service.get("ports", []))
    asked = {8080, 6432, 5433, 6379, 9090, 3000, 8081, 9187, 9121, 9127, 9113, 8888, 8880}
    assert asked <= {int(port) for port in re.findall(r":-(\d+)\}", text)}
    assert "9000-9099:9000-9099" in text


def test_the_doors_of_the_status_are_among_them() -> None:
    text = " ".join(port for service in SERVICES.values() for port in service.get("ports", []))
    for door in DOORS.values():
        assert f"${{{door.port_variable}:-{door.port}}}:" in text


def test_what_runs_by_profile() -> None:
    found: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for profile in service.get("profiles", ["always"]):
            found.setdefault(profile, set()).add(name)
    assert found["always"] == {"nginx", "gateway", "tables", "pgbouncer", "postgres", "redis"}
    assert found["servers"] == {"fast_time", "fast_test", "register"}
    assert found["benchmark"] == {"benchmark", "register-benchmark"}
    exporters = {f"{one}-exporter" for one in ("postgres", "redis", "pgbouncer", "nginx")}
    monitoring = {"prometheus", "scrape-token", "grafana", "loki", "promtail", "cadvisor"}
    assert found["monitoring"] == monitoring | exporters
    assert found["alloy"] == {"alloy", "loki"}


def test_every_secret_comes_from_the_file_that_is_written(tmp_path: Path) -> None:
    write_secrets(tmp_path / "env")
    written = {line.partition("=")[0] for line in (tmp_path / "env").read_text("utf-8").splitlines()}
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    needed = {name for text in texts for name in re.findall(r"\$\{(\w+):\?", text)}
    assert needed == written
    secret = re.compile(r"^\s*\w*(PASSWORD|SECRET|SECRET_KEY|PASS):\s*(?!\$\{)\S", re.MULTILINE)
    assert not [secret.findall(text) for text in texts if secret.search(text)]


def test_gateways_have_figures_and_pools_of_their_own() -> None:
    settings = (COMPOSE / "gateway.env").read_text(encoding="utf-8")
    assert "PROMETHEUS_MULTIPROC_DIR" not in settings + str(SERVICES["gateway"])
    assert "--workers" not in (COMPOSE / "gateway.Containerfile").read_text(encoding="utf-8")
    for gateways, file in ((GATEWAYS, "pgbouncer.ini"), (PERFORMANCE_GATEWAYS, "pgbouncer-performance.ini")):
        pool = re.search(r"^default_pool_size = (\d+)$", (COMPOSE / file).read_text("utf-8"), re.MULTILINE)
        assert pool is not None
        in_use = next(query.limit for query in QUERIES if query.name == "pool_use")
        assert in_use is not None
        assert 100 * gateways * sum(CONNECTIONS_A_GATEWAY) / int(pool[1]) < in_use.value
    assert SERVICES["gateway"]["deploy"]["replicas"] == GATEWAYS
    assert PERFORMANCE["gateway"]["deploy"]["replicas"] == PERFORMANCE_GATEWAYS
    assert "pgbouncer-performance.ini" in PERFORMANCE["pgbouncer"]["volumes"][0]


def test_tables_are_made_once_straight_in_postgresql() -> None:
    assert "@postgres:5432/" in SERVICES["tables"]["environment"]["DATABASE_URL"]
    assert "@pgbouncer:6432/" in SERVICES["gateway"]["environment"]["DATABASE_URL"]
    assert SERVICES["gateway"]["depends_on"]["tables"]["condition"] == "service_completed_successfully"


def test_a_replica_can_keep_up_with_the_first() -> None:
    """PostgreSQL does not start a replica that allows for less than its first."""
    first, script = PERFORMANCE["postgres"]["command"], PERFORMANCE["postgres-replica"]["entrypoint"][-1]
    for setting in ("max_connections", "shared_buffers"):
        (given,) = [option for option in first if option.startswith(f"--{setting}=")]
        assert given in script
    kept = [option for option in SERVICES["postgres"]["command"] if "max_connections" not in option]
    assert set(kept) <= set(first)


def test_every_file_that_is_mounted_is_there() -> None:
    sources = {volume.split(":")[0] for _, service in ALL for volume in service.get("volumes", [])}
    files = {source for source in sources if source.startswith(".")}
    assert files
    for source in files:
        assert (COMPOSE / source).exists(), source


# cAdvisor asks containerd as root; what has no image only changes another's settings.
CONFINED = [(name, service) for name, service in ALL if "image" in service and name != "cadvisor"]


@pytest.mark.parametrize(("name", "service"), CONFINED, ids=[name for name, _ in CONFINED])
def test_nothing_gets_more_rights_than_it_needs(name: str, service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert ("cap_add" in service) == (name == "postgres")
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


@pytest.mark.parametrize(
    ("target", "files", "asked"),
    [
        ("monitoring-up", ["compose.yaml"], "up --detach --build"),
        ("monitoring-up LOGS=alloy", ["compose.yaml"], "up --detach --build --scale promtail=0"),
        ("monitoring-status", ["compose.yaml"], "ps --all"),
        ("monitoring-down", ["compose.yaml", "performance.yaml"], "down --remove-orphans"),
        ("performance-up", ["compose.yaml", "performance.yaml"], "up --detach --build"),
        (
            "performance-down VOLUMES=1",
            ["compose.yaml", "performance.yaml"],
            "down --remove-orphans --volumes",
        ),
    ],
)
def test_a_make_target_asks_compose_for_files_and_profiles_that_there_are(
    target: str, files: list[str], asked: str
) -> None:
    command = ["make", "--dry-run", "--no-print-directory", "COMPOSE=compose", *target.split()]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [" ".join(one.split()) for one in told.splitlines() if one.startswith("compose ")]
    assert re.findall(r"--file (\S+)", line) == [f"deploy/compose/{file}" for file in files]
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    named = set(re.findall(r"--profile (\S+)", line))
    assert named <= {*profiles, "'*'"}
    assert named >= {"monitoring", "servers"} or "'*'" in named
    assert line.endswith(asked)
