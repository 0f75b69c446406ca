"""A fast server with the manners of the gateway's Admin UI (sessions in cookies, a CSRF token that every
dashboard renews, HTMX) that keeps its own books, and signs users out when told to."""

import json
import secrets
import socket
import threading
from collections import Counter
from contextlib import suppress
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

EMAIL, PASSWORD = "ops+admin@example.com", 'p&ss=w%rd "1" ü'
ROWS = {
    kind: {f"{n:032x}": f"{kind}.{n} (one)" for n in range(start, start + 3)}
    for start, kind in ((10, "tool"), (20, "server"), (30, "gateway"))
}
ACTIONS = {"tool": "viewTool", "server": "viewServer", "gateway": "refreshGatewayTools"}


class Session:
    """One that signed in: what its cookies are now, what it asked for, whether it signed out."""

    def __init__(self, csrf: str) -> None:
        self.token = secrets.token_hex(24)
        self.csrf = csrf
        self.requests: Counter[str] = Counter()
        self.addresses: set[tuple[str, int]] = set()
        self.signed_out = False


class FakeAdminUi:
    """The server in threads of its own."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.strangers: list[str] = []
        """Requests for what is behind the login, without a session."""
        self.tagged: list[tuple[str, str]] = []
        """Of each request, its trace and what it says to Dynatrace."""
        self.forged: list[str] = []
        """Changes without the token, or from elsewhere."""
        self.refused = 0
        self.refuses = 0
        """How many of the next logins it refuses, whatever the password."""
        self.busy = 0
        """How many of the next refreshes come while another one is under way."""
        self.switched_off = False
        self.dashboard = "/admin"
        """Where it sends whoever has signed in."""
        self.rows = {kind: dict(rows) for kind, rows in ROWS.items()}
        self.lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def asked(self) -> Counter[str]:
        """What was asked for within sessions, over all of them."""
        total: Counter[str] = Counter()
        for session in self.sessions:
            total += session.requests
        return total

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.off()

    def off(self) -> None:
        """As if it were killed: it listens no more, and open connections break."""
        self._http.shutdown()
        self._http.server_close()
        with self.lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def sign_everyone_out(self) -> None:
        """As if the gateway's secret had changed: no cookie is taken any more."""
        with self.lock:
            for session in self.sessions:
                session.token = secrets.token_hex(24)

    def session(self, token: str) -> Session | None:
        live = (one for one in self.sessions if not one.signed_out)
        return next((one for one in live if token and one.token == token), None)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        ui = self

        class Handler(_Handler):
            def setup(self) -> None:
                super().setup()
                self.ui = ui
                with ui.lock:
                    ui._connections.add(self.connection)

            def finish(self) -> None:
                with suppress(OSError):
                    super().finish()
                with ui.lock:
                    ui._connections.discard(self.connection)

        return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    ui: FakeAdminUi

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._take(b"")

    def do_POST(self) -> None:
        self._take(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _take(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        with self.ui.lock:
            tags = self.headers["X-Correlation-ID"] or "", self.headers["x-dynatrace-test"] or ""
            self.ui.tagged.append(tags)
            answer = self._answer(parts.path, parse_qs(parts.query), body)
        status, headers, text = answer
        content = text.encode()
        with suppress(OSError):
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> "Answer":
        if not path.startswith(("/admin", "/gateways/")):
            return _plain(path, bool(self.headers["Authorization"]))
        if self.ui.switched_off:
            return 404, [], '{"detail":"Not Found"}'
        cookies = SimpleCookie(self.headers["Cookie"] or "")
        token, csrf = (
            cookies[name].value if name in cookies else "" for name in ("jwt_token", "mcpgateway_csrf_token")
        )
        if path == "/admin/login":
            return self._login(csrf, body)
        session = self.ui.session(token)
        if session is None:
            self.ui.strangers.append(f"{self.command} {path}")
            return self._sent_to_login()
        session.addresses.add(self.client_address)
        session.requests[f"{self.command} {path}"] += 1
        if self.command == "POST" and not self._is_own(session, csrf):
            self.ui.forged.append(path)
            return 403, [], '{"detail":"CSRF validation failed"}'
        return self._page(session, path, query)

    def _is_own(self, session: Session, csrf: str) -> bool:
        sent = self.headers["X-CSRF-Token"]
        own = (self.headers["Referer"] or "").startswith(f"{self.ui.url}/admin")
        return bool(sent) and sent == csrf == session.csrf and own

    def _login(self, csrf: str, body: bytes) -> "Answer":
        if self.command == "GET":
            csrf = csrf or secrets.token_hex(16)
            return 200, [_cookie("mcpgateway_csrf_token", csrf)], '<form><input name="password"></form>'
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if self.ui.refuses > self.ui.refused or (form.get("email"), form.get("password")) != (
            EMAIL,
            PASSWORD,
        ):
            self.ui.refused += 1
            return 303, [("location", "/admin/login?error=invalid_credentials")], ""
        session = Session(csrf)
        self.ui.sessions.append(session)
        return 303, [("location", self.ui.dashboard), _cookie("jwt_token", session.token)], ""

    def _sent_to_login(self) -> "Answer":
        if self.headers["HX-Request"] == "true":
            return 200, [("hx-redirect", "/admin/login")], ""
        if "text/html" in self.headers["Accept"]:
            return 302, [("location", "/admin/login")], ""
        return 401, [], '{"detail":"Authentication required"}'

    def _page(self, session: Session, path: str, query: dict[str, list[str]]) -> "Answer":
        match path.removeprefix("/admin").strip("/").split("/"):
            case [""]:
                session.csrf, session.token = secrets.token_hex(32), secrets.token_hex(24)
                renewed = [
                    _cookie("mcpgateway_csrf_token", session.csrf),
                    _cookie("jwt_token", session.token),
                ]
                return 200, renewed, '<div id="overview-panel"></div>'
            case ["overview", "partial"]:
                return 200, [], '<svg id="overview-architecture"></svg>'
            case ["metrics", "partial"]:
                return 200, [], '<tbody id="top-tools-tbody"></tbody>'
            case ["metrics"]:
                return _json({"topPerformers": {}})
            case ["search"]:
                wanted = query["q"][0]
                found = [name for rows in self.ui.rows.values() for name in rows.values() if name == wanted]
                return _json({"query": wanted, "count": len(found)})
            case [kinds, "partial"]:
                return 200, [], self._table(kinds.removesuffix("s"))
            case ["gateways", one, "tools", "refresh"] if one in self.ui.rows["gateway"]:
                if self.ui.busy:
                    self.ui.busy -= 1
                    return 409, [], '{"detail":"Refresh already in progress for gateway x"}'
                return _json({"success": True})
            case ["logout"]:
                session.signed_out = True
                gone = ("set-cookie", 'jwt_token=""; Max-Age=0; Path=/')
                return 303, [("location", "/admin/login"), gone], ""
            case [kinds, one] if one in self.ui.rows.get(kinds.removesuffix("s"), {}):
                return _json({"id": one, "originalName": self.ui.rows[kinds.removesuffix("s")][one]})
        return 404, [], '{"detail":"Not Found"}'

    def _table(self, kind: str) -> str:
        rows = "".join(
            f"<tr><td @click=\"dispatch('{ACTIONS[kind]}', &#34;{one}&#34;)\"></td></tr>"
            for one in self.ui.rows[kind]
        )
        return f'<table id="{kind}s-table">{rows}</table>'


Answer = tuple[int, list[tuple[str, str]], str]


def _plain(path: str, known: bool) -> Answer:
    """What the preflight asks beside the Admin UI."""
    if path in ("/health", "/ready"):
        return _json({"status": "healthy"})
    if path == "/tools":
        return _json([]) if known else (401, [], "{}")
    return 404, [], "{}"


def _json(value: Any) -> Answer:
    return 200, [("content-type", "application/json")], json.dumps(value, separators=(",", ":"))


def _cookie(name: str, value: str) -> tuple[str, str]:
    return "set-cookie", f"{name}={value}; Max-Age=1200; Path=/; SameSite=strict"
