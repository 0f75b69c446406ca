"""What every plan of ours shares: the thread group, its clock, and the end of its slots."""

from collections.abc import Iterable
from importlib import resources

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node

PACING_ENDS_FIRST_S = 40
"""The pacing ends the load; the thread group's own clock is its backstop. It starts a second earlier, and a
request in flight at the end may take its whole time-out before its thread sees that the slots are gone."""
TRACE = {"X-Correlation-ID": "${trace_id}", "traceparent": "${traceparent}"}
"""Headers by which a request can be found in the gateway's logs and traces. The pacing sets their values, and
takes the headers away where ``TRACING`` is ``false``."""
NEXT = "${NEXT}"
"""What a turn is for: the number of one of the switch's choices. The pacing sets it."""


def users(title: str, before: Iterable[Node], turn: Iterable[Node]) -> Node:
    """The thread group: what each user does ``before``, and what in each ``turn`` until the load is over.

    Turns are those of a loop of our own: with each of the thread group's own JMeter visits every sampler of
    the plan anew, which costs a tenth of a request.
    """
    group = jmx.thread_group(
        f"{title}: users",
        "${__P(WORKER_THREADS,${THREADS})}",
        "${RAMP_UP}",
        f"${{__intSum(${{DURATION}},{PACING_ENDS_FIRST_S})}}",
        f"The pacing ends the load after DURATION seconds. This group's clock, {PACING_ENDS_FIRST_S} s "
        "longer, only guards against a pacing that does not.",
    )
    turns = Node(jmx.loop_forever("Until the load is over"), tuple(turn))
    return Node(group, (access(), *before, turns))


def access() -> Node:
    """Before anything connects: which certificates are accepted, once a test, and for each thread its own
    token and what its requests tell an APM."""
    timer = Node(jmx.groovy("JSR223Timer", "Certificates, and this thread's token", script("access")))
    tags = Node(jmx.groovy("JSR223Timer", "Tags for an APM", script("apm")))
    return Node(jmx.do_nothing("Before the first connection"), (timer, tags))


def clock(asked: str, *before: Node, does: str = "one slot a request") -> Node:
    """Starts the pacing, once a test, whichever thread comes first. Timers ``before`` it act first.

    ``asked`` is the object, put into JMeter's properties by a script, that says at the start of each turn
    what is ``NEXT``. Where it is empty none is.
    """
    pacing = Node(jmx.groovy("JSR223Timer", f"Pacing: {does}", script("pacing"), asked))
    return Node(jmx.do_nothing("Start the clock"), (*before, pacing))


def switch(name: str, *choices: Node) -> Node:
    """Does what ``NEXT`` names: one of the choices, or the end of the thread."""
    # First, for without a name the first is taken.
    end = Node(jmx.stop_thread("default", "No slot is left, or the pacing failed: the thread ends."))
    return Node(jmx.switch(name, NEXT), (end, *choices))


def script(name: str) -> str:
    """A Groovy script of this room, as it stands in a plan."""
    text = resources.files("pacemark.jmx").joinpath(f"{name}.groovy").read_text(encoding="utf-8")
    # JMeter would replace it, in comments too: once and for all, or defeating the compiled script's cache.
    assert "${" not in text, f"{name}.groovy holds a JMeter variable"
    return text
