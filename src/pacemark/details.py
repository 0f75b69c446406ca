"""What is added to a run's record after its verdict, since it takes time: single samples, and the logs."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
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
_SHIPPED_S = 3.0
"""Until Loki has what is logged: agents read files, and send what they read, once a second."""
_AROUND_SAMPLE_S = 10.0
"""Before and after one of the slowest samples: another machine's clock may be a little wrong."""
_LOKI = "Loki"


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
    is_known = False
    wanted = {
        one.trace_id: (
            start + one.at_s - _AROUND_SAMPLE_S,
            start + one.at_s + one.elapsed_ms / 1000 + _AROUND_SAMPLE_S,
        )
        for one in slow
        if one.trace_id
    }
    for name, source in _sources(asked, files, wanted):
        try:
            with source(start - _AROUND_S, end + _AROUND_S) as lines:
                found = collect(lines, directory / LOGS_FILE, wanted)
            why = f"not read to their end: {found.lost}" if found.lost else ""
        except (PacemarkError, OSError) as error:
            why = f"not read: {error}"
        if why:
            text = f"the logs of {name} were {why}"
            reasons.append(Reason(level="warning", text=text, remedy="`pacemark doctor` asks Loki"))
        elif not found.kept and asked.loki and name == _LOKI:
            # Of a gateway that logs its requests: that it logged nothing is not what this tells.
            text = f"Loki has no line of {asked.loki.query} in the run's time"
            reasons.append(Reason(level="warning", text=text, remedy="does loki_query select the gateway's?"))
        is_known = bool(found.kept) or (not why and name != _LOKI)
        if found.kept:
            break
    by_trace = found.lines_by_trace if is_known else None
    slowest_ones = section(slow, by_trace, asked.trace_url, has_all=found.has_all_of_traces)
    logs = sections(found, start, asked.load.duration_s) if is_known else []
    return record.model_copy(
        update={
            "sections": [*record.sections, *([slowest_ones] if slowest_ones else []), *logs],
            "reasons": [*record.reasons, *reasons],
        }
    )


Source = Callable[[float, float], AbstractContextManager[Iterator[LogLine]]]
"""The lines from an instant to another, in epoch seconds."""


Wanted = Mapping[str, tuple[float, float]]
"""Trace ids, and from when to when each is looked for, in epoch seconds."""


def _sources(asked: Asked, files: LogFiles, wanted: Wanted) -> Iterator[tuple[str, Source]]:
    """Loki, and where it has nothing the files."""
    if asked.loki is not None:
        yield _LOKI, partial(_of_loki, asked.loki, asked, wanted)
    if asked.log_files:
        yield "the stack", lambda start, end: nullcontext(files.lines(start, end))


@contextmanager
def _of_loki(
    where: LokiAsked, asked: Asked, wanted: Wanted, start: float, end: float
) -> Iterator[Iterator[LogLine]]:
    time.sleep(max(0.0, end + _SHIPPED_S - time.time()))
    with _loki(where, asked) as loki:
        yield loki.lines(where.query, start, end, wanted)


def _loki(where: LokiAsked, asked: Asked) -> Loki:
    if where.is_grafana:
        return Loki.by_grafana(where.url, where.token, asked.connection)
    return Loki(where.url, where.token, asked.connection)
