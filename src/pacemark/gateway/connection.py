"""How the gateway is reached: whose certificates are trusted, the client's own, and the proxy on the way."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import certifi

from pacemark.errors import InputError

LOOPBACK = ("localhost", "127.0.0.1", "::1", "[::1]")
"""Names of this machine that a JVM may be given. What else is loopback, :func:`is_loopback` knows."""


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. Its text shows no password."""

    host: str
    port: int
    source: str
    """The variable that names it."""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Without user and password, so that it may be shown."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def auth(self) -> tuple[str, str] | None:
        """User and password, where there are any."""
        return (self.user, self.password) if self.user else None

    @classmethod
    def parse(cls, text: str, source: str) -> "Proxy":
        """Read ``[http://][USER:PASSWORD@]HOST[:PORT]``; the port is 80 by default.

        Raises:
            InputError: it is something else, such as a proxy that is itself spoken to over TLS or SOCKS.
        """
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port or 80
        except ValueError:
            raise _no_proxy(source) from None
        if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
            raise _no_proxy(source)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isascii():
            raise InputError(
                f"the user or password in {source} is not ASCII",
                "JMeter's client sends no other: choose another",
            )
        return cls(parts.hostname, port, source, user, password)


def _no_proxy(source: str) -> InputError:
    return InputError(f"{source} names no HTTP proxy", "write http://[USER:PASSWORD@]HOST:PORT, or unset it")


@dataclass(frozen=True)
class Connection:
    """What every connection to the gateway has in common, whoever opens it and over which protocol."""

    ca_file: Path | None = None
    """PEM; its certificates are the only ones trusted. None: those that this system trusts."""
    insecure: bool = False
    """No certificate is looked at."""
    cert: Path | None = None
    """PEM of the client's certificate and what leads from it to its CA."""
    key: Path | None = None
    """PEM of its private key; None when that is in ``cert``."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By variable, as far as set: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``."""

    @classmethod
    def read(
        cls,
        environ: Mapping[str, str],
        *,
        ca_file: Path | None = None,
        insecure: bool = False,
        cert: Path | None = None,
        key: Path | None = None,
    ) -> "Connection":
        """From what the user chose and the environment's proxies; small letters go before capitals.

        Raises:
            InputError: two choices exclude each other, or a file is not what it should be.
        """
        if insecure and ca_file:
            raise InputError("--insecure and --ca-file exclude each other", "give one of them")
        if key and not cert:
            raise InputError("--key without --cert", "give the certificate too")
        proxies = {
            name: value
            for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
            if (value := environ.get(name.lower()) or environ.get(name))
        }
        connection = cls(ca_file, insecure, cert, key, proxies)
        connection.ssl_context()
        return connection

    def ignores_certificate_of(self, url: str) -> bool:
        """Whether ``url`` has a certificate at which nobody looks."""
        return self.insecure and urlsplit(url).scheme == "https"

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy on the way to ``url``; never one for loopback, nor for what ``NO_PROXY`` names.

        Raises:
            InputError: the variable names none.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if is_loopback(host) or any(_covers(entry, host) for entry in self.no_proxy):
            return None
        for name in (f"{parts.scheme.upper()}_PROXY", "ALL_PROXY"):
            if text := self.proxies.get(name):
                return Proxy.parse(text, name)
        return None

    @property
    def no_proxy(self) -> tuple[str, ...]:
        """The entries of ``NO_PROXY``."""
        entries = (entry.strip().lower() for entry in self.proxies.get("NO_PROXY", "").split(","))
        return tuple(entry for entry in entries if entry)

    def ssl_context(self) -> ssl.SSLContext:
        """For Python's own connections.

        Raises:
            InputError: a file is not there, or not what it should be.
        """
        context = ssl.create_default_context(cadata=trusted_pem(self.ca_file))
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert:
            _load_client(context, self.cert, self.key)
        return context


DIRECT = Connection()
"""No choices and no proxy."""

UNVERIFIED = (
    "--insecure: no certificate was verified, so the answers may be anybody's",
    "give the gateway's CA with --ca-file FILE",
)
"""What is said of a run with :attr:`Connection.insecure`, and the remedy."""


def trusted_pem(ca_file: Path | None) -> str:
    """The certificates that are trusted, as PEM: those of ``ca_file``, else this system's, else certifi's.

    Raises:
        InputError: ``ca_file`` cannot be read, or holds no certificate.
    """
    if ca_file is None:
        return "\n".join(file.read_text(encoding="ascii", errors="ignore") for file in _system_files())
    pem = _read(ca_file, "--ca-file")
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise InputError(
            f"--ca-file {ca_file} holds no certificate", "name a PEM file (-----BEGIN CERTIFICATE-----)"
        ) from None
    return pem


def _system_files() -> list[Path]:
    """Where OpenSSL looks, by ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` or its own defaults."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return [Path(paths.cafile)]
    folder = Path(paths.capath) if paths.capath else None
    bundled = sorted(file for file in folder.iterdir() if file.suffix in (".crt", ".pem")) if folder else []
    return bundled or [Path(certifi.where())]


def _load_client(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    where = f"--key {key}" if key else f"--cert {cert}"
    pem = _read(cert, "--cert") + (_read(key, "--key") if key else "")
    if "PRIVATE KEY-----" not in pem:
        raise InputError(f"{where} holds no private key", "give it in the same PEM file, or by --key FILE")
    if "ENCRYPTED" in pem:
        raise InputError(
            f"the private key of {where} is encrypted",
            "give it decrypted, in a file of mode 0600 (openssl pkey -in FILE -out FILE)",
        )
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        why = "are no pair" if error.reason == "KEY_VALUES_MISMATCH" else "cannot be read"
        raise InputError(
            f"the certificate of --cert {cert} and its private key {why}",
            "give the PEM files that belong together",
        ) from None


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="ascii", errors="ignore")
    except OSError as error:
        raise InputError(f"cannot read {option} {path}: {error.strerror}", "name a PEM file") from None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or its address; no name is looked up."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of ``NO_PROXY`` means ``host``: ``*``, a domain and all below, an address, a net."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except (ValueError, TypeError):
        domain = entry.removeprefix("*").lstrip(".")
        return host == domain or host.endswith(f".{domain}")
