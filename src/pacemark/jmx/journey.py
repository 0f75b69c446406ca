"""Users that sign in, go from page to page with think time between, and sign out."""

import re
from collections.abc import Iterator

from pacemark.jmx import assertions, web
from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.pacing import TRACE, clock, users
from pacemark.workloads.journey import Journey, Page, Step

# JMeter compiles such an expression once a thread if it has fewer than 64 characters.
LASTS = "${__jexl3(!props.get('pacer').over())}"
OVER = "${__jexl3(props.get('pacer').over())}"
SIGNED_IN = "${__jexl3(vars.get('signed_in') != null)}"
NOT_SIGNED_IN = "${__jexl3(vars.get('signed_in') == null)}"

_NO_RESOURCES = (
    "What a browser loads beside a page (scripts, styles, pictures) is not loaded: on all but the first "
    "visit it has that in its cache."
)


def variables(_: Journey) -> list[Variable]:
    """Where the Admin UI is, and who signs in."""
    return [
        Variable(
            "GATEWAY_ADMIN_URL",
            "${__P(GATEWAY_ADMIN_URL,${__P(GATEWAY_URL,http://127.0.0.1:4444)}/admin)}",
            "The Admin UI, on the same host as the gateway, without a slash at the end",
        ),
        Variable("ADMIN_EMAIL", "${__P(ADMIN_EMAIL,admin@example.com)}", "Who signs in"),
        Variable("ADMIN_PASSWORD", "${__P(ADMIN_PASSWORD,)}", "That administrator's password"),
    ]


def nodes(workload: Journey) -> tuple[Node, ...]:
    """What a browser sends with every request, and the thread group."""
    browser = {
        "Accept": "text/html, */*",
        # Without a page of its own as Referer the gateway takes a session's request for one without a token,
        # and every change for a forged one.
        "Referer": "${GATEWAY_ADMIN_URL}/",
        **TRACE,
    }
    jar = web.cookies("Each user's own session", "Cookies last as long as their thread.")
    pages = (_page(page) for page in workload.pages)
    group = users(
        workload.title,
        (clock("", does="tells when the time is up"), Node(_trace())),
        (
            Node(
                web.if_true(
                    "Not signed in yet", NOT_SIGNED_IN, "Who was refused tries again, after a pause."
                ),
                (
                    *map(_sampler, workload.before),
                    Node(web.if_true("Refused: a pause", NOT_SIGNED_IN), (_think(),)),
                ),
            ),
            Node(web.if_true("Signed in: a round through the pages", SIGNED_IN, _NO_RESOURCES), tuple(pages)),
            Node(
                web.if_true("The time is up", OVER),
                (
                    Node(web.if_true("Sign out", SIGNED_IN), tuple(map(_sampler, workload.after))),
                    Node(jmx.stop_thread("Leave", "The load is over.")),
                ),
            ),
        ),
    )
    return Node(jar), Node(jmx.headers("As a browser on the Admin UI", browser)), group


def _trace() -> jmx.Element:
    """For each request of its own, since a turn here is a whole round."""
    return jmx.groovy("JSR223PreProcessor", "A trace for each request", "props.get('pacer').trace(vars)")


def _page(page: Page) -> Node:
    steps = (*map(_sampler, page.steps), _think())
    if page.once:
        steps = (Node(jmx.once_a_thread(f"{page.name}: in the first round"), steps),)
    return Node(web.if_true(f"{page.name}, unless the time is up", LASTS), steps)


def _think() -> Node:
    """After a page: so that the page after it need not begin when the time is up meanwhile."""
    timer = web.think_time("Think time", "${THINK_MS}", "${THINK_RANGE_MS}")
    return Node(jmx.do_nothing("Read it"), (Node(timer),))


def _sampler(step: Step) -> Node:
    path, mark, query = step.path.partition("?")
    url = path + mark + _filled(query, "__urlencode(${%s})")
    return Node(web.web_request(step.label, step.method, url, step.form), tuple(_below(step)))


def _below(step: Step) -> Iterator[Node]:
    if step.headers:
        yield Node(jmx.headers("Headers", step.headers))
    for take in step.takes:
        default = "" if take.keep else "none"
        yield Node(
            assertions.regex_extractor(
                f"Take {take.variable}",
                take.variable,
                take.pattern,
                "$1$",
                default,
                take.part == "headers",
                match=0,
            )
        )
    for look in step.looks:
        pattern = _filled(look.pattern, "__escapeOroRegexpChars(${%s},)")
        yield Node(
            assertions.part_assertion(
                look.name, look.part, pattern, otherwise=look.otherwise, absent=look.absent
            )
        )


def _filled(text: str, function: str) -> str:
    """``text`` with every variable in it passed through one of JMeter's functions."""
    return re.sub(r"\$\{(\w+)\}", lambda found: "${" + function % found[1] + "}", text)
