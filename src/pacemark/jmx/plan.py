"""A workload as a JMeter test plan that also stands on its own."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pacemark.jmx import elements as jmx
from pacemark.jmx import mix
from pacemark.jmx.elements import Node, Variable
from pacemark.workloads.load import Load, Stage
from pacemark.workloads.model import Mix, Workload

SAMPLE_VARIABLES = ("late_ms", "waited")
"""What the pacing writes beside each sample, for JMeter's ``sample_variables``. ``waited`` is the last
column of a row and one character long, so that a row cut off by a kill can be told from a whole one."""

CONNECT_TIMEOUT_MS = 5_000
RESPONSE_TIMEOUT_MS = 30_000


class Body(NamedTuple):
    """What one kind of workload puts into a plan: variables of its own, and what its users do."""

    variables: Callable[[Any], list[Variable]]
    nodes: Callable[[Any], tuple[Node, ...]]


BODIES: dict[type[Workload], Body] = {Mix: Body(mix.variables, mix.nodes)}

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
                *BODIES[type(workload)].nodes(workload),
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
        Variable("TOKEN", "${__P(TOKEN,)}", "Bearer token"),
        Variable(
            "TOKENS_FILE", "${__P(TOKENS_FILE,)}", "CSV with a column 'token': for each thread its own TOKEN"
        ),
        Variable(
            "CERTIFICATES", "${__P(CERTIFICATES,)}", "verify, ignore, or empty: by HTTP none is looked at"
        ),
    ]
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


def _stage_text(stage: Stage) -> str:
    rates = f"{stage.from_per_s:g} to {stage.to_per_s:g}"
    return f"{stage.name}: {stage.seconds:g} s, {rates} a second, {stage.threads} threads"
