"""``index.html``: the whole report as one page that opens from disk and asks no network for anything."""

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pacemark import __version__
from pacemark.report import numerals, wording
from pacemark.report.atomic import write_text
from pacemark.report.charts import MAX_LABELS, chart_data
from pacemark.report.failures import failures
from pacemark.results import verdict as limits
from pacemark.results.digest import Digest
from pacemark.results.omission import Correction
from pacemark.results.record import JudgedObjective, RunRecord, Section
from pacemark.results.statistics import Summary

MAX_FAILURES = 60
LATENCIES = {
    "mean": "Mean",
    "p50": "p50",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
    "p999": "p99.9",
    "max": "Max",
}


def render(
    record: RunRecord | None,
    digest: Digest,
    summary: Summary,
    *,
    title: str,
    correction: Correction | None = None,
    objectives: Sequence[JudgedObjective] = (),
) -> str:
    """The page as text. ``record`` is None for samples that came without a run: no verdict, no target, and
    ``objectives`` are those that were put on them.

    Everything a server, a user or a machine wrote is escaped; scripts and styles are the page's own and
    allowed by their hash alone, and the content security policy allows nothing else.
    """
    data = chart_data(record, digest, summary, correction, objectives)
    failed = failures(summary)
    lead, others = _in_order(record)
    return rendered(
        "index.html",
        "charts.js",
        title=title,
        record=record,
        objectives=wording.judged(record, objectives),
        digest=digest,
        summary=summary,
        data=embedded_json(data),
        charts=data,
        corrected=correction.figures if correction else None,
        lead=lead,
        others=others,
        failed=failed[:MAX_FAILURES],
        failed_more=failed[MAX_FAILURES:],
        latencies=LATENCIES,
        max_labels=MAX_LABELS,
        words=wording,
        limits=limits,
    )


def write(
    path: Path,
    record: RunRecord | None,
    digest: Digest,
    summary: Summary,
    *,
    title: str,
    correction: Correction | None = None,
    objectives: Sequence[JudgedObjective] = (),
) -> None:
    """Write the page to ``path``, whole or not at all."""
    page = render(record, digest, summary, title=title, correction=correction, objectives=objectives)
    write_text(path, page)


class Placed(NamedTuple):
    """A section of the record, with its number in it and that of its first chart."""

    number: int
    first_chart: int
    section: Section


def _in_order(record: RunRecord | None) -> tuple[Placed | None, list[Placed]]:
    """The section whose picture answers the workload's question, and the others; the first is None where
    latency and rate are the answer."""
    sections = record.sections if record else []
    firsts = accumulate((len(section.charts) for section in sections), initial=0)
    placed = [Placed(n, first, one) for n, (first, one) in enumerate(zip(firsts, sections, strict=False), 1)]
    own = (one for one in placed if not one.section.is_background)
    lead = next((one for one in own if one.section.has_picture), None)
    return lead, [one for one in placed if one is not lead]


def embedded_json(value: Any) -> Markup:
    """JSON that stays text inside a script element, whatever strings it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&"}))  # noqa: S704


def rendered(template: str, own_script: str | None = None, **values: Any) -> str:
    """A page of the room's, with the style, the policy and the scripts that all share."""
    page = _environment().get_template(template)
    return page.render(**values, version=__version__, **_inlined(own_script))


@cache
def _environment() -> Environment:
    """The room's templates, with the numerals and what their mark means as filters; all is escaped."""
    made = Environment(
        loader=PackageLoader("pacemark.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "number": numerals.count,
        "ms": numerals.milliseconds,
        "latency": numerals.latency,
        "percent": numerals.percent,
        "rate": numerals.rate,
        "plain": numerals.plain,
        "size": numerals.size,
        "duration": numerals.duration,
        "clock": numerals.clock,
        "limit": numerals.limit,
        "judged": numerals.judged_value,
        "cell": numerals.cell,
        "legend": wording.legend,
    }
    return made


@cache
def _inlined(own_script: str | None) -> dict[str, Markup]:
    """A page's style, its scripts where it has one of its own, and the policy that allows just them."""
    scripts: dict[str, str] = {}
    if own_script:
        scripts["chart_library"] = _text("vendor/uplot/uPlot.iife.min.js")
        scripts["script"] = _text("templates/chart_kit.js") + _text(f"templates/{own_script}")
    chart_style = _text("vendor/uplot/uPlot.min.css") if own_script else ""
    parts = {"style": chart_style + _text("templates/page.css"), **scripts}
    allowed = " ".join(map(_hash, scripts.values())) or "'none'"
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {_hash(parts['style'])}; script-src {allowed}"
    )
    return {name: Markup(text) for name, text in (parts | {"policy": policy}).items()}  # noqa: S704


def _text(name: str) -> str:
    return (files("pacemark.report") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
