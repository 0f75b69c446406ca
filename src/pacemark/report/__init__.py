"""What people read: HTML, Markdown, JUnit, console."""

from pathlib import Path

from pacemark.report import html, junit
from pacemark.report.atomic import write_bytes, write_text
from pacemark.report.markdown import summary_markdown
from pacemark.results.digest import Digest
from pacemark.results.record import RunRecord
from pacemark.results.statistics import Summary

__all__ = ["write_all", "write_without_samples"]


def write_all(
    directory: Path, record: RunRecord | None, digest: Digest, summary: Summary, *, title: str | None = None
) -> None:
    """Write ``summary.json``, ``summary.md``, ``index.html`` and, of a run, ``junit.xml``.

    Each file is written whole or not at all. ``digest`` is the whole recording, ``summary`` the measured
    window's. Without a record (a bare JTL) there is no verdict, so no ``junit.xml``; ``title`` is then the
    file's name.

    Raises:
        OSError: ``directory`` cannot be written to.
    """
    title = title or (record.title if record else directory.name)
    write_text(directory / "summary.json", summary.model_dump_json(indent=2) + "\n")
    write_text(directory / "summary.md", summary_markdown(record, summary, title=title))
    if record:
        write_bytes(directory / "junit.xml", junit.junit_xml(record))
    html.write(directory / "index.html", record, digest, summary, title=title)


def write_without_samples(directory: Path, record: RunRecord) -> None:
    """Write ``summary.md`` and ``junit.xml`` of a run that recorded nothing: there is only why.

    Raises:
        OSError: ``directory`` cannot be written to.
    """
    write_text(directory / "summary.md", summary_markdown(record, None, title=record.title))
    write_bytes(directory / "junit.xml", junit.junit_xml(record))
