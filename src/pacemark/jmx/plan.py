"""A workload as a JMeter test plan that also stands on its own."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pacemark.jmx import elements as jmx
from pacemark.jmx import journey, mix, servers, sse, websocket
from pacemark.jmx.elements import Node, Variable
from pacemark.jmx.live import with_live_figures
from pacemark.workloads.connections import Connections
from pacemark.workloads.journey import Journey
from pacemark.workloads.load import Load, Stage
from pacemark.workloads.model import Mix, Workload
from pacemark.workloads.objective import OF_RUNS
from pacemark.workloads.servers import Servers
from pacemark.workloads.streams import Streams

SAMPLE_VARIABLES = ("late_ms", "trace_id", "waited")
"""What the pacing writes beside each sample, for JMeter's ``sample_variables``. ``waited`` is the last
column of a row and one character long, so that a row cut off by a kill can be told from a whole one."""

CONNECT_TIMEOUT_MS = 5_000
RESPONSE_TIMEOUT_MS = 30_000


class Body(NamedTuple):
    """What one kind of workload puts into a plan: variables of its own, and what its users do."""

    variables: Callable[[Any], list[Variable]]
    nodes: Callable[[Any], tuple[Node, ...]]
    options: str = ""
    """What its command line has besides, as the plan's comment shows it."""
    speaks_http: bool = True
    """Whether it has HTTP samplers."""


BODIES: dict[type[Workload], Body] = {
    Mix: Body(mix.variables, mix.nodes),
    Journey: Body(journey.variables, journey.nodes),
    Servers: Body(servers.variables, servers.nodes, servers.OPTIONS),
    Connections: Body(websocket.variables, websocket.nodes, speaks_http=False),
    Streams: Body(sse.variables, sse.nodes),
}

_COMMENT = """{summary}

Run it from any directory:
  jmeter -n -t {name}.jmx -JGATEWAY_URL=http://127.0.0.1:4444 {who}{options} -l samples.jtl
-JTHREADS, -JRAMP_UP, -JDURATION and {pace} change the load; -q properties/ci.properties makes it small.
{note}

JMeter exits with 0 whatever happened. For the verdict:
  pacemark stats samples.jtl --objectives {name}
{beyond}
Generated from the workload '{name}' by "pacemark plans write"; "pacemark plans check" tells when they differ.
Objectives: {objectives}."""


def property_of(workload: str, name: str) -> str:
    """The property by which a properties file sets ``name`` for one workload only."""
    return f"{workload}.{name}"


def load_properties(load: Load) -> dict[str, str]:
    """The plan's own names for the numbers of a load."""
    numbers = {
        "THREADS": str(load.threads),
        "RAMP_UP": str(load.ramp_up_s),
        "DURATION": str(load.duration_s),
    }
    if load.think_s:
        least_ms, most_ms = (round(seconds * 1000) for seconds in load.think_s)
        return numbers | {"THINK_MS": str(least_ms), "THINK_RANGE_MS": str(most_ms - least_ms)}
    return numbers | {"TARGET_RPS": f"{load.rate_per_s:.10g}"}


def render(workload: Workload, *, live: bool = False) -> bytes:
    """The ``.jmx`` file of a workload, the same bytes every time; ``live``: with figures for Prometheus."""
    body = BODIES[type(workload)]
    nodes = body.nodes(workload)
    defaults = Node(jmx.http_defaults("Connections", CONNECT_TIMEOUT_MS, RESPONSE_TIMEOUT_MS))
    return jmx.document(
        Node(
            jmx.plan_root(workload.title, _comment(workload), _variables(workload)),
            (
                # A sampler of another kind would take them in anew with every sample.
                *([defaults] if body.speaks_http else []),
                *(with_live_figures(nodes) if live else nodes),
                Node(jmx.results_tree("Every request and answer (enable in the GUI only)")),
            ),
        )
    )


def _comment(workload: Workload) -> str:
    if workload.signs_in:
        who, note = "-q FILE", "FILE, of mode 0600, has ADMIN_EMAIL=... and ADMIN_PASSWORD=..."
    else:
        who = "-JTOKEN=..."
        note = (
            "A token on a command line shows in the process list: a file of mode 0600 with TOKEN=... "
            "given by -q does not."
        )
    beyond = [one.metric for one in workload.objectives if one.metric in OF_RUNS]
    return _COMMENT.format(
        beyond=f'{_listed(beyond)} cannot be told from samples alone: "pacemark run" judges them.\n'
        if beyond
        else "",
        name=workload.name,
        who=who,
        note=note,
        pace="-JTHINK_MS" if workload.scales["full"].think_s else "-JTARGET_RPS",
        summary=workload.summary,
        options=BODIES[type(workload)].options,
        objectives=", ".join(str(objective) for objective in workload.objectives),
    )


def _listed(metrics: Sequence[str]) -> str:
    names = [metric.replace("_", " ") for metric in metrics]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _variables(workload: Workload) -> list[Variable]:
    described = {
        "THREADS": "Threads: concurrent virtual users",
        "RAMP_UP": "Seconds in which the threads start and the rate rises; part of the duration",
        "DURATION": "Seconds of load in all",
        "TARGET_RPS": "Requests a second, over all threads, after the ramp-up",
        "THINK_MS": "Think time after each page, at least, milliseconds",
        "THINK_RANGE_MS": "Think time, up to so many milliseconds more, evenly spread",
    }
    full = workload.scales["full"]
    if full.shape:
        described["RAMP_UP"] = "Seconds in which the threads start; part of the duration"
        described["TARGET_RPS"] = "Requests a second, over all threads, in the stages of the highest rate"
    items = [
        Variable(
            "GATEWAY_URL",
            "${__P(GATEWAY_URL,http://127.0.0.1:4444)}",
            "The gateway, without a slash at the end",
        ),
        Variable(
            "CERTIFICATES", "${__P(CERTIFICATES,)}", "verify, ignore, or empty: by HTTP none is looked at"
        ),
    ]
    if not workload.signs_in:
        items += [
            Variable("TOKEN", "${__P(TOKEN,)}", "Bearer token"),
            Variable(
                "TOKENS_FILE",
                "${__P(TOKENS_FILE,)}",
                "CSV with a column 'token': for each thread its own TOKEN",
            ),
        ]
    items += _of_apm(workload)
    for name, value in load_properties(full).items():
        default = f"${{__P({property_of(workload.name, name)},{value})}}"
        items.append(Variable(name, f"${{__P({name},{default})}}", described[name]))
    if full.shape:
        stages = "; ".join(_stage_text(stage) for stage in full.shape)
        note = "The load's shape; DURATION, TARGET_RPS and THREADS stretch it to theirs"
        items.append(Variable("STAGES", stages, note))
    items += BODIES[type(workload)].variables(workload)
    if workload.feeds:
        items.append(
            Variable("DATA_DIR", "${__P(DATA_DIR,data)}", "Folder of the CSV files; relative to this plan")
        )
    return items


def _of_apm(workload: Workload) -> list[Variable]:
    return [
        Variable(
            "APM", "${__P(APM,)}", "dynatrace, newrelic, appdynamics, otel: who is told of each request"
        ),
        Variable("TEST_NAME", "${__P(TEST_NAME,)}", "What it is told of this run; empty: name and time"),
        Variable("PLAN", workload.name, "What it is told of this plan"),
    ]


def _stage_text(stage: Stage) -> str:
    rates = f"{stage.from_per_s:g} to {stage.to_per_s:g}"
    return f"{stage.name}: {stage.seconds:g} s, {rates} a second, {stage.threads} threads"
