"""The JMeter plans."""

from pathlib import Path
from typing import Annotated

import typer

from pacemark.commands.terminal import complain, out, say
from pacemark.errors import Exit
from pacemark.jmx.files import out_of_step, write_plans
from pacemark.report import console as show
from pacemark.workloads import WORKLOADS

plans_app = typer.Typer(help="The JMeter plans.", rich_markup_mode=None)

PlansDir = Annotated[Path, typer.Option("--dir", help="Where the plans are.")]
PLANS = Path("tests/jmeter")


@plans_app.command("list")
def plans_list() -> None:
    """The test matrix: every workload with its load and objectives at scale full."""
    out.print(show.plans_table(WORKLOADS.values()))


@plans_app.command("write")
def plans_write(folder: PlansDir = PLANS) -> None:
    """Write every plan, its properties and its data from the workloads."""
    for path in write_plans(folder):
        say(f"{path}")


@plans_app.command("check")
def plans_check(folder: PlansDir = PLANS) -> int:
    """Exit with 1 when a plan is not what its workload says."""
    wrong = out_of_step(folder)
    for line in wrong:
        complain(f"{line}: run pacemark plans write")
    return Exit.MISSED if wrong else Exit.PASS
