"""What every plan of ours shares: the thread group, its clock, and the end of its slots."""

from importlib import resources

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node

PACING_ENDS_FIRST_S = 40
"""The pacing ends the load; the thread group's own clock is its backstop. It starts a second earlier, and a
request in flight at the end may take its whole time-out before its thread sees that the slots are gone."""


def users(title: str, *children: Node) -> Node:
    """The thread group. What stands in it runs until the pacing says that the load is over."""
    group = jmx.thread_group(
        f"{title}: users",
        "${__P(WORKER_THREADS,${THREADS})}",
        "${RAMP_UP}",
        f"${{__intSum(${{DURATION}},{PACING_ENDS_FIRST_S})}}",
        f"The pacing ends the load after DURATION seconds. This group's clock, {PACING_ENDS_FIRST_S} s "
        "longer, only guards against a pacing that does not.",
    )
    return Node(group, (access(), *children))


def access() -> Node:
    """Before anything connects: which certificates are accepted, once a test, and each thread's own token."""
    timer = Node(jmx.groovy("JSR223Timer", "Certificates, and this thread's token", script("access")))
    return Node(
        jmx.once_a_thread("Before the first connection"), (Node(jmx.do_nothing("Get access"), (timer,)),)
    )


def clock(*before: Node, does: str = "one slot a request") -> Node:
    """Starts the pacing, once a test, whichever thread comes first. Timers ``before`` it act first."""
    pacing = Node(jmx.groovy("JSR223Timer", f"Pacing: {does}", script("pacing")))
    start = Node(jmx.do_nothing("Start the clock"), (*before, pacing))
    return Node(jmx.once_a_thread("Before the first request"), (start,))


def end_of_slots() -> Node:
    """The choice that ends the thread. First in its switch, for an expression that failed takes the first."""
    return Node(jmx.stop_thread("default", "No slot is left, or the pacing failed: the thread ends."))


def script(name: str) -> str:
    """A Groovy script of this room, as it stands in a plan."""
    text = resources.files("pacemark.jmx").joinpath(f"{name}.groovy").read_text(encoding="utf-8")
    # JMeter would replace it, in comments too: once and for all, or defeating the compiled script's cache.
    assert "${" not in text, f"{name}.groovy holds a JMeter variable"
    return text
