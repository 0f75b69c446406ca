import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from pacemark.errors import InputError
from pacemark.gateway.token import Credentials, expires_at, redact

SECRET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF"


def claims(credentials: Credentials) -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(
        credentials.token, SECRET, algorithms=["HS256"], audience="mcpgateway-api", issuer="mcpgateway"
    )
    return decoded


def test_a_minted_token_has_every_claim_that_the_gateway_demands() -> None:
    found = claims(Credentials.mint(SECRET, "a@example.com", seconds=3600, source="test"))
    assert found["sub"] == "a@example.com"
    assert found["teams"] is None
    assert found["jti"]
    assert found["user"] == {
        "email": "a@example.com",
        "full_name": "Pacemark",
        "is_admin": True,
        "auth_provider": "cli",
    }


def test_a_minted_token_outlives_the_run() -> None:
    end = Credentials.mint(SECRET, "a@example.com", seconds=86_400, source="test").expires_at
    assert end is not None
    assert end > datetime.now(UTC) + timedelta(seconds=86_400)


def test_two_minted_tokens_differ() -> None:
    first, second = (Credentials.mint(SECRET, "a@b.c", seconds=1, source="x") for _ in range(2))
    assert first.token != second.token


def test_a_given_token_comes_before_a_secret() -> None:
    environ = {"MCPGATEWAY_BEARER_TOKEN": "given\n", "JWT_SECRET_KEY": SECRET}
    found = Credentials.from_environment(environ, seconds=1)
    assert found is not None
    assert (found.token, found.source) == ("given", "MCPGATEWAY_BEARER_TOKEN")


def test_a_secret_mints_for_the_administrator_named() -> None:
    environ = {"JWT_SECRET_KEY": SECRET, "PLATFORM_ADMIN_EMAIL": "root@example.com"}
    found = Credentials.from_environment(environ, seconds=1)
    assert found is not None
    assert claims(found)["sub"] == "root@example.com"


def test_a_short_secret_warns_nobody() -> None:
    assert Credentials.from_environment({"JWT_SECRET_KEY": "short"}, seconds=1) is not None


def test_no_token_and_no_secret_is_none() -> None:
    assert Credentials.from_environment({"MCPGATEWAY_BEARER_TOKEN": ""}, seconds=1) is None


@pytest.mark.parametrize("text", ["Bearer abc", "a\nb", "tök", " "])
def test_what_cannot_be_a_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(InputError) as refused:
        Credentials(text, "MCPGATEWAY_BEARER_TOKEN")
    assert "MCPGATEWAY_BEARER_TOKEN" in str(refused.value)
    assert text.strip() == "" or text not in str(refused.value)


def test_credentials_show_no_token() -> None:
    credentials = Credentials.mint(SECRET, "a@example.com", seconds=1, source="JWT_SECRET_KEY")
    assert credentials.token not in f"{credentials!r} {credentials}"


@pytest.mark.parametrize(
    "token",
    ["opaque", "a.b.c", jwt.encode({"sub": "x"}, SECRET), jwt.encode({"exp": time.time() * 1e9}, SECRET)],
)
def test_a_token_that_names_no_end_has_none(token: str) -> None:
    assert expires_at(token) is None


def test_redact_hides_secrets_and_whatever_looks_like_a_token() -> None:
    token = jwt.encode({"sub": "x"}, SECRET)
    hidden = redact(f"key={SECRET} auth={token} rest", [SECRET, ""])
    assert hidden == "key=*** auth=*** rest"


def test_redact_hides_a_secret_that_holds_another() -> None:
    assert redact("abcdef", ["abc", "abcdef"]) == "***"
