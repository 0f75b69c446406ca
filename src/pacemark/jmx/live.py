"""JMeter's own figures while it works, on an endpoint that Prometheus scrapes: only in the plan of a run that
asks for it, for the listener is a plugin's."""

from collections.abc import Iterable

from lxml import etree

from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node
from pacemark.jmx.pacing import script

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30)
"""Upper bounds of the histogram's buckets; the request's objectives (50, 200, 300, 500 ms) are among them."""
HOST = "127.0.0.1"
LINGER_S = 6
"""The endpoint outlives the last sample so long, so that whoever scrapes every 5 s gets the final figures."""

_LISTENER = "com.github.johrstrom.listener.PrometheusListener"


def with_live_figures(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """A plan's nodes, with what gives the figures: a listener, a timer that its first thread runs, and a
    group that begins when all others have ended, for the endpoint ends with the last of them."""
    return (Node(_listener()), *map(_begun, nodes), _lingering())


def live_properties(port: int, host: str = HOST) -> dict[str, str]:
    """JMeter's properties for the endpoint ``http://HOST:PORT/metrics``."""
    return {
        "prometheus.ip": host,
        "prometheus.port": str(port),
        # Every scrape would look for deadlocks, for which all threads stand still.
        "prometheus.save.jvm": "false",
        "prometheus.save.threads": "true",
    }


def _listener() -> jmx.Element:
    # None of the plugin's own collectors: see live.groovy.
    none = etree.Element("collectionProp", name="prometheus.collector_definitions")
    gui = "com.github.johrstrom.listener.gui.PrometheusListenerGui"
    return jmx.element(_LISTENER, gui, "Live figures for Prometheus", [none])


def _lingering() -> Node:
    title = "The live figures outlast the load"
    group = jmx.tear_down_group(title, f"For {LINGER_S} s; it sends nothing.")
    return Node(group, (Node(jmx.pause("So that the last of them are scraped", LINGER_S * 1000)),))


def _begun(node: Node) -> Node:
    if node.element.tag != "ThreadGroup":
        return node
    bounds = " ".join(map(str, BUCKETS_S))
    timer = Node(jmx.groovy("JSR223Timer", "Live figures", script("live"), bounds))
    return Node(node.element, (Node(jmx.do_nothing("Before the first sample"), (timer,)), *node.children))
