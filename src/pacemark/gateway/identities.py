"""Several users' tokens, one for each thread of the load. They stay in the user's file, and in memory."""

import csv
import stat
import time
from datetime import UTC, datetime
from pathlib import Path

from pacemark.errors import InputError
from pacemark.gateway.client import GatewayClient, json_of
from pacemark.gateway.token import Credentials
from pacemark.results.record import Finding

COLUMN = "token"
TRIED = 3
"""Tokens that are shown to the gateway: the first ones. All are looked at here."""
_MARGIN_S = 60.0


class Identities:
    """The tokens of a file, in its order. Its text shows none."""

    def __init__(self, path: Path, credentials: tuple[Credentials, ...]) -> None:
        self.path = path
        self.credentials = credentials

    def __repr__(self) -> str:
        return f"Identities({len(self)} of {self.path})"

    def __len__(self) -> int:
        return len(self.credentials)

    @property
    def first(self) -> Credentials:
        return self.credentials[0]

    @property
    def expires_at(self) -> datetime | None:
        """When the first of them expires; None when none says."""
        ends = [end for one in self.credentials if (end := one.expires_at) is not None]
        return min(ends, default=None)

    @property
    def readable_by_others(self) -> bool:
        """Whether the file's mode lets another user of this machine read it."""
        return bool(self.path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))

    @classmethod
    def read(cls, path: Path) -> "Identities":
        """Read a CSV file whose header names a column ``token`` and perhaps ``email``; no token, no row.

        Raises:
            InputError: it cannot be read, has no such column, no token, or something that is no token; the
                line is named and the token is not.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = csv.DictReader(file)
                names = [name.strip() for name in rows.fieldnames or ()]
                if COLUMN not in names:
                    raise InputError(
                        f"--tokens {path} has no column '{COLUMN}' in its first line",
                        "begin it with: email,token",
                    )
                rows.fieldnames = names
                found = [
                    _credentials(path, rows.line_num, row) for row in rows if (row[COLUMN] or "").strip()
                ]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"cannot read --tokens {path}: {why}", "name a CSV file in UTF-8") from None
        if not found:
            raise InputError(f"--tokens {path} holds no token", "write one a line below its header")
        return cls(path.absolute(), tuple(found))


def _credentials(path: Path, line: int, row: dict[str, str | None]) -> Credentials:
    email = (row.get("email") or "").strip()
    return Credentials(row[COLUMN] or "", f"{path} line {line}{f' ({email})' if email else ''}")


def identity_findings(
    identities: Identities, client: GatewayClient, seconds: float, threads: int
) -> list[Finding]:
    """Whether each token outlives a run of ``seconds``, the gateway takes the first, and there are enough."""
    until = time.time() + seconds + _MARGIN_S
    for one in identities.credentials:
        end = one.expires_at
        if end is not None and end.timestamp() < until:
            when = end.astimezone(UTC).isoformat(timespec="seconds")
            return [_error(f"{one.source}: expires at {when}, before the run would end", _LIVES_LONGER)]
    for one in identities.credentials[:TRIED]:
        with GatewayClient(client.url, one, connection=client.connection) as asking:
            response = asking.get("/tools")
        if response.status_code != 200 or not isinstance(json_of(response), list):
            return [
                _error(f"{one.source}: GET /tools answered HTTP {response.status_code}", _OF_THIS_GATEWAY)
            ]
    findings = [_shares(len(identities), threads)]
    if identities.readable_by_others:
        detail = f"others on this machine can read {identities.path}"
        findings.append(_warning(detail, f"chmod 600 {identities.path}"))
    return findings


_LIVES_LONGER = "give one that lives longer"
_OF_THIS_GATEWAY = "is it of this gateway, and of one of its users?"


def _shares(tokens: int, threads: int) -> Finding:
    detail = f"{tokens} for {threads} threads"
    if tokens < threads:
        return _warning(
            f"{detail}: up to {-(-threads // tokens)} threads share one",
            "give as many tokens as threads, where each is to be a user of its own",
        )
    return Finding(name="tokens", level="ok", detail=f"{detail}, each its own")


def _error(detail: str, remedy: str) -> Finding:
    return Finding(name="tokens", level="error", detail=detail, remedy=remedy)


def _warning(detail: str, remedy: str) -> Finding:
    return Finding(name="tokens", level="warning", detail=detail, remedy=remedy)
