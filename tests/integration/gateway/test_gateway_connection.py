"""A gateway behind nginx with TLS: what is refused before any load, and in which words."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_gateway import FakeGateway
from nginx_front import NAMED, ForwardProxy, Fronts, nginx_before

from pacemark.errors import InputError
from pacemark.gateway.client import GatewayClient, GatewayError
from pacemark.gateway.connection import Connection
from pacemark.gateway.preflight import preflight
from pacemark.gateway.token import Credentials

pytestmark = pytest.mark.nginx


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fronts]:
    with FakeGateway() as gateway, nginx_before(gateway.url, tmp_path_factory.mktemp("nginx")) as fronts:
        yield fronts


def health(url: str, connection: Connection) -> str:
    with GatewayClient(url, connection=connection) as client:
        return client.get("/health").text


def refusal(url: str, connection: Connection) -> str:
    with pytest.raises(GatewayError) as refused:
        health(url, connection)
    assert refused.value.exit_status == 3
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_private_ca_a_client_certificate_and_a_base_path(fronts: Fronts) -> None:
    trusted = Connection.read({}, ca_file=fronts.ca_file)
    assert "healthy" in health(fronts.good, trusted)
    assert "healthy" in health(fronts.expired, Connection.read({}, insecure=True))
    client = Connection.read({}, ca_file=fronts.ca_file, cert=fronts.cert, key=fronts.key)
    assert "healthy" in health(fronts.client, client)


@pytest.mark.parametrize(
    ("door", "trusts", "said"),
    [
        ("good", False, "is of a CA that this system does not know"),
        ("unknown", True, "test-ca.pem does not know"),
        ("expired", True, "has expired: have it renewed"),
        ("elsewhere", True, "is for another host: IP address mismatch"),
        ("client", True, "asks for a client certificate: give the client's certificate with --cert FILE"),
    ],
)
def test_each_refusal_says_what_to_do(fronts: Fronts, door: str, trusts: bool, said: str) -> None:
    connection = Connection.read({}, ca_file=fronts.ca_file if trusts else None)
    line = refusal(getattr(fronts, door), connection)
    assert said in line
    assert ("--ca-file FILE" in line) == ("CA" in said or "test-ca" in said)


def test_a_client_certificate_of_another_ca(fronts: Fronts) -> None:
    stranger = Connection.read({}, ca_file=fronts.ca_file, cert=fronts.foreign_cert, key=fronts.foreign_key)
    assert "does not accept the client certificate" in refusal(fronts.client, stranger)


def test_the_wrong_scheme(fronts: Fronts) -> None:
    line = refusal(fronts.good.replace("https:", "http:"), Connection())
    assert "it speaks HTTPS there: write https://" in line


def test_a_proxy_is_gone_through_and_its_refusals_are_its_own(fronts: Fronts) -> None:
    named = f"https://{NAMED}:{fronts.ports['good']}/base"
    with ForwardProxy(user="me", password="p@ ss") as proxy:
        given = proxy.url.replace("//", "//me:p%40%20ss@")
        through = Connection.read({"https_proxy": given}, ca_file=fronts.ca_file)
        assert "healthy" in health(named, through)
        assert "healthy" in health(fronts.good, through)
        assert proxy.tunnels == [f"{NAMED}:{fronts.ports['good']}"]
        line = refusal(named, Connection.read({"HTTPS_PROXY": proxy.url}, ca_file=fronts.ca_file))
    assert f"407 Proxy Authentication Required through the proxy {proxy.url}: is HTTPS_PROXY right?" in line
    line = refusal(named, through)  # the proxy is gone
    assert "refused through the proxy" in line
    assert "p@ ss" not in line + repr(through)
    assert given not in line + repr(through)


@pytest.mark.parametrize("what", ["key", "pair", "ca", "none", "encrypted"])
def test_files_that_are_not_what_they_should_be(fronts: Fronts, tmp_path: Path, what: str) -> None:
    locked = tmp_path / "locked.key"
    locked.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", encoding="utf-8")
    choices, said = {
        "key": ({"cert": fronts.cert}, "client.pem holds no private key"),
        "pair": ({"cert": fronts.cert, "key": fronts.foreign_key}, "are no pair"),
        "ca": ({"ca_file": fronts.key}, "client.key holds no certificate"),
        "none": ({"ca_file": tmp_path / "none"}, "No such file"),
        "encrypted": ({"cert": fronts.cert, "key": locked}, "is encrypted: give it decrypted"),
    }[what]
    with pytest.raises(InputError, match=said):
        Connection.read({}, **choices)


def test_the_preflight_says_what_is_wrong_and_that_nobody_looked(fronts: Fronts, tmp_path: Path) -> None:
    token = Credentials("a-token", "test")

    def asked(connection: Connection) -> list[tuple[str, str]]:
        found = preflight(
            fronts.good,
            token,
            seconds=5,
            rate_per_s=1,
            threads=1,
            needs_mcp=False,
            out_dir=tmp_path,
            connection=connection,
        )
        return [(finding.name, finding.level) for finding in found.findings if finding.level != "ok"]

    assert ("reachable", "error") in asked(Connection())
    assert ("certificate", "warning") in asked(Connection(insecure=True))
    assert not {"certificate", "reachable"} & dict(asked(Connection(ca_file=fronts.ca_file))).keys()
