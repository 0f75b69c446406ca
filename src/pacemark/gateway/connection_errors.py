"""Why a connection was not made, and what its user can do about it."""

import ssl
from collections.abc import Iterator

import httpx

from pacemark.gateway.connection import Connection, Proxy

# OpenSSL's X509_V_ERR_*, as SSLCertVerificationError.verify_code has them.
_EXPIRED, _NOT_YET = 10, 9
_HOSTS = (62, 64)
"""Hostname and IP address mismatch."""
_UNKNOWN_CA = (2, 18, 19, 20, 21)
"""No issuer; self-signed, alone and in a chain; no local issuer; the first cannot be verified."""

_GIVE_CERT = "give the client's certificate with --cert FILE (and --key FILE)"
_OTHER_CERT = "is --cert of a CA that the gateway knows, and not expired?"


def why_not(error: httpx.HTTPError, connection: Connection, proxy: Proxy | None) -> tuple[str, str]:
    """What went wrong, and the remedy; that is empty where all one can do is look whether it is up."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _distrusted(cause, connection)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _broken_off(cause, connection)
    via = f" through the proxy {proxy.url}" if proxy else ""
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in time{via}", _other_way(proxy)
    return f"{error}{via}", _other_way(proxy)


def refused_certificate(response: httpx.Response, connection: Connection) -> tuple[str, str] | None:
    """What nginx says over HTTP, with status 400, of what it did not like in TLS; None when it is nothing."""
    if response.status_code != 400:
        return None
    if "No required SSL certificate was sent" in response.text:
        return "the gateway asks for a client certificate", _GIVE_CERT
    if "The SSL certificate error" in response.text:
        return "the gateway does not accept the client certificate", _OTHER_CERT
    if "plain HTTP request was sent to HTTPS port" in response.text:
        return "it speaks HTTPS there", "write https:// in the gateway's URL"
    return None


def _distrusted(error: ssl.SSLCertVerificationError, connection: Connection) -> tuple[str, str]:
    said = error.verify_message.rstrip(".")
    if error.verify_code in _HOSTS:
        return f"the certificate is for another host: {said}", "use a name that the certificate has"
    if error.verify_code == _EXPIRED:
        return "its certificate has expired", "have it renewed; --insecure measures all the same"
    if error.verify_code == _NOT_YET:
        return "its certificate is not valid yet", "is this machine's clock right?"
    if error.verify_code in _UNKNOWN_CA:
        by = f"--ca-file {connection.ca_file}" if connection.ca_file else "this system"
        return (
            f"its certificate is of a CA that {by} does not know ({said})",
            "give the gateway's CA with --ca-file FILE; --insecure measures all the same",
        )
    return f"its certificate is not valid: {said}", "mend it; --insecure measures all the same"


def _broken_off(error: ssl.SSLError, connection: Connection) -> tuple[str, str]:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate required" in reason or ("handshake failure" in reason and not connection.cert):
        return f"the gateway asks for a client certificate ({reason})", _GIVE_CERT
    if connection.cert and ("alert" in reason or "handshake failure" in reason):
        return f"the gateway does not accept the client certificate ({reason})", _OTHER_CERT
    if "wrong version number" in reason or "record layer failure" in reason:
        return (
            f"it does not speak TLS there ({reason})",
            "write http:// in the gateway's URL, or another port",
        )
    return f"TLS failed: {reason}", ""


def _other_way(proxy: Proxy | None) -> str:
    return f"is {proxy.source} right? NO_PROXY=HOST goes without it" if proxy else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__
