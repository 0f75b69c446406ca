"""Comparisons: print them, write them, exit by them."""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pacemark.commands.terminal import AsJson, complain, out, print_json, tell
from pacemark.errors import Exit, InputError, PacemarkError
from pacemark.report import comparison_page, junit
from pacemark.report import console as show
from pacemark.report.atomic import write_bytes
from pacemark.report.comparison import (
    comparison_markdown,
    not_comparable_markdown,
    not_compared_markdown,
    regression_lines,
)
from pacemark.results.compare import Comparison
from pacemark.results.sides import NotComparableError, Sides, compare_sides
from pacemark.results.threshold import Threshold, parse_share
from pacemark.workloads.objective import Basis


class BasisName(StrEnum):
    """What latencies are counted from."""

    ELAPSED = "elapsed"
    RESPONSE = "response"


def compare(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="BASELINE... CURRENT", help="Names, runs, folders of runs, JTLs, digests."),
    ],
    p50: Annotated[str | None, typer.Option("--threshold-p50", help="Such as 10% or 20ms.")] = None,
    p90: Annotated[str | None, typer.Option("--threshold-p90")] = None,
    p95: Annotated[str | None, typer.Option("--threshold-p95", help="[default: 10%]")] = None,
    p99: Annotated[str | None, typer.Option("--threshold-p99")] = None,
    mean: Annotated[str | None, typer.Option("--threshold-mean")] = None,
    throughput: Annotated[
        str | None, typer.Option("--threshold-throughput", help="Such as 5% or 20/s.")
    ] = None,
    error: Annotated[
        str | None, typer.Option("--threshold-error", help="Percentage points. [default: 0.5%]")
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT",
            help="What latencies of like runs differ by, where neither runs nor a history tell. "
            "[default: 12% at p95]",
        ),
    ] = None,
    basis: Annotated[
        BasisName,
        typer.Option(
            help="Count latencies from sending, or from when the request was due.", show_default=True
        ),
    ] = BasisName.ELAPSED,
    force: Annotated[
        bool, typer.Option("--force", help="Compare even what is not of the same kind.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 where it is inconclusive.")] = False,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page with both sides' charts.")
    ] = None,
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit's XML.")
    ] = None,
) -> int:
    """Compare the last of the sources with those before it; a folder of runs stands for all of them.

    What got worse beyond its threshold and beyond the noise is a regression. One run on each side sees only
    coarse changes; what cannot be told is inconclusive, exits with 0, and says how many runs would tell.
    """
    if as_json and markdown:
        raise InputError("--json and --markdown exclude each other", "give one of them")
    given = {
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "mean": mean,
        "throughput": throughput,
        "error": error,
    }
    try:
        sides = _compared(sources, given, noise, basis.value, force=force)
    except PacemarkError as why:
        _tell_refusal(why, as_json=as_json, markdown=markdown)
        # Else the files would go on telling of an earlier comparison.
        if html_file:
            comparison_page.write_refusal(html_file, why, title=" ".join(sources))
        if junit_file:
            write_bytes(junit_file, junit.refusal_xml(why))
        raise
    if as_json:
        print_json(sides.comparison.model_dump(mode="json"))
    elif markdown:
        sys.stdout.write(comparison_markdown(sides.comparison))
    else:
        out.print(show.comparison_table(sides.comparison))
    if html_file:
        comparison_page.write(html_file, sides)
        tell(f"Comparison: {html_file}")
    if junit_file:
        write_bytes(junit_file, junit.comparison_xml(sides.comparison))
    return ended(sides.comparison, strict=strict)


def _compared(
    sources: Sequence[str],
    given: Mapping[str, str | None],
    noise: str | None,
    basis: Basis,
    *,
    force: bool,
) -> Sides:
    if len(sources) < 2:
        raise InputError("compare needs a baseline and what to compare with it", "give BASELINE... CURRENT")
    thresholds = [Threshold.parse(metric, text) for metric, text in given.items() if text is not None]
    told = None if noise is None else parse_share(noise)
    return compare_sides(sources[:-1], sources[-1], thresholds, told=told, basis=basis, force=force)


def _tell_refusal(why: PacemarkError, *, as_json: bool, markdown: bool) -> None:
    if as_json and isinstance(why, NotComparableError):
        print_json({"verdict": "not comparable", "differing": why.differing})
    elif as_json:
        print_json({"verdict": "not compared", "why": str(why)})
    elif markdown and isinstance(why, NotComparableError):
        sys.stdout.write(not_comparable_markdown(why.differing))
    elif markdown:
        sys.stdout.write(not_compared_markdown(why))


def ended(comparison: Comparison, *, strict: bool = False) -> Exit:
    """Complain of each regression; the exit status that the comparison's verdict has."""
    for line in regression_lines(comparison):
        complain(line)
    if comparison.verdict == "worse":
        return Exit.MISSED
    return Exit.INVALID if strict and comparison.verdict == "inconclusive" else Exit.PASS
