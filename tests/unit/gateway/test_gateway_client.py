import socket

import pytest

from pacemark.errors import InputError
from pacemark.gateway.client import GatewayClient, GatewayError, SilentError, checked_url


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://127.0.0.1:4444/", "http://127.0.0.1:4444"),
        ("https://gateway.example/base/", "https://gateway.example/base"),
        ("http://[::1]:80", "http://[::1]:80"),
    ],
)
def test_a_url_loses_its_trailing_slash(url: str, kept: str) -> None:
    assert checked_url(url) == kept


@pytest.mark.parametrize(
    "url",
    ["", "localhost:4444", "ftp://x", "http://", "http://h:0", "http://h:x", "http://h?a=b", "http://[::"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="is not a gateway's URL"):
        checked_url(url)


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError) as refused:
        checked_url("http://admin:hunter2@host")
    assert "hunter2" not in str(refused.value)


def test_an_endpoint_that_is_no_path_is_refused() -> None:
    with pytest.raises(InputError, match="'rpc' is no path"):
        GatewayClient("http://127.0.0.1:1", rpc_endpoint="rpc")


def test_a_gateway_that_is_stuck_is_told_from_one_that_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with (
            GatewayClient(url, timeout_s=0.2) as client,
            pytest.raises(SilentError, match="no answer in time"),
        ):
            client.get("/health")
    with GatewayClient(url) as client, pytest.raises(GatewayError) as gone:
        client.get("/health")
    assert not isinstance(gone.value, SilentError)
