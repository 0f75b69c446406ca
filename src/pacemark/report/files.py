"""The files of a report, in a run's directory."""

import json
from collections.abc import Sequence
from pathlib import Path

from pacemark.report import html, junit
from pacemark.report.atomic import write_bytes, write_text
from pacemark.report.document import summary_document
from pacemark.report.markdown import summary_markdown
from pacemark.results.digest import Digest
from pacemark.results.omission import Correction
from pacemark.results.record import JudgedObjective, RunRecord
from pacemark.results.statistics import Summary


def write_all(
    directory: Path,
    record: RunRecord | None,
    digest: Digest,
    summary: Summary,
    *,
    title: str | None = None,
    correction: Correction | None = None,
    objectives: Sequence[JudgedObjective] = (),
) -> None:
    """Write ``summary.json``, ``summary.md``, ``index.html`` and, of a run, ``junit.xml``.

    Each file is written whole or not at all. ``digest`` is the whole recording, ``summary`` the measured
    window's. Without a record (a bare JTL) there is no verdict, so no ``junit.xml``; ``title`` is then the
    file's name, and ``objectives`` are those that were put on it. With a ``correction`` its figures stand
    beside the measured ones, as ``corrected``.

    Raises:
        OSError: ``directory`` cannot be written to.
    """
    title = title or (record.title if record else directory.name)
    corrected = correction.figures if correction else None
    write_text(directory / "summary.json", json.dumps(summary_document(summary, corrected), indent=2) + "\n")
    told = summary_markdown(record, summary, title=title, corrected=corrected, objectives=objectives)
    write_text(directory / "summary.md", told)
    if record:
        write_bytes(directory / "junit.xml", junit.junit_xml(record))
    page = directory / "index.html"
    html.write(page, record, digest, summary, title=title, correction=correction, objectives=objectives)


def write_without_samples(directory: Path, record: RunRecord) -> None:
    """Write ``summary.md`` and ``junit.xml`` of a run that recorded nothing: there is only why.

    Raises:
        OSError: ``directory`` cannot be written to.
    """
    write_text(directory / "summary.md", summary_markdown(record, None, title=record.title))
    write_bytes(directory / "junit.xml", junit.junit_xml(record))
