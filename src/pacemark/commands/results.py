"""Results: figures, reports, baselines."""

from pathlib import Path
from typing import Annotated

import typer

from pacemark.commands.terminal import AsJson, complain, out, print_json, say, tell
from pacemark.errors import InputError
from pacemark.report import console as show
from pacemark.report.document import summary_document
from pacemark.results import baselines
from pacemark.settings import milliseconds, seconds
from pacemark.stats import Question, answer
from pacemark.workloads import workload

baseline_app = typer.Typer(help="Named baselines to compare with.", rich_markup_mode=None)


ExpectedInterval = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Such as 50ms, from one request of a thread to its next (threads / rate): corrects coordinated "
        "omission in samples from elsewhere.",
    ),
]


def stats(
    source: Annotated[Path, typer.Argument(metavar="RUN|JTL|DIGEST")],
    label: Annotated[str | None, typer.Option(help="Only this label.")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From the first sample.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="From the first sample; not included.")
    ] = None,
    warm_up: Annotated[
        str | None, typer.Option(metavar="TIME", help="Leave out the beginning; 0 shows all of a run.")
    ] = None,
    objectives: Annotated[
        str | None, typer.Option(metavar="WORKLOAD", help="Judge by its objectives; 1 on a miss.")
    ] = None,
    expected_interval: ExpectedInterval = None,
    as_json: AsJson = False,
) -> int:
    """Exact figures of a run's measured window, of a JTL or of a digest."""
    question = Question(
        source=source,
        label=label,
        from_s=None if from_ is None else seconds(from_),
        to_s=None if to is None else seconds(to),
        warm_up_s=None if warm_up is None else seconds(warm_up),
        workload=None if objectives is None else workload(objectives),
        expected_interval_ms=None if expected_interval is None else milliseconds(expected_interval),
    )
    found = answer(question)
    for note in found.notes:
        tell(note)
    if as_json:
        judged = [one.model_dump(mode="json") for one in found.objectives]
        corrected = found.correction.figures if found.correction else None
        document = summary_document(found.summary, corrected)
        print_json(document | ({"objectives": judged} if judged else {}))
    else:
        out.print(show.summary_table(found.summary))
        if found.correction:
            out.print(show.corrected_table(found.correction.figures))
        if found.objectives:
            out.print(show.objectives_table(found.objectives))
    for line in found.failures:
        complain(line)
    return found.exit_status


def report_command(
    source: Annotated[Path, typer.Argument(metavar="RUN|JTL|DIGEST|RESULTS")],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="[default: the run, or pacemark-report]")
    ] = None,
    objectives: Annotated[
        str | None,
        typer.Option(metavar="WORKLOAD", help="Judge samples by its objectives; a run has its own."),
    ] = None,
    expected_interval: ExpectedInterval = None,
) -> None:
    """Write the HTML report, summary.json and summary.md of a run, a JTL or a digest.

    Of a folder of results, the page that lists all its runs."""
    from pacemark.report.files import write_all  # a quarter of a second to import
    from pacemark.report.overview import is_results, write_overview

    if is_results(source):
        if out_dir or objectives or expected_interval:
            raise InputError("the page of all runs takes no options", "it is written into the folder itself")
        say(f"{write_overview(source)}")
        return
    interval_ms = None if expected_interval is None else milliseconds(expected_interval)
    judged_by = None if objectives is None else workload(objectives)
    found = answer(Question(source=source, workload=judged_by, expected_interval_ms=interval_ms))
    if found.record and objectives:
        raise InputError(f"{source} is a run: it has its own objectives", "leave --objectives out")
    directory = out_dir or (source if source.is_dir() else Path("pacemark-report"))
    directory.mkdir(parents=True, exist_ok=True)
    write_all(
        directory,
        found.record,
        found.digest,
        found.summary,
        title=found.title,
        correction=found.correction,
        objectives=found.objectives,
    )
    say(f"{directory / 'index.html'}")


@baseline_app.command("save")
def baseline_save(
    source: Annotated[Path, typer.Argument(metavar="RUN")],
    name: Annotated[str, typer.Argument(metavar="NAME")],
    force: Annotated[bool, typer.Option("--force", help="Replace one of that name.")] = False,
) -> None:
    """Keep a run under a name, in baselines/."""
    kept = baselines.save(source, name, overwrite=force)
    say(f"{kept.path}")


@baseline_app.command("list")
def baseline_list() -> None:
    """The kept baselines."""
    out.print(show.baselines_table(baselines.list_all()))


@baseline_app.command("show")
def baseline_show(name: str) -> None:
    """One baseline: what it was, and its figures."""
    kept = baselines.show(name)
    out.print(show.verdict_panel(kept.record))
    out.print(show.summary_table(kept.summary()))
