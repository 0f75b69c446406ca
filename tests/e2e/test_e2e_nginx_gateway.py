"""The real gateway behind a real nginx: a private CA, client certificates, a base path; every protocol."""

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from e2e_command import Ended, Pacemark
from nginx_front import DOORS, Fronts, nginx_before

from pacemark.asked import Asked
from pacemark.gateway.connection import UNVERIFIED, Connection
from pacemark.gateway.spec import free_ports
from pacemark.gateway.stack import Stack
from pacemark.jmeter.engine import Engine
from pacemark.results.digest import Digest
from pacemark.run import run
from pacemark.workloads import workload
from pacemark.workloads.connections import CONNECTION_LIFETIME, HANDSHAKE
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective
from pacemark.workloads.streams import ROUND_TRIP

pytestmark = [pytest.mark.nginx, pytest.mark.gateway, pytest.mark.patient]

BASE = "/team/gateway"
REST, UI = "rest_api_baseline", "admin_ui_baseline"
SSE, WS = "sse_streaming_baseline", "websocket_baseline"
USERS = 3
LOAD = ("--scale", "smoke", "--threads", str(USERS), "--ramp-up", "0", "--duration", "6s", "--no-dashboard")


@dataclass(frozen=True)
class Behind:
    """The gateway, told where its users see it, and nginx in front of it."""

    stack: Stack
    fronts: Fronts

    def pacemark(self, folder: Path) -> Pacemark:
        return Pacemark(
            folder,
            MCPGATEWAY_BEARER_TOKEN=self.stack.credentials(seconds=600).token,
            PLATFORM_ADMIN_EMAIL=self.stack.admin_email,
            PLATFORM_ADMIN_PASSWORD=self.stack.secrets.admin_password,
        )


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    ports = free_ports(len(DOORS))
    told = {
        "APP_ROOT_PATH": BASE,
        "APP_DOMAIN": f"https://127.0.0.1:{ports[DOORS.index('client')]}",
        "SECURE_COOKIES": "true",
    }
    folder = tmp_path_factory.mktemp("nginx")
    with (
        Stack.up(extra_env=told) as stack,
        nginx_before(stack.url, folder, base=BASE, ports=ports) as fronts,
    ):
        yield Behind(stack, fronts)


@pytest.fixture(scope="module")
def every_protocol(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One command over every protocol, at the door that asks for a certificate of the private CA too."""
    pacemark = behind.pacemark(tmp_path_factory.mktemp("every"))
    fronts = behind.fronts
    secure = ("--ca-file", fronts.ca_file, "--cert", fronts.cert, "--key", fronts.key)
    command = ("run", REST, SSE, WS, UI, "--gateway", fronts.client, *secure, "--json")
    return pacemark(*command, *LOAD, seconds=900)


@pytest.mark.jmeter
@pytest.mark.parametrize("name", [REST, SSE, WS, UI])
def test_every_protocol_by_a_private_ca_and_a_client_certificate_below_a_base_path(
    every_protocol: Ended, name: str
) -> None:
    (record,) = (one for one in every_protocol.json["runs"] if one["workload"] == name)
    assert record["recorded"]["count"] > 0, record["reasons"]
    assert record["recorded"]["errors"] == 0
    assert not [one["text"] for one in record["reasons"] if "certificate" in one["text"]]
    digest = Digest.of(every_protocol.folder / record["directory"])
    # What the gateway counts agrees to a request: nothing was answered by nginx in its place.
    counted = record["gateway"]["counted"]
    assert {key for key, (theirs, ours) in counted.items() if theirs != ours} == set()
    if name == REST:
        assert sum(ours for _, ours in counted.values()) == digest.count
    elif name == SSE:
        assert ROUND_TRIP in digest.labels
    elif name == WS:
        assert {HANDSHAKE, CONNECTION_LIFETIME} < set(digest.labels)
    else:
        (section,) = (one for one in record["sections"] if one["title"] == "Journeys")
        assert section["summary"].startswith(f"{USERS} of {USERS} users signed in, {USERS} signed out; ")


def test_what_the_gateway_says_of_itself_below_its_base_path(behind: Behind) -> None:
    """The ground that the checks stand on: a later gateway that says otherwise shows here first."""
    stack, url = behind.stack, behind.fronts.good
    trusted = ssl.create_default_context(cafile=behind.fronts.ca_file)
    bearer = {"Authorization": f"Bearer {stack.credentials(seconds=60).token}"}
    who = {"email": stack.admin_email, "password": stack.secrets.admin_password}
    with httpx.Client(verify=trusted, trust_env=False, headers={"Referer": f"{url}/admin/"}) as http:
        with http.stream("GET", f"{url}/sse", headers=bearer) as stream:
            endpoint = next(line for line in stream.iter_lines() if line.startswith("data:"))
        http.get(f"{url}/admin/login")
        login = http.post(f"{url}/admin/login", data=who)
        page = http.get(f"{url}/admin/")
        left = http.post(
            f"{url}/admin/logout", headers={"X-CSRF-Token": http.cookies["mcpgateway_csrf_token"]}
        )
        turned_away = http.get(f"{url}/admin/tools/partial?page=1", headers={"HX-Request": "true"})
    assert endpoint.startswith(f"data: {url}/message?session_id=")
    assert (login.status_code, login.headers["Location"]) == (303, f"{BASE}/admin")
    cookies = login.headers.get_list("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {"jwt_token", "mcpgateway_csrf_token"}
    assert [cookie for cookie in cookies if f"Path={BASE};" not in cookie or "; Secure" not in cookie] == []
    links = re.findall(r'hx-get="(/[^"]+)"', page.text)
    assert links
    assert [link for link in links if not link.startswith(f"{BASE}/admin/")] == []
    assert (left.status_code, left.headers["Location"]) == (303, f"{BASE}/admin/login")
    assert turned_away.headers["HX-Redirect"] == f"{BASE}/admin/login"


def test_without_its_ca_there_is_no_load(behind: Behind, tmp_path: Path) -> None:
    ended = behind.pacemark(tmp_path)("run", UI, *LOAD, "--gateway", behind.fronts.good)
    assert ended.status == 3
    (line,) = ended.errors
    assert "its certificate is of a CA that this system does not know" in line
    assert "give the gateway's CA with --ca-file FILE" in line
    assert ended.record["verdict"] == "invalid"


def test_without_a_client_certificate_there_is_no_load(behind: Behind, tmp_path: Path) -> None:
    fronts = behind.fronts
    ended = behind.pacemark(tmp_path)(
        "run", REST, *LOAD, "--gateway", fronts.client, "--ca-file", fronts.ca_file
    )
    assert ended.status == 3
    (line,) = ended.errors
    assert "the gateway asks for a client certificate" in line
    assert "--cert FILE (and --key FILE)" in line


@pytest.mark.jmeter
def test_insecure_says_so(behind: Behind, engine: Engine, tmp_path: Path) -> None:
    asked = Asked(
        workload=workload(WS),
        scale="smoke",
        load=Load(threads=2, ramp_up_s=0, duration_s=3, rate_per_s=4),
        warm_up_s=0,
        objectives=(Objective.parse("errors < 0.1%"),),
        url=behind.fronts.unknown,
        credentials=behind.stack.credentials(seconds=60),
        out=tmp_path,
        connection=Connection.read({}, insecure=True),
    )
    record, _ = run(asked, engine, on_progress=lambda _: None)
    assert record.recorded.count > 0, record.reasons
    assert record.recorded.errors == 0
    assert UNVERIFIED[0] in {one.text for one in record.reasons if one.level == "warning"}


def test_a_gateway_that_was_not_told_its_base_path(embedded_stack: Stack, tmp_path: Path) -> None:
    """The same nginx before a gateway as it comes: each says what to set, and there is no load."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    with nginx_before(embedded_stack.url, folder, base=BASE) as fronts:
        pacemark = Behind(embedded_stack, fronts).pacemark(tmp_path / "here")
        ended = pacemark("run", SSE, UI, *LOAD, "--gateway", fronts.good, "--ca-file", fronts.ca_file)
    assert ended.status == 3
    streams, ui = ended.errors
    assert f"POST https://127.0.0.1:{fronts.ports['good']}/message answered HTTP 404" in streams
    assert "tell the gateway its base path (APP_ROOT_PATH)" in streams
    assert f"Admin login: sent to /admin, but by the gateway's URL it is {BASE}/admin" in ui
    assert "APP_ROOT_PATH" in ui
