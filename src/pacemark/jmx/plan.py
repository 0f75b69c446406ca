"""A workload as a JMeter test plan that also stands on its own."""

from importlib import resources

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node, Variable
from pacemark.workloads.load import Load
from pacemark.workloads.model import Request, Workload

SAMPLE_VARIABLES = ("late_ms", "waited")
"""What the pacing writes beside each sample, for JMeter's ``sample_variables``. ``waited`` is the last
column of a row and one character long, so that a row cut off by a kill can be told from a whole one."""

NEXT_REQUEST = "${__jexl3(props.get('pacer').take(ctx))}"
"""Waits for the next slot and names its request. JMeter compiles such an expression once a thread if it has
fewer than 64 characters."""

CONNECT_TIMEOUT_MS = 5_000
RESPONSE_TIMEOUT_MS = 30_000
PACING_ENDS_FIRST_S = 40
"""The pacing ends the load; the thread group's own clock is its backstop. It starts a second earlier, and a
request in flight at the end may take its whole time-out before its thread sees that the slots are gone."""

_COMMENT = """{summary}

Run it from any directory:
  jmeter -n -t {name}.jmx -JGATEWAY_URL=http://127.0.0.1:4444 -JTOKEN=... -l samples.jtl
-JTHREADS, -JRAMP_UP, -JDURATION and -JTARGET_RPS change the load; -q properties/ci.properties makes it small.
A token on a command line shows in the process list: a file of mode 0600 with TOKEN=... given by -q does not.

JMeter exits with 0 whatever happened. For the verdict:
  pacemark stats samples.jtl --objectives {name}

Generated from the workload '{name}' by "pacemark plans write"; "pacemark plans check" tells when they differ.
Objectives: {objectives}."""


def property_of(workload: str, name: str) -> str:
    """The property by which a properties file sets ``name`` for one workload only."""
    return f"{workload}.{name}"


def load_properties(load: Load) -> dict[str, str]:
    """The plan's own names for the numbers of a load."""
    return {
        "THREADS": str(load.threads),
        "RAMP_UP": str(load.ramp_up_s),
        "DURATION": str(load.duration_s),
        "TARGET_RPS": f"{load.rate_per_s:.10g}",
    }


def render(workload: Workload) -> bytes:
    """The ``.jmx`` file of a workload, the same bytes every time."""
    return jmx.document(
        Node(
            jmx.plan_root(workload.title, _comment(workload), _variables(workload)),
            (
                Node(jmx.http_defaults("Connections", CONNECT_TIMEOUT_MS, RESPONSE_TIMEOUT_MS)),
                Node(_headers(workload)),
                _group(workload),
                Node(jmx.results_tree("Every request and answer (enable in the GUI only)")),
            ),
        )
    )


def _comment(workload: Workload) -> str:
    return _COMMENT.format(
        name=workload.name,
        summary=workload.summary,
        objectives=", ".join(str(objective) for objective in workload.objectives),
    )


def _variables(workload: Workload) -> list[Variable]:
    described = {
        "THREADS": "Threads: concurrent virtual users",
        "RAMP_UP": "Seconds in which the threads start and the rate rises; part of the duration",
        "DURATION": "Seconds of load in all",
        "TARGET_RPS": "Requests a second, over all threads, after the ramp-up",
    }
    items = [
        Variable(
            "GATEWAY_URL",
            "${__P(GATEWAY_URL,http://127.0.0.1:4444)}",
            "The gateway, without a slash at the end",
        ),
        Variable("TOKEN", "${__P(TOKEN,)}", "Bearer token"),
    ]
    if any("MCP_RPC_ENDPOINT" in request.path for request in workload.requests):
        items.append(Variable("MCP_RPC_ENDPOINT", "${__P(MCP_RPC_ENDPOINT,/rpc)}", "The JSON-RPC endpoint"))
    for name, value in load_properties(workload.scales["full"]).items():
        default = f"${{__P({property_of(workload.name, name)},{value})}}"
        items.append(Variable(name, f"${{__P({name},{default})}}", described[name]))
    mix = "; ".join(f"{request.weight:g}% {request.label}" for request in workload.requests)
    items.append(Variable("MIX", mix, "Share of each request, by its sampler's name"))
    if workload.feeds:
        items.append(
            Variable("DATA_DIR", "${__P(DATA_DIR,data)}", "Folder of the CSV files; relative to this plan")
        )
    return items


def _headers(workload: Workload) -> jmx.Element:
    items = {"Authorization": "Bearer ${TOKEN}", "Accept": "application/json"}
    if any(request.body for request in workload.requests):
        items["Content-Type"] = "application/json"
    return jmx.headers("Token and formats", items)


def _group(workload: Workload) -> Node:
    pacing = Node(jmx.groovy("JSR223Timer", "Pacing: one slot a request", script("pacing")))
    clock = Node(
        jmx.once_a_thread("Before the first request"), (Node(jmx.do_nothing("Start the clock"), (pacing,)),)
    )
    # First, for an expression that failed is empty and takes the first.
    end = Node(jmx.stop_thread("default", "No slot is left, or the pacing failed: the thread ends."))
    choices = tuple(_choice(request) for request in workload.requests)
    slots = Node(jmx.switch("The request of the next slot", NEXT_REQUEST), (end, *choices))
    group = jmx.thread_group(
        f"{workload.title}: users",
        "${THREADS}",
        "${RAMP_UP}",
        f"${{__intSum(${{DURATION}},{PACING_ENDS_FIRST_S})}}",
        f"The pacing ends the load after DURATION seconds. This group's clock, {PACING_ENDS_FIRST_S} s "
        "longer, only guards against a pacing that does not.",
    )
    return Node(group, (clock, slots))


def _choice(request: Request) -> Node:
    check = request.check
    sampler = Node(
        jmx.http_request(request.label, request.method, "${GATEWAY_URL}" + request.path, request.body),
        (
            # First: when it passes it leaves no message, where the JSON assertion leaves an empty one,
            # and JMeter writes the first message there is.
            *(Node(jmx.absence_assertion(absence.name, absence.pattern)) for absence in request.absences),
            # Below its own sampler: a function's value, and so the id, is kept for a whole iteration.
            Node(jmx.json_assertion(check.name, check.path, check.expect, check.regex)),
        ),
    )
    if not request.feeds:
        return sampler
    # Below a controller a data set is read once for each of these requests, not for all the others too.
    feeds = (
        Node(jmx.csv_data(f"Next row of {feed}.csv", f"${{DATA_DIR}}/{feed}.csv")) for feed in request.feeds
    )
    return Node(jmx.simple_controller(request.label), (*feeds, sampler))


def script(name: str) -> str:
    """A Groovy script of this room, as it stands in a plan."""
    text = resources.files("pacemark.jmx").joinpath(f"{name}.groovy").read_text(encoding="utf-8")
    # JMeter would replace it, in comments too: once and for all, or defeating the compiled script's cache.
    assert "${" not in text, f"{name}.groovy holds a JMeter variable"
    return text
