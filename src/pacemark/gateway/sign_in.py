"""Who signs in to the Admin UI, and whether a user's journey through it works, tried once before the load."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote_plus, urljoin, urlsplit

import httpx

from pacemark.errors import InputError
from pacemark.gateway.client import checked_url, http_client
from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.token import DEFAULT_ADMIN_EMAIL, redact
from pacemark.results.record import Finding
from pacemark.workloads.journey import Journey, Look, Step

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_TIMEOUT_S = 30.0
_NO_UI = "start the gateway with MCPGATEWAY_UI_ENABLED=true and MCPGATEWAY_ADMIN_API_ENABLED=true"
_NOBODY = "set PLATFORM_ADMIN_EMAIL and PLATFORM_ADMIN_PASSWORD to an administrator's of this gateway"


@dataclass(frozen=True)
class Administrator:
    """An administrator of a gateway. Its text does not show the password."""

    email: str
    password: str = field(repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """``PLATFORM_ADMIN_EMAIL`` (default admin@example.com) and ``PLATFORM_ADMIN_PASSWORD``.

        None without a password.
        """
        if password := environ.get("PLATFORM_ADMIN_PASSWORD"):
            return cls(environ.get("PLATFORM_ADMIN_EMAIL") or DEFAULT_ADMIN_EMAIL, password)
        return None


def admin_url(gateway_url: str, environ: Mapping[str, str]) -> str:
    """``GATEWAY_ADMIN_URL``, by default ``/admin`` below the gateway's URL; without a slash at the end.

    Raises:
        InputError: it is no URL, or on another host than the gateway: cookies would not go there.
    """
    given = environ.get("GATEWAY_ADMIN_URL", "").strip()
    if not given:
        return f"{checked_url(gateway_url)}/admin"
    url = checked_url(given)
    if urlsplit(url)[:2] != urlsplit(gateway_url)[:2]:
        raise InputError(
            f"GATEWAY_ADMIN_URL '{url}' is not on the gateway's host, {gateway_url}",
            "unset it, or name the gateway by the address at which its Admin UI is",
        )
    return url


def sign_in_properties(url: str, who: Administrator | None) -> dict[str, str]:
    """The plan's own names for where the Admin UI is and who signs in. A secret is among them."""
    known = {"ADMIN_EMAIL": who.email, "ADMIN_PASSWORD": who.password} if who else {}
    return {"GATEWAY_ADMIN_URL": url, **known}


def try_journey(
    journey: Journey,
    gateway_url: str,
    url: str,
    who: Administrator | None,
    connection: Connection = DIRECT,
) -> list[Finding]:
    """Take every step of a user's journey once, up to the first that gets no true answer; and sign out.

    The login is tried once: a gateway locks an account after a few wrong passwords.
    """
    if who is None:
        return [_error("sign in", "there is no administrator to sign in", _NOBODY)]
    values = {"GATEWAY_URL": gateway_url, **sign_in_properties(url, who)}
    with _Browser(values, connection) as browser:
        for step in (*journey.before, *(step for page in journey.pages for step in page.steps)):
            if wrong := browser.wrong_with(step):
                if step not in journey.before:
                    browser.leave(journey)
                return [_failed(step, wrong, values)]
            if step is journey.before[-1] and (astray := _astray(values)):
                browser.leave(journey)
                return [astray]
        if wrong := browser.leave(journey):
            return [_error("sign in", f"Admin logout: {wrong}", "see the gateway's log")]
    detail = f"{who.email} signed in at {url}, opened {len(journey.pages)} pages and signed out"
    return [Finding(name="sign in", level="ok", detail=detail)]


class _Browser:
    """One user: a cookie jar and the plan's variables."""

    def __init__(self, values: dict[str, str], connection: Connection) -> None:
        self._values = values
        url = values["GATEWAY_ADMIN_URL"]
        headers = {"Accept": "text/html, */*", "Referer": f"{url}/"}
        self._http = http_client(connection, url, timeout_s=_TIMEOUT_S, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def wrong_with(self, step: Step) -> str:
        """Take it; what is wrong with the answer, empty when nothing is."""
        path, mark, query = step.path.partition("?")
        target = self._filled(path, str) + mark + self._filled(query, quote_plus)
        try:
            response = self._http.request(
                step.method,
                target,
                headers={name: self._filled(value, str) for name, value in step.headers.items()},
                data={name: self._filled(value, str) for name, value in step.form.items()} or None,
            )
        except httpx.HTTPError as error:
            return f"no answer: {error}" if str(error) else "no answer in time"
        parts = {
            "code": str(response.status_code),
            # As JMeter has them: a line each.
            "headers": "".join(f"{name}: {value}\n" for name, value in response.headers.multi_items()),
            "text": response.text,
        }
        if response.status_code >= 400 and all(look.part != "code" for look in step.looks):
            return f"HTTP {response.status_code}"
        for look in step.looks:
            if not self._holds(look, parts[look.part]):
                return f"{look.otherwise} (HTTP {response.status_code})"
        for take in step.takes:
            if found := re.search(take.pattern, parts[take.part]):
                self._values[take.variable] = found[1]
            elif not take.keep:
                return f"nothing in it to go on with ({take.variable})"
        return ""

    def leave(self, journey: Journey) -> str:
        """Sign out; what went wrong with it."""
        return next(filter(None, map(self.wrong_with, journey.after)), "")

    def _holds(self, look: Look, text: str) -> bool:
        return (re.search(self._filled(look.pattern, re.escape), text) is None) is look.absent

    def _filled(self, text: str, each: Callable[[str], str]) -> str:
        return _VARIABLE.sub(lambda found: each(self._values.get(found[1], "")), text)


def _failed(step: Step, wrong: str, values: Mapping[str, str]) -> Finding:
    detail = redact(f"{step.label}: {wrong}", [values["ADMIN_PASSWORD"]])
    if wrong == "HTTP 404" and step.path.endswith("/login"):
        return _error("sign in", f"{detail}: the Admin UI is switched off", _NO_UI)
    return _error("sign in", detail, step.remedy or "see the gateway's log")


def _astray(values: Mapping[str, str]) -> Finding | None:
    """A gateway that has another base path sends a browser there, and its cookies are for there."""
    url, base = values["GATEWAY_ADMIN_URL"], urlsplit(values["GATEWAY_URL"]).path
    sent_to, expected = urlsplit(urljoin(url, values["signed_in"])).path, f"{base}/admin"
    if sent_to in (expected, urlsplit(url).path):
        return None
    return _error(
        "sign in",
        f"Admin login: sent to {sent_to}, but by the gateway's URL it is {expected}",
        "the base path of GATEWAY_URL and the gateway's APP_ROOT_PATH must be the same",
    )


def _error(name: str, detail: str, remedy: str) -> Finding:
    return Finding(name=name, level="error", detail=detail, remedy=remedy)
