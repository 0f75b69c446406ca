"""The key that all machines of a test share: whoever has it may give orders to a worker, nobody else.

RMI hands over Java objects, and a plan is a program. So both JMeter's connections and Pacemark's own demand
the same certificate of both ends.
"""

import os
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from platformdirs import user_config_path

from pacemark.errors import InputError, SetupError

STORE, PASSWORD, PEM = "keystore.p12", "password", "worker.pem"
_ALIAS = "rmi"
_VALID_DAYS = 5 * 365


def default_folder(environ: Mapping[str, str] | None = None) -> Path:
    """``PACEMARK_KEYS``, else ``keys`` in the user's configuration directory for Pacemark."""
    asked = (os.environ if environ is None else environ).get("PACEMARK_KEYS")
    return Path(asked).expanduser().absolute() if asked else user_config_path("pacemark") / "keys"


@dataclass(frozen=True)
class Keystore:
    """The folder with the key: as JMeter reads it, its password, and as Python reads it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Keystore":
        """A new key with a random password; its files are the user's own to read (mode 0600).

        Raises:
            InputError: there is one already, or the folder cannot be written to.
        """
        if (folder / STORE).exists():
            raise InputError(f"{folder} has a keystore already", "copy that folder to the other machines")
        password = secrets.token_urlsafe(24)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(key)
        store = pkcs12.serialize_key_and_certificates(
            _ALIAS.encode(), key, certificate, None, BestAvailableEncryption(password.encode())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem += certificate.public_bytes(Encoding.PEM)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name, content in ((PEM, pem), (PASSWORD, password.encode()), (STORE, store)):
                (folder / name).touch(mode=0o600)
                (folder / name).write_bytes(content)
        except OSError as error:
            raise InputError(f"cannot write to {folder}: {error.strerror}", "choose another --out") from None
        return cls(folder)

    @classmethod
    def find(cls, folder: Path | None = None) -> "Keystore":
        """The one in ``folder``, by default the user's.

        Raises:
            SetupError: there is none, it is not whole, or everybody may read it.
        """
        folder = folder or default_folder()
        for name in (STORE, PASSWORD, PEM):
            path = folder / name
            try:
                mode = path.stat().st_mode
            except OSError:
                raise SetupError(
                    f"there is no {path}",
                    "pacemark worker --init makes a keystore; copy its folder to every machine of the test",
                ) from None
            if mode & 0o007:
                raise SetupError(f"everybody may read {path}", f"chmod 600 {path}")
        return cls(folder)

    def for_jmeter(self, work_dir: Path) -> dict[str, str]:
        """The properties that make a JMeter with this working directory use it, on either end.

        By a name without a path, made to lead to it: RMI sends the path along with an engine, and the
        other machine would look for the key there.
        """
        (work_dir / STORE).symlink_to(self.folder.absolute() / STORE)
        return {
            "server.rmi.ssl.disable": "false",
            "server.rmi.ssl.keystore.type": "PKCS12",
            "server.rmi.ssl.keystore.file": STORE,
            "server.rmi.ssl.keystore.alias": _ALIAS,
            "server.rmi.ssl.keystore.password": (self.folder / PASSWORD).read_text(encoding="ascii").strip(),
            # The same file, so that only its own key is trusted.
            "server.rmi.ssl.truststore.type": "PKCS12",
            "server.rmi.ssl.truststore.file": STORE,
        }

    def context(self, *, server: bool) -> ssl.SSLContext:
        """TLS 1.3 in which both ends must show this key. Names are not looked at: the key is the identity.

        Raises:
            SetupError: the files hold no key.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.folder / PEM)
            context.load_verify_locations(self.folder / PEM)
        except (ssl.SSLError, OSError) as error:
            raise SetupError(
                f"{self.folder / PEM} holds no key: {error}", "copy the keystore's folder again"
            ) from None
        return context


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pacemark workers")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of several machines differ.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
