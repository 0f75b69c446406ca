"""What requests of all kinds have below them: the checks of the answer; and above: the data they take."""

from collections.abc import Sequence

from pacemark.jmx import assertions
from pacemark.jmx import elements as jmx
from pacemark.jmx.elements import Node
from pacemark.workloads.model import Absence, Check, Feed


def checks(check: Check, absences: Sequence[Absence]) -> tuple[Node, ...]:
    """What must hold of an answer. They stand below their own sampler."""
    return (
        # First: when it passes it leaves no message, where the JSON assertion leaves an empty one,
        # and JMeter writes the first message there is.
        *(Node(assertions.absence_assertion(absence.name, absence.pattern)) for absence in absences),
        Node(assertions.json_assertion(check.name, check.path, check.expect, check.regex)),
    )


def fed(label: str, sampler: Node, feeds: Sequence[Feed]) -> Node:
    """The sampler with the data files whose next row it takes."""
    if not feeds:
        return sampler
    # Below a controller a data set is read once for each of these requests, not for all the others too.
    rows = (Node(jmx.csv_data(f"Next row of {feed}.csv", f"${{DATA_DIR}}/{feed}.csv")) for feed in feeds)
    return Node(jmx.simple_controller(label), (*rows, sampler))
