"""A comparison as one page that opens from disk and asks no network for anything."""

from pathlib import Path

from pacemark.errors import PacemarkError
from pacemark.report import comparison as words
from pacemark.report.atomic import write_text
from pacemark.report.charts import MAX_LABELS
from pacemark.report.html import embedded_json, rendered
from pacemark.report.lines import side_charts
from pacemark.results.digest import Digest, merge
from pacemark.results.sides import Sides

SHAPES = {"worse": "fail", "better": "pass", "same": "pass", "inconclusive": "invalid"}
TONES = {
    "worse": "missed",
    "better": "met",
    "same": "met",
    "inconclusive": "warning",
    "not comparable": "warning",
}


def render(sides: Sides, *, title: str) -> str:
    """The page as text: what changed, worst first, and both sides' curves and time lines over one another.

    Past ``MAX_LABELS`` the least frequent labels have no charts of their own; they are in the tables.
    """
    pooled = {
        "baseline": merge(sides.baseline.digests).without_lifetimes(),
        "current": merge(sides.current.digests).without_lifetimes(),
    }
    basis = sides.comparison.basis
    views = [{"name": words.ALL_LABELS, "charts": side_charts(pooled, basis)}]
    views += [
        {"name": label, "charts": side_charts({side: one.only(label) for side, one in pooled.items()}, basis)}
        for label in _shown(pooled["baseline"], pooled["current"])
    ]
    return rendered(
        "comparison.html",
        "lines.js",
        title=title,
        sides=sides,
        comparison=sides.comparison,
        words=words,
        all_labels=words.ALL_LABELS,
        shapes=SHAPES,
        tones=TONES,
        views=views,
        data=embedded_json({"views": views}),
    )


def write(path: Path, sides: Sides) -> None:
    """Write the page to ``path``, whole or not at all."""
    title = f"{' '.join(sides.current.names)} against {', '.join(sides.baseline.names)}"
    write_text(path, render(sides, title=title))


def write_refusal(path: Path, why: PacemarkError, *, title: str) -> None:
    """Write a page that only says why there was nothing to compare."""
    write_text(path, rendered("refusal.html", title=title, why=why))


def _shown(before: Digest, after: Digest) -> list[str]:
    common = set(before.labels) & set(after.labels)
    counts = {label: one.count for label, one in after.by_label(common).items()}
    frequent = sorted(common, key=lambda label: -counts[label])[:MAX_LABELS]
    return sorted(frequent)
