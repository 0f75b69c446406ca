from pathlib import Path

import pytest

from pacemark.errors import InputError
from pacemark.gateway.connection import Connection, Proxy, is_loopback, trusted_pem
from pacemark.jmeter.jvm import jvm_settings

ENVIRON = {
    "HTTPS_PROXY": "http://me:s%20ecret@secure.proxy:3128",
    "http_proxy": "plain.proxy",
    "NO_PROXY": "inner.example, .dotted.example,10.0.0.0/8",
}
CONNECTION = Connection.read(ENVIRON)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://gateway.example/base", "http://secure.proxy:3128"),
        ("http://gateway.example", "http://plain.proxy:80"),
        ("https://inner.example", None),
        ("https://below.inner.example:8443", None),
        ("https://notinner.example", "http://secure.proxy:3128"),
        ("https://a.dotted.example", None),
        ("https://10.1.2.3", None),
        ("https://11.1.2.3", "http://secure.proxy:3128"),
        ("https://localhost:4444", None),
        ("https://gateway.localhost", None),
        ("http://127.0.0.1:4444", None),
        ("http://127.9.9.9", None),
        ("https://[::1]:4444", None),
    ],
)
def test_the_proxy_by_scheme_host_and_no_proxy(url: str, proxy: str | None) -> None:
    found = CONNECTION.proxy_for(url)
    assert (found.url if found else None) == proxy


def test_all_proxy_is_for_both_and_a_star_goes_without() -> None:
    assert Connection.read({"ALL_PROXY": "p:1"}).proxy_for("http://h") == Proxy("p", 1, "ALL_PROXY")
    assert Connection.read({"ALL_PROXY": "p:1", "no_proxy": "*"}).proxy_for("http://h") is None
    assert Connection.read({"https_proxy": "a:1", "HTTPS_PROXY": "b:1"}).proxies == {"HTTPS_PROXY": "a:1"}


@pytest.mark.parametrize("text", ["socks5://p:1", "https://p:1", "http://", "http://p:port", "http://p/path"])
def test_what_is_no_http_proxy_is_refused_unshown(text: str) -> None:
    with pytest.raises(InputError, match="HTTPS_PROXY names no HTTP proxy"):
        Connection.read({"HTTPS_PROXY": text}).proxy_for("https://h")


def test_a_password_that_jmeter_cannot_send_is_refused_unshown() -> None:
    with pytest.raises(InputError, match="not ASCII") as refused:
        Proxy.parse("http://me:gehe%C3%ACm@p:1", "HTTPS_PROXY")
    assert "gehe" not in str(refused.value)


def test_passwords_do_not_show() -> None:
    proxy = CONNECTION.proxy_for("https://h")
    assert proxy is not None
    assert proxy.auth == ("me", "s ecret")
    shown = f"{CONNECTION} {CONNECTION!r} {proxy} {proxy!r} {proxy.url}"
    assert "s ecret" not in shown
    assert "s%20ecret" not in shown


def test_loopback_is_known_without_asking_anybody() -> None:
    assert [host for host in ("localhost", "127.1.2.3", "::1", "[::1]") if not is_loopback(host)] == []
    assert not is_loopback("localhost.example")
    assert not is_loopback("192.0.2.1")


def test_the_proxy_in_javas_words(tmp_path: Path) -> None:
    settings = jvm_settings(CONNECTION, "http://gateway.example", tmp_path)
    assert settings.properties == {}
    assert settings.system["http.proxyHost"] == settings.system["https.proxyHost"] == "plain.proxy"
    assert settings.system["https.proxyPort"] == "80"
    direct = settings.system["http.nonProxyHosts"].split("|")
    assert {"localhost", "127.0.0.1", "[::1]", "inner.example", "*.inner.example"} <= set(direct)
    assert jvm_settings(CONNECTION, "http://127.0.0.1:4444", tmp_path).system == {}
    assert list(tmp_path.iterdir()) == []
    with_user = jvm_settings(CONNECTION, "https://gateway.example", tmp_path)
    assert with_user.properties["http.proxyPass"] == "s ecret"
    assert "s ecret" not in repr(with_user)


def test_without_a_ca_file_the_systems_cas_are_trusted_by_java_too(tmp_path: Path) -> None:
    settings = jvm_settings(Connection(), "https://gateway.example", tmp_path)
    assert settings.properties == {"CERTIFICATES": "verify"}
    assert trusted_pem(None).count("BEGIN CERTIFICATE") > 50
    assert Path(settings.system["javax.net.ssl.trustStore"]).stat().st_size > 50_000


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"insecure": True, "ca_file": Path("ca.pem")}, "exclude each other"),
        ({"key": Path("key.pem")}, "--key without --cert"),
        ({"cert": Path("none.pem")}, "cannot read --cert none.pem"),
    ],
)
def test_choices_that_do_not_go_together(choices: dict[str, Path], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Connection.read({}, **choices)
