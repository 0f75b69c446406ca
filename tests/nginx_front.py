"""nginx in front of a gateway, with a certificate authority of its own; a forward proxy that keeps books."""

import asyncio
import base64
import datetime
import ipaddress
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from loopback_server import LoopbackServer, Request, read_request, response, response_head

from pacemark.gateway.spec import free_ports

NAMED = "gateway.test"
"""A host that no resolver knows: only a proxy leads there."""
_DAY = datetime.timedelta(days=1)


class Authority:
    """A self-signed CA, and the PEM files of what it signs."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._sign(self._name, self._key, days=1, ca=True)
        self.ca_file = folder / f"{name.replace(' ', '-').lower()}.pem"
        self.ca_file.write_bytes(_pem(self._certificate))

    def issue(self, name: str, *hosts: str, days: int = 1) -> tuple[Path, Path]:
        """Certificate and key for a server of these hosts, or without any for a client; days < 0: expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        cert_file, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        cert_file.write_bytes(_pem(self._sign(subject, key, days=days, hosts=hosts)))
        key_file.touch(mode=0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        days: int,
        hosts: tuple[str, ...] = (),
        ca: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now + days * _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if hosts:
            names = x509.SubjectAlternativeName([_general(host) for host in hosts])
            builder = builder.add_extension(names, critical=False)
        if ca:
            signs = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(signs, critical=True)
        else:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Fronts:
    """The doors of one nginx, each with the same base path; and what opens them."""

    good: str
    """A certificate of the CA, for this host."""
    client: str
    """As good, and asks for a certificate of the client's."""
    expired: str
    elsewhere: str
    """Its certificate is for another host."""
    unknown: str
    """Its certificate is of another CA."""
    ports: dict[str, int]
    ca_file: Path
    cert: Path
    key: Path
    foreign_cert: Path
    """Of a CA that nobody knows; its key is beside it."""
    foreign_key: Path

    def counted(self) -> tuple[int, int]:
        """What nginx itself has counted, at all doors: connections and requests, this asking too."""
        address = f"https://127.0.0.1:{self.ports['good']}/status"
        numbers = (
            httpx.get(address, verify=ssl.create_default_context(cafile=self.ca_file))
            .text.split("requests")[1]
            .split()
        )
        return int(numbers[0]), int(numbers[2])


_CONFIG = """
daemon off; master_process off; error_log {folder}/error.log; pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxied;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  {servers}
}}
"""
_SERVER = """
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key}; {more}
    proxy_http_version 1.1; proxy_buffering {buffering};
    proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    location = /status {{ stub_status; }}
    {locations}
  }}
"""
_LOCATION = "location {base}{path} {{ proxy_pass {backend}{path}; }}"
DOORS = ("good", "client", "expired", "elsewhere", "unknown")
BASE = "/base"


@contextmanager
def nginx_before(
    backend: str,
    folder: Path,
    parts: Mapping[str, str] = MappingProxyType({}),
    *,
    base: str = BASE,
    ports: Sequence[int] = (),
    buffers: bool = False,
) -> Iterator[Fronts]:
    """A real nginx on loopback in front of ``backend``, with keys and certificates made for it.

    ``parts`` of the gateway, by what their paths begin with, are played by other servers.
    ``base`` is cut off what is passed on. ``ports`` are the doors', for a backend that must know its address
    beforehand; free ones otherwise. With ``buffers`` answers are held back until there is enough of them.
    """
    ours, foreign = Authority(folder), Authority(folder, "Foreign CA")
    here = ("localhost", "127.0.0.1", NAMED)
    cert, key = ours.issue("client")
    foreign_cert, foreign_key = foreign.issue("stranger")
    asks = f"ssl_verify_client on; ssl_client_certificate {ours.ca_file};"
    doors = {
        "good": (ours.issue("server", *here), ""),
        "client": (ours.issue("asking", *here), asks),
        "expired": (ours.issue("expired", *here, days=-1), ""),
        "elsewhere": (ours.issue("elsewhere", "elsewhere.test"), ""),
        "unknown": (foreign.issue("unknown", *here), ""),
    }
    ports_of = dict(zip(DOORS, ports or free_ports(len(DOORS)), strict=True))
    backends = {"/": backend, **parts}
    locations = " ".join(
        _LOCATION.format(base=base, path=path, backend=url) for path, url in backends.items()
    )
    servers = [
        _SERVER.format(
            port=ports_of[name],
            cert=files[0],
            key=files[1],
            more=more,
            buffering="on" if buffers else "off",
            locations=locations,
        )
        for name, (files, more) in doors.items()
    ]
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, servers="".join(servers)), encoding="utf-8")
    program = shutil.which(
        "nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"
    )
    errors = (folder / "nginx.err").open("wb")
    nginx = subprocess.Popen([program, "-p", str(folder), "-c", str(config)], stderr=errors)
    try:
        deadline = time.monotonic() + 10
        while not (folder / "nginx.pid").is_file() and nginx.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert nginx.poll() is None, (folder / "nginx.err").read_text(encoding="utf-8")
        urls = {name: f"https://127.0.0.1:{port}{base}" for name, port in ports_of.items()}
        yield Fronts(
            **urls,
            ports=ports_of,
            ca_file=ours.ca_file,
            cert=cert,
            key=key,
            foreign_cert=foreign_cert,
            foreign_key=foreign_key,
        )
    finally:
        nginx.terminate()
        nginx.wait(10)
        errors.close()


class ForwardProxy(LoopbackServer):
    """An HTTP proxy on loopback that leads every host to this machine, and writes down who was asked for."""

    def __init__(self, *, user: str = "", password: str = "") -> None:
        super().__init__()
        self.tunnels: list[str] = []
        self.refused = 0
        self._expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while refusal := self._refusal(request := await read_request(reader)):
            self.refused += 1
            writer.write(response(*refusal))
            await writer.drain()
        self.tunnels.append(request.target)
        there = await asyncio.open_connection("127.0.0.1", int(request.target.rsplit(":", 1)[1]))
        writer.write(response_head(200, {}))
        await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))

    def _refusal(self, request: Request) -> tuple[int, dict[str, str]] | None:
        if request.method != "CONNECT":
            return 405, {}
        if self._expected and request.headers.get("proxy-authorization") != self._expected:
            return 407, {"Proxy-Authenticate": 'Basic realm="here"'}
        return None


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    finally:
        sink.close()
