"""The history of a results folder."""

from pathlib import Path
from typing import Annotated

import typer

from pacemark.commands.terminal import AsJson, complain, out, print_json, tell
from pacemark.report.history import trends_shown, write_page
from pacemark.results.history import read, rebuild
from pacemark.results.trends import trends
from pacemark.settings import File
from pacemark.workloads import workload


def history(
    name: Annotated[str | None, typer.Argument(metavar="[WORKLOAD]", help="[default: all]")] = None,
    label: Annotated[str | None, typer.Option(help="Of this label only.")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="The folder of results. [default: results]")
    ] = None,
    html_file: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page.")] = None,
    anew: Annotated[
        bool, typer.Option("--rebuild", help="Make the history anew from the runs' directories.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The trend of a folder of runs, and where it changed for good.

    Only runs of the same kind (load, machine, engine) share a trend; invalid ones are in none.
    """
    folder = out_dir or Path(File.read(Path()).out or "results")
    one = workload(name).name if name else None
    lines, unreadable = rebuild(folder) if anew else read(folder)
    for line in unreadable:
        complain(line)
    found = trends(lines, workload=one, label=label)
    left_out = sum(line.verdict == "invalid" and one in (None, line.workload) for line in lines)
    if as_json:
        print_json({"left_out": left_out, "trends": [trend.model_dump(mode="json") for trend in found]})
    else:
        out.print(trends_shown(found, left_out))
    if html_file:
        write_page(html_file, found, left_out, title=f"History of {one or folder}")
        tell(f"History: {html_file}")
