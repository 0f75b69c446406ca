"""What is added to a run's record after its verdict, since it takes time: single samples, and the logs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pacemark.asked import Asked
from pacemark.errors import PacemarkError
from pacemark.results.digest import SAMPLES_FILE, Digest
from pacemark.results.record import Reason, RunRecord
from pacemark.results.slowest import section, slowest
from pacemark.telemetry.log_files import LogFiles
from pacemark.telemetry.log_lines import LogLine
from pacemark.telemetry.logs import LOGS_FILE, Logs, LokiAsked, collect, sections
from pacemark.telemetry.loki import Loki

_AROUND_S = 1.0
"""Before the first sample and after the load, for what is logged a little earlier or later."""


def with_details(
    record: RunRecord,
    asked: Asked,
    digest: Digest,
    directory: Path,
    files: LogFiles,
    more: Sequence[Reason] = (),
) -> RunRecord:
    """The record with the slowest samples and what the logs say of them and of the run.

    Without logs it has the samples alone; where they cannot be read it says so, as a warning,
    beside ``more``.
    """
    samples = directory / SAMPLES_FILE
    slow = slowest(samples, digest.start_ms, record.window) if samples.is_file() else []
    start = digest.start_ms / 1000
    end = start + asked.load.duration_s
    found, reasons = Logs(), list(more)
    if asked.loki or asked.log_files:
        try:
            with _lines(asked, files, start - _AROUND_S, end + _AROUND_S) as lines:
                found = collect(lines, directory / LOGS_FILE, {one.trace_id for one in slow if one.trace_id})
        except (PacemarkError, OSError) as error:
            text = f"the logs were not read: {error}"
            reasons.append(Reason(level="warning", text=text, remedy="see LOKI_URL"))
        if found.lost:
            text = f"the logs were not read to their end: {found.lost}"
            reasons.append(Reason(level="warning", text=text, remedy="see LOKI_URL"))
    has_logs = bool(asked.loki or asked.log_files)
    slowest_ones = section(slow, found.lines_by_trace if has_logs else None, asked.trace_url)
    logs = sections(found, start, asked.load.duration_s) if has_logs else []
    return record.model_copy(
        update={
            "sections": [*record.sections, *([slowest_ones] if slowest_ones else []), *logs],
            "reasons": [*record.reasons, *reasons],
        }
    )


@contextmanager
def _lines(asked: Asked, files: LogFiles, start: float, end: float) -> Iterator[Iterator[LogLine]]:
    if asked.loki is None:
        yield files.lines(start, end)
        return
    with _loki(asked.loki, asked) as loki:
        yield loki.lines(asked.loki.query, start, end)


def _loki(where: LokiAsked, asked: Asked) -> Loki:
    if where.is_grafana:
        return Loki.by_grafana(where.url, where.token, asked.connection)
    return Loki(where.url, where.token, asked.connection)
