"""Admin UI baseline: fifty administrators, each with a cookie session of their own, clicking through it."""

from pacemark.workloads.journey import SIGNED_OUT, Journey, Look, Page, Step, Take
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

UI = "${GATEWAY_ADMIN_URL}"
HTMX = {"HX-Request": "true"}
CSRF = {"X-CSRF-Token": "${csrf_token}"}
FETCHED = {"Accept": "application/json"}

# The gateway sends whoever is signed out to its login page: a page by a redirect, a part of one by 200 and a
# header for HTMX. (What scripts fetch it answers with 401.)
STILL_SIGNED_IN = Look(
    name="still signed in",
    otherwise=SIGNED_OUT,
    part="headers",
    pattern=r"(?i)\b(hx-redirect|location): \S*/login",
    absent=True,
)
# Every dashboard brings a new one.
CSRF_TOKEN = Take(
    variable="csrf_token", part="headers", pattern=r"mcpgateway_csrf_token=\"?([^\";\s]+)", keep=True
)


def ids_of(action: str, variable: str) -> Take:
    """The id of any row, from the button in it that does ``action``."""
    return Take(variable=variable, pattern=action + r"'?[,(] ?(?:&#34;|&quot;|['\"])([\w-]+)")


def shows(what: str, pattern: str) -> Look:
    return Look(name=what, otherwise=f"not {what}", pattern=pattern)


def partial(name: str, query: str, mark: str, takes: tuple[Take, ...] = (), remedy: str = "") -> Step:
    return Step(
        label=f"Admin {name} partial",
        path=f"{UI}/{name}/partial{query}",
        headers=HTMX,
        looks=(STILL_SIGNED_IN, shows(f"the {name}", mark)),
        takes=takes,
        remedy=remedy,
    )


def table(name: str, action: str, variable: str, remedy: str) -> Step:
    """A table by its id. An empty one has no row to take an id from, so the step after it fails."""
    query, mark = "?page=1&per_page=25", f'id="{name}-table"'
    return partial(name, query, mark, (ids_of(action, variable),), remedy)


def detail(kind: str, takes: tuple[Take, ...] = ()) -> Step:
    return Step(
        label=f"Admin {kind} detail",
        path=f"{UI}/{kind}s/${{{kind}_id}}",
        headers=FETCHED,
        looks=(STILL_SIGNED_IN, shows(f"this {kind}", rf'"id":\s*"${{{kind}_id}}"')),
        takes=takes,
        remedy=f"register at least one {kind}",
    )


SIGN_IN = (
    Step(
        label="Admin login page",
        path=f"{UI}/login",
        looks=(shows("the login page", 'name="password"'),),
        takes=(CSRF_TOKEN,),
        remedy="start the gateway with MCPGATEWAY_UI_ENABLED=true and MCPGATEWAY_ADMIN_API_ENABLED=true",
    ),
    Step(
        label="Admin login",
        method="POST",
        path=f"{UI}/login",
        form={"email": "${ADMIN_EMAIL}", "password": "${ADMIN_PASSWORD}"},
        looks=(
            # It answers a wrong password with 303 too.
            Look(
                name="the login is taken",
                otherwise="login refused",
                part="headers",
                pattern=r"(?i)\blocation: \S*/login",
                absent=True,
            ),
            Look(
                name="sent to the dashboard",
                otherwise="not sent to the dashboard",
                part="headers",
                pattern=r"(?i)\blocation: \S*/admin/?\s",
            ),
            # Over plain HTTP no cookie jar gives back one that is marked as secure.
            Look(
                name="a session cookie",
                otherwise="no session cookie",
                part="headers",
                pattern=r"(?i)\bset-cookie: jwt_token=\"?\w",
            ),
        ),
        takes=(
            CSRF_TOKEN,
            Take(variable="signed_in", part="headers", pattern=r"(?i)\blocation: (\S*/admin)/?\s", keep=True),
        ),
        remedy="set PLATFORM_ADMIN_EMAIL and PLATFORM_ADMIN_PASSWORD to an administrator's of this gateway, "
        "whose password need not be changed first",
    ),
)

DASHBOARD = Step(
    label="Admin dashboard",
    path=f"{UI}/",
    looks=(STILL_SIGNED_IN, shows("the dashboard", 'id="overview-panel"')),
    takes=(CSRF_TOKEN,),
    remedy="over plain HTTP start the gateway with SECURE_COOKIES=false",
)
TOOLS = table("tools", "viewTool", "tool_id", "register an MCP server with tools, such as fast_time")
SERVERS = table("servers", "viewServer", "server_id", "add a virtual server")
GATEWAYS = table("gateways", "refreshGatewayTools", "gateway_id", "register an MCP server, such as fast_time")
SEARCH = Step(
    label="Admin search",
    path=f"{UI}/search?q=${{tool_name}}",
    headers=FETCHED,
    looks=(
        STILL_SIGNED_IN,
        shows("this search", r'"query":\s*"${tool_name}"'),
        Look(name="something is found", otherwise="the tool was not found", pattern=r'"count":\s*[1-9]'),
    ),
)
REFRESH = Step(
    label="Admin gateway refresh",
    method="POST",
    # Not below /admin: it is the gateway's own interface, which the page's script calls with the session.
    path="${GATEWAY_URL}/gateways/${gateway_id}/tools/refresh",
    headers=FETCHED | CSRF,
    looks=(
        # One at a time: to whoever comes second the gateway answers 409, as it should.
        Look(
            name="done, or under way for another user",
            otherwise="refresh refused",
            part="code",
            pattern="200|409",
        ),
        STILL_SIGNED_IN,
        shows("refreshed", r'"success":\s*true|already in progress'),
    ),
    remedy="start the gateway with APP_DOMAIN set to the address that its users see: it takes cookies "
    "with changes only from there",
)
METRICS = Step(
    label="Admin metrics",
    path=f"{UI}/metrics",
    headers=FETCHED,
    looks=(STILL_SIGNED_IN, shows("the metrics", '"topPerformers"')),
)
TOP_TOOLS = partial("metrics", "?entity_type=tools&page=1&per_page=10", 'id="top-tools-tbody"')
SIGN_OUT = Step(
    label="Admin logout",
    method="POST",
    path=f"{UI}/logout",
    headers=CSRF,
    looks=(
        Look(
            name="sent to the login page",
            otherwise="not sent to the login page",
            part="headers",
            pattern=r"(?i)\blocation: \S*/login\s",
        ),
        Look(
            name="the session cookie is taken back",
            otherwise="the session cookie stayed",
            part="headers",
            pattern=r"(?i)\bset-cookie: jwt_token=(\"\")?;",
        ),
    ),
)

WORKLOAD = Journey(
    name="admin_ui_baseline",
    title="Admin UI baseline",
    protocol="HTMX",
    summary="Administrators who sign in once, click through the Admin UI, and sign out.",
    signs_in=True,
    before=SIGN_IN,
    pages=(
        Page(name="Dashboard", steps=(DASHBOARD, partial("overview", "", 'id="overview-architecture"'))),
        Page(name="Tools", steps=(TOOLS,)),
        Page(
            name="A tool",
            steps=(detail("tool", (Take(variable="tool_name", pattern=r'"originalName":\s*"([^"\\]+)"'),)),),
        ),
        Page(name="Search", steps=(SEARCH,)),
        Page(name="Servers", steps=(SERVERS,)),
        Page(name="A server", steps=(detail("server"),)),
        Page(name="Gateways", steps=(GATEWAYS,)),
        # Dear: the gateway opens a session with the server behind it. People press that button rarely.
        Page(name="Refresh a gateway", once=True, steps=(REFRESH, GATEWAYS)),
        Page(name="Metrics", steps=(METRICS, TOP_TOOLS)),
    ),
    after=(SIGN_OUT,),
    measurements=("journey",),
    objectives=(Objective.parse("elapsed p95 < 500ms"), Objective.parse("errors < 0.1%")),
    scales={
        "full": Load(threads=50, ramp_up_s=30, duration_s=300, think_s=(3, 5)),
        # A fifth of the users, who think a fifth as long: the rate of "full", enough for a P95 in a minute.
        # Users as slow as those of "full" would have to be thirty, and a local gateway is busy for longer
        # than the ramp-up with thirty logins (Argon2).
        "ci": Load(threads=10, ramp_up_s=10, duration_s=70, think_s=(0.6, 1)),
        "local": Load(threads=10, ramp_up_s=10, duration_s=60, think_s=(0.6, 1)),
        "smoke": Load(threads=5, ramp_up_s=3, duration_s=15, think_s=(0.3, 0.5)),
    },
)
