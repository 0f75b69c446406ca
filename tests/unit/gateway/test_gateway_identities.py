from pathlib import Path

import pytest
from fake_gateway import FakeGateway, true_answer
from lxml import etree

from pacemark.errors import InputError
from pacemark.gateway.client import GatewayClient
from pacemark.gateway.identities import Identities, identity_findings
from pacemark.gateway.token import Credentials
from pacemark.jmx.plan import render
from pacemark.workloads import WORKLOADS
from pacemark.workloads.model import Workload


def tokens_file(folder: Path, *lines: str, mode: int = 0o600) -> Path:
    path = folder / "tokens.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(mode)
    return path


def minted(seconds: float) -> str:
    return Credentials.mint("k" * 32, "a@b.example", seconds=seconds, source="test").token


def test_tokens_are_read_in_order_and_rows_without_one_left_out(tmp_path: Path) -> None:
    path = tokens_file(tmp_path, "\ufeffname, token ,email", '"Doe, A",one,a@b', "", "x,,", "y,two")
    identities = Identities.read(path)
    assert [one.token for one in identities.credentials] == ["one", "two"]
    assert identities.first.source == f"{path} line 2 (a@b)"
    assert repr(identities) == f"Identities(2 of {path})"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("email,jwt", "a,b"), "has no column 'token'"),
        (("token",), "holds no token"),
        (("token", "a b"), "tokens.csv line 2 is not a bearer token"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Identities.read(tokens_file(tmp_path, *lines))
    with pytest.raises(InputError, match=r"cannot read --tokens none\.csv: No such file"):
        Identities.read(Path("none.csv"))


def examined(gateway: FakeGateway, identities: Identities, threads: int) -> list[tuple[str, str]]:
    with GatewayClient(gateway.url) as client:
        found = identity_findings(identities, client, 60, threads)
    return [(finding.level, finding.detail) for finding in found]


def test_too_few_tokens_and_a_file_that_others_can_read_are_said(
    fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    path = tokens_file(tmp_path, "token", "one", "two", "three", "four", mode=0o644)
    identities = Identities.read(path)
    assert examined(fake_gateway, identities, 4) == [
        ("ok", "4 for 4 threads, each its own"),
        ("warning", f"others on this machine can read {path}"),
    ]
    path.chmod(0o600)
    (said,) = examined(fake_gateway, identities, 9)
    assert said == ("warning", "4 for 9 threads: up to 3 threads share one")
    assert fake_gateway.requests["GET /tools"] == 2 * 3


def test_one_that_expires_too_early_is_named_and_nothing_is_asked(
    fake_gateway: FakeGateway, tmp_path: Path
) -> None:
    path = tokens_file(tmp_path, "token,email", f"{minted(600)},", f"{minted(-590)},bob@b.example")
    identities = Identities.read(path)
    (said,) = examined(fake_gateway, identities, 2)
    assert said[0] == "error"
    assert "line 3 (bob@b.example): expires at" in said[1]
    assert not fake_gateway.requests
    expires = identities.expires_at
    assert expires is not None
    assert expires == identities.credentials[1].expires_at


def test_one_that_the_gateway_does_not_take_is_named(fake_gateway: FakeGateway, tmp_path: Path) -> None:
    fake_gateway.answer = lambda *asked: (
        (401, {}, b"{}") if fake_gateway.requests["GET /tools"] == 2 else true_answer(*asked)
    )
    identities = Identities.read(tokens_file(tmp_path, "token", "one", "two"))
    (said,) = examined(fake_gateway, identities, 2)
    assert said == ("error", f"{identities.path} line 3: GET /tools answered HTTP 401")


@pytest.mark.parametrize("one", WORKLOADS.values(), ids=WORKLOADS)
def test_every_plan_gets_access_before_anything_else(one: Workload) -> None:
    plan = etree.fromstring(render(one))
    for group in plan.iter("ThreadGroup"):
        below = group.getnext()
        assert below is not None
        assert below[0].get("testname") == "Before the first connection"
        assert below[1].find("JSR223Timer") is not None
    names = {argument.get("name") for argument in plan.iter("elementProp")}
    assert "CERTIFICATES" in names
    assert one.signs_in or {"TOKEN", "TOKENS_FILE"} <= names
