"""The bearer token: from the environment, or minted from the gateway's secret. Never shown, never kept."""

import re
import time
import uuid
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jwt

from pacemark.errors import InputError

DEFAULT_ADMIN_EMAIL = "admin@example.com"
_AUDIENCE = "mcpgateway-api"
_ISSUER = "mcpgateway"
_MARGIN_S = 600
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*")


class Credentials:
    """A bearer token and where it came from. Its text shows only the latter."""

    def __init__(self, token: str, source: str) -> None:
        token = token.strip()
        if not re.fullmatch(r"[!-~]+", token):
            raise InputError(
                f"{source} is not a bearer token: it is empty or holds spaces or control characters",
                "give the token alone, without 'Bearer '",
            )
        self.token = token
        self.source = source

    def __repr__(self) -> str:
        return f"Credentials(source={self.source!r})"

    @classmethod
    def mint(cls, secret: str, email: str, *, seconds: float, source: str) -> "Credentials":
        """An administrator's token that lives ``seconds`` and ten minutes more.

        The claims are those without which the gateway answers 401 (``exp``, ``jti``, ``aud``, ``iss``) or
        403 on its administration (``teams: null`` and the user as an administrator).
        """
        now = int(time.time())
        claims = {
            "sub": email,
            "iat": now,
            "exp": now + int(seconds) + _MARGIN_S,
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "jti": str(uuid.uuid4()),
            "teams": None,
            "user": {"email": email, "full_name": "Pacemark", "is_admin": True, "auth_provider": "cli"},
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyJWT on short keys: whether to take one is the gateway's say
            return cls(jwt.encode(claims, secret, algorithm="HS256"), source)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, seconds: float) -> "Credentials | None":
        """``MCPGATEWAY_BEARER_TOKEN``, else minted from ``JWT_SECRET_KEY`` for a run of ``seconds``.

        A minted token speaks for ``PLATFORM_ADMIN_EMAIL`` (default admin@example.com), who must be a user
        of the gateway. None when the environment has neither.
        """
        if token := environ.get("MCPGATEWAY_BEARER_TOKEN"):
            return cls(token, "MCPGATEWAY_BEARER_TOKEN")
        if secret := environ.get("JWT_SECRET_KEY"):
            email = environ.get("PLATFORM_ADMIN_EMAIL") or DEFAULT_ADMIN_EMAIL
            return cls.mint(secret, email, seconds=seconds, source="JWT_SECRET_KEY")
        return None

    @property
    def expires_at(self) -> datetime | None:
        """When the token expires; None when it is no JWT or names no time. The signature is not checked."""
        return expires_at(self.token)


def expires_at(token: str) -> datetime | None:
    """When a token expires; None when it is no JWT or names no time. The signature is not checked."""
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets and without anything that looks like a JWT."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    return _JWT.sub("***", text)
