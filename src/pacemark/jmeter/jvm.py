"""A connection's choices in the words of JMeter and its Java, so that every sampler acts by the same ones."""

import secrets
import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from pacemark.errors import InputError
from pacemark.gateway.connection import LOOPBACK, Connection, Proxy, trusted_pem

_Key = pkcs12.PKCS12PrivateKeyTypes


@dataclass(frozen=True)
class JvmSettings:
    """What a JMeter must be given; passwords are among it."""

    system: dict[str, str] = field(default_factory=dict, repr=False)
    """System properties of its Java."""
    properties: dict[str, str] = field(default_factory=dict, repr=False)
    """Properties of JMeter and of the plan."""


def jvm_settings(
    connection: Connection, url: str, folder: Path, *, others: Collection[str] = ()
) -> JvmSettings:
    """For a plan that speaks to ``url``, and perhaps to ``others``, for which there is no other proxy.

    Trust store and key store are written into ``folder``.

    ``folder`` should be one that only its user can read; the key store is encrypted with a password that is
    in the settings only.

    Raises:
        InputError: a certificate or key cannot be read.
    """
    system: dict[str, str] = {}
    properties: dict[str, str] = {}
    if any(one.lower().startswith("https:") for one in (url, *others)):
        properties["CERTIFICATES"] = "ignore" if connection.insecure else "verify"
        system["javax.net.ssl.trustStore"] = str(_trust_store(connection, folder))
        system["javax.net.ssl.trustStoreType"] = "PKCS12"
        if connection.cert:
            password = secrets.token_urlsafe(24)
            system["javax.net.ssl.keyStore"] = str(
                _key_store(connection.cert, connection.key or connection.cert, password, folder)
            )
            system["javax.net.ssl.keyStoreType"] = "PKCS12"
            system["javax.net.ssl.keyStorePassword"] = password
    if proxy := connection.proxy_for(url):
        system |= _proxied(proxy, connection.no_proxy)
        if proxy.user:
            properties |= {"http.proxyUser": proxy.user, "http.proxyPass": proxy.password}
    return JvmSettings(system, properties)


def _proxied(proxy: Proxy, no_proxy: tuple[str, ...]) -> dict[str, str]:
    direct = list(LOOPBACK)
    for entry in no_proxy:
        domain = entry.removeprefix("*").lstrip(".")
        direct += [domain, f"*.{domain}"]
    settings = {}
    # One proxy for both: a run speaks to one gateway, and JMeter's HTTP client reads the first pair only.
    for scheme in ("http", "https"):
        settings[f"{scheme}.proxyHost"] = proxy.host
        settings[f"{scheme}.proxyPort"] = str(proxy.port)
        settings[f"{scheme}.nonProxyHosts"] = "|".join(dict.fromkeys(direct))
    if proxy.user:
        settings["jdk.http.auth.tunneling.disabledSchemes"] = (
            ""  # by default Java gives no password to CONNECT
        )
    return settings


def _trust_store(connection: Connection, folder: Path) -> Path:
    """Not encrypted: JMeter opens it without a password, and it holds no secret."""
    certificates = [
        pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode())
        for number, certificate in enumerate(_certificates(trusted_pem(connection.ca_file)))
    ]
    path = folder / "trust.p12"
    path.write_bytes(pkcs12.serialize_java_truststore(certificates, serialization.NoEncryption()))
    return path


def _certificates(pem: str) -> list[x509.Certificate]:
    """Each once, and one by one: some that systems trust are too old-fashioned to be read."""
    found: dict[x509.Certificate, None] = {}
    end = "-----END CERTIFICATE-----"
    for block in pem.split(end)[:-1]:
        start = block.find("-----BEGIN CERTIFICATE-----")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[x509.load_pem_x509_certificate((block[start:] + end).encode())] = None
        except ValueError:
            continue
    return list(found)


def _key_store(cert: Path, key: Path, password: str, folder: Path) -> Path:
    try:
        own, *chain = _certificates(cert.read_text(encoding="ascii", errors="ignore"))
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        encryption = serialization.BestAvailableEncryption(password.encode())
        store = pkcs12.serialize_key_and_certificates(b"client", cast(_Key, private), own, chain, encryption)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"--cert {cert}: {error}", "give certificate and private key as PEM") from None
    path = folder / "keys.p12"
    path.touch(mode=0o600)
    path.write_bytes(store)
    return path
