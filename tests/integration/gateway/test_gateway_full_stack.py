"""The full stack of the machine's own programs, from its start to its end."""

import json
import math
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import jwt
import psutil
import pytest
from full_ports import elsewhere

from pacemark.errors import InputError, SetupError
from pacemark.gateway.connection import DIRECT
from pacemark.gateway.detached import log_files
from pacemark.gateway.full.ports import check_free, chosen_ports
from pacemark.gateway.full.programs import find_programs
from pacemark.gateway.full.spec import LIVE_TARGETS, TOKEN_FILE
from pacemark.gateway.mcp_session import open_session
from pacemark.gateway.openings import try_opening
from pacemark.gateway.preflight import preflight
from pacemark.gateway.spec import free_ports, is_free
from pacemark.gateway.stack import Stack
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.run import execute
from pacemark.jmx.data import write_data
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.live import live_properties
from pacemark.jmx.plan import load_properties, render
from pacemark.telemetry.dashboards import DASHBOARDS, OF_CONTAINERS
from pacemark.telemetry.live import JOB, scraped
from pacemark.telemetry.panels import WINDOW
from pacemark.telemetry.prometheus import Line, Prometheus
from pacemark.telemetry.queries import QUERIES
from pacemark.workloads import WORKLOADS
from pacemark.workloads.load import Load
from pacemark.workloads.sse_streaming_baseline import WORKLOAD as STREAMS
from pacemark.workloads.websocket_baseline import WORKLOAD as CONNECTIONS

pytestmark = [pytest.mark.gateway, pytest.mark.full]
CALL = {"name": "fast-time-get-system-time", "arguments": {"timezone": "UTC"}}


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return elsewhere()


@pytest.fixture(scope="module")
def stack(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.up(tmp_path_factory.mktemp("full") / "stack", full_ports=ports) as running:
        yield running


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {stack.credentials(seconds=600).token}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20) as client:
        yield client


def has_value(lines: list[Line]) -> bool:
    return any(not math.isnan(point.value) for line in lines for point in line.points)


def asked_by_panels() -> list[str]:
    """What the dashboards' panels ask of Prometheus."""
    panels = [panel for dashboard in DASHBOARDS for panel in dashboard.panels if not panel.is_of_logs]
    return [expr.replace(WINDOW, "20s") for panel in panels for expr, _ in panel.asks]


def test_every_query_has_data_under_a_little_load(stack: Stack, http: httpx.Client) -> None:
    upstreams, missing = set(), [query.name for query in QUERIES]
    deadline = time.monotonic() + 60
    with Prometheus(stack.prometheus_url) as prometheus:
        while missing and time.monotonic() < deadline:
            for _ in range(10):
                upstreams.add(http.get("/tools").raise_for_status().headers["X-Upstream"])
            answer = http.post(
                "/rpc", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}
            ).json()
            assert answer["result"]["isError"] is False
            asked = {query.name: prometheus.now(query.over("20s")) for query in QUERIES}
            missing = [name for name, lines in asked.items() if not has_value(lines)]
        assert missing == []
        assert all(target.is_up for target in prometheus.targets()), prometheus.targets()
    assert upstreams == {url.removeprefix("http://") for url in stack.gateway_urls}
    assert len(upstreams) == 3


def test_every_panel_of_the_dashboards_has_data(stack: Stack, http: httpx.Client) -> None:
    """But those of JMeter's own figures, and those that containers alone have."""
    elsewhere = ("jmeter_", *OF_CONTAINERS)
    missing = [one for one in asked_by_panels() if not any(name in one for name in elsewhere)]
    assert len(missing) > 40
    deadline = time.monotonic() + 60
    with Prometheus(stack.prometheus_url) as prometheus:
        while missing and time.monotonic() < deadline:
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL}
            http.post("/rpc", json=call).raise_for_status()
            missing = [expr for expr in missing if not has_value(prometheus.now(expr))]
    assert missing == []


@pytest.mark.jmeter
def test_the_panels_of_jmeters_own_figures_have_data_while_it_works(
    stack: Stack, engine: Engine, tmp_path: Path
) -> None:
    """Those of what failed too: of two users one has a token that is none."""
    workload = WORKLOADS["mcp_jsonrpc_baseline"]
    load = Load(threads=2, ramp_up_s=0, duration_s=30, rate_per_s=8)
    token = stack.credentials(seconds=600)
    found = preflight(stack.url, token, seconds=60, rate_per_s=8, threads=2, needs_mcp=True, out_dir=tmp_path)
    write_data(tmp_path / "data", workload.feeds, found.fixtures)
    (tmp_path / "tokens.csv").write_text(f"token\n{token.token}\nnone\n", encoding="utf-8")
    plan, port = tmp_path / "plan.jmx", free_ports(1)[0]
    plan.write_bytes(render(workload, live=True))
    properties = {
        **JMETER_SETTINGS,
        **load_properties(load),
        **live_properties(port),
        "GATEWAY_URL": stack.url,
        "TOKENS_FILE": str(tmp_path / "tokens.csv"),
    }
    missing = [expr for expr in asked_by_panels() if "jmeter_" in expr]
    assert len(missing) > 10
    with Prometheus(stack.prometheus_url) as prometheus:

        def look(_: object) -> None:
            missing[:] = [expr for expr in missing if not has_value(prometheus.now(expr))]

        with scraped(stack.data_dir / LIVE_TARGETS, port, "127.0.0.1"):
            execute(engine, plan, properties, load, tmp_path, heap_mb=256, on_progress=look)
        assert missing == []
        deadline = time.monotonic() + 20
        while any(target.job == JOB for target in prometheus.targets()) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert not any(target.job == JOB for target in prometheus.targets())


def test_sessions_live_across_the_gateways(stack: Stack, http: httpx.Client) -> None:
    token = {"Authorization": http.headers["Authorization"]}
    for _ in range(4):
        _, session = open_session(http, stack.url, ["/mcp"], token)
        assert "fast-time-get-system-time" in session.tools()
        assert session.call("tools/call", CALL)["content"]
        session.close()


@pytest.mark.parametrize("workload", [STREAMS, CONNECTIONS], ids=lambda one: one.name)
def test_streams_and_connections_go_through_nginx(stack: Stack, workload: object) -> None:
    finding = try_opening(workload, stack.url, stack.credentials(seconds=600), DIRECT)  # type: ignore[arg-type]
    assert finding.level == "ok", finding.detail


def test_a_request_can_be_found_in_the_logs_by_its_correlation_id(stack: Stack, http: httpx.Client) -> None:
    wanted = "pacemark-full-stack-1"
    http.get("/tools", headers={"X-Correlation-ID": wanted}).raise_for_status()
    files = log_files(stack.data_dir)
    assert {"nginx", "postgres", "gateway-1", "gateway-2", "gateway-3"} <= set(files)
    deadline = time.monotonic() + 5
    found: dict[str, list[dict[str, object]]] = {}
    while len(found) < 2 and time.monotonic() < deadline:
        for name, path in files.items():
            lines = [line for line in path.read_text("utf-8").splitlines() if wanted in line]
            if lines:
                found[name] = [json.loads(line) for line in lines]
    assert found["nginx"][0]["correlation_id"] == wanted
    (gateway,) = [lines for name, lines in found.items() if name.startswith("gateway")]
    assert any(line.get("request_path") == "/tools" for line in gateway)


def test_no_secret_is_where_others_can_read_it(stack: Stack) -> None:
    secrets = [*stack.secrets.environment.values()]
    scrape = (stack.data_dir / TOKEN_FILE).read_text(encoding="utf-8")
    environ = psutil.Process(stack.pids["pgbouncer-exporter"]).environ()
    secrets += [scrape, environ["DATABASE_PASSWORD"]]
    for pid in stack.pids.values():
        command = " ".join(psutil.Process(pid).cmdline())
        assert not [secret for secret in secrets if secret in command]
    for path in stack.data_dir.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o077:
            held = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in held], path
    expires = jwt.decode(scrape, options={"verify_signature": False})["exp"]
    assert expires - time.time() > 3 * 86_400
    assert (stack.data_dir / TOKEN_FILE).stat().st_mode & 0o077 == 0


def test_a_gateway_that_dies_is_named_and_the_others_go_on(stack: Stack, http: httpx.Client) -> None:
    os.kill(stack.pids["gateway-3"], signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not stack.failure and time.monotonic() < deadline:
        time.sleep(0.05)
    assert stack.failure.startswith("gateway-3 was killed by signal 9")
    assert [http.get("/tools").status_code for _ in range(12)] == [200] * 12


def test_down_leaves_nothing(stack: Stack, ports: dict[str, int]) -> None:
    """The last test of this stack."""
    spec = json.loads((stack.data_dir / "spec.json").read_text(encoding="utf-8"))
    databases = [Path(folder) for folder in spec["remove_after"]]
    assert [folder.is_dir() for folder in databases] == [True, True]
    processes = []
    for pid in stack.pids.values():
        with suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(pid))
    stack.close()
    assert [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert [folder.exists() for folder in databases] == [False, False]
    check_free(ports)


def test_a_port_that_is_taken_is_named_with_its_holder() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(SetupError, match=rf"{port} \(nginx\) by .*, pid {os.getpid()}"):
            check_free({"nginx": port})


def test_ports_can_be_moved_and_only_those_there_are() -> None:
    assert chosen_ports(["nginx=18080"])["nginx"] == 18080
    for text in ("nginx", "nginx=", "nginx=0", "nginx=70000", "other=80"):
        with pytest.raises(InputError, match="cannot read the port"):
            chosen_ports([text])
    with pytest.raises(InputError, match="gateway and redis both want port 4445"):
        chosen_ports(["redis=4445"])


def test_what_is_missing_is_listed_with_the_one_command(tmp_path: Path) -> None:
    (tmp_path / "nginx").touch(mode=0o755)
    with pytest.raises(SetupError) as refused:
        find_programs(str(tmp_path))
    assert "lacks postgres, initdb, psql, pgbouncer" in refused.value.message
    assert "nginx" not in refused.value.message.replace("prometheus-nginx-exporter", "")
    assert "apt-get install --no-install-recommends postgresql pgbouncer redis-server prometheus" in (
        refused.value.hint
    )
