"""Questions put to a run, a JTL or a digest: its figures over a window, judged by objectives if wanted."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pacemark.errors import Exit, InputError
from pacemark.results.digest import Digest
from pacemark.results.judge import Own, judge, one_line
from pacemark.results.measurements import measure_samples
from pacemark.results.omission import Correction, correct
from pacemark.results.record import RECORD_FILE, JudgedObjective, RunRecord, Window
from pacemark.results.statistics import Summary, summarize
from pacemark.workloads.model import Workload
from pacemark.workloads.objective import OF_RUNS, Objective


@dataclass(frozen=True)
class Question:
    """What is asked. Times in seconds from the first sample; None leaves the source's own window."""

    source: Path
    label: str | None = None
    from_s: int | None = None
    to_s: int | None = None
    warm_up_s: int | None = None
    workload: Workload | None = None
    expected_interval_ms: float | None = None
    """Between two requests of one thread: corrects the coordinated omission of samples from elsewhere."""


@dataclass(frozen=True)
class Answer:
    """``summary`` is of the window; ``digest`` has its samples at least, and all unless asked for some."""

    record: RunRecord | None
    digest: Digest
    summary: Summary
    objectives: list[JudgedObjective]
    notes: tuple[str, ...]
    title: str
    correction: Correction | None = None

    @property
    def failures(self) -> list[str]:
        """One line for each objective that was not met, and why the run is invalid when it is."""
        lines = [one_line(judged) for judged in self.objectives if judged.outcome != "met"]
        reasons = self.record.reasons if self.record else []
        return lines + [f"this run is invalid: {one.text}" for one in reasons if one.level == "invalid"]

    @property
    def exit_status(self) -> Exit:
        """With objectives: 1 on a miss, 3 when none could be judged or the run is invalid. Else 0."""
        outcomes = {judged.outcome for judged in self.objectives}
        if outcomes and self.record and self.record.verdict == "invalid":
            return Exit.INVALID
        if "missed" in outcomes:
            return Exit.MISSED
        return Exit.INVALID if outcomes == {"not judged"} else Exit.PASS


def answer(question: Question) -> Answer:
    """Answer it from the digest, or from the JTL where there is none yet.

    Raises:
        InputError: the source cannot be read, has no such label, or the window is empty.
    """
    source = question.source
    record = RunRecord.load_from(source) if (source / RECORD_FILE).is_file() else None
    digest = _asked_for(question)
    if question.label is not None:
        known = sorted(digest.sums["label"].cast(pl.String).unique())
        if question.label not in known:
            raise InputError(f"{source} has no label '{question.label}'", f"it has {', '.join(known)}")
        digest = digest.only(question.label)
    window = _window(question, digest, record)
    measured = digest.between(window.from_s, window.to_s) if window else digest
    objectives = question.workload.objectives if question.workload else ()
    kept = _kept(question, record)
    asked_for = record.load.due_between(window.from_s, window.to_s) if record and window else None
    due = None if question.label else asked_for
    interval_ms = question.expected_interval_ms
    correction = None if interval_ms is None else correct(digest, interval_ms, window)
    # Only where there is something to judge: without_lifetimes may copy all cells.
    judged = (
        judge(
            objectives,
            measured.without_lifetimes(),
            window=window or digest.window,
            due=due,
            own=_own(question, digest, window or digest.window),
            corrected=correction.measured.without_lifetimes() if correction else None,
        )
        if objectives
        else []
    )
    return Answer(
        record=record,
        digest=digest,
        summary=summarize(digest, window=window),
        objectives=[kept.get(one.objective, one) for one in judged],
        notes=measured.notes,
        title=record.title if record else source.name,
        correction=correction,
    )


def _asked_for(question: Question) -> Digest:
    """The samples that the question is about, and no cells besides where the digest is stored."""
    if question.workload or question.expected_interval_ms is not None:  # which look beyond the window
        return Digest.of(question.source, label=question.label)
    from_s = next((s for s in (question.from_s, question.warm_up_s) if s is not None), 0)
    return Digest.of(question.source, label=question.label, from_s=max(from_s, 0), to_s=question.to_s)


def _kept(question: Question, record: RunRecord | None) -> dict[Objective, JudgedObjective]:
    """What only the run itself could judge, where the question is about all of it."""
    times = (question.from_s, question.to_s, question.warm_up_s)
    is_whole = question.label is None and times == (None, None, None)
    if (
        record is None
        or question.workload is None
        or record.workload != question.workload.name
        or not is_whole
    ):
        return {}
    of_run = (one for one in record.objectives if one.objective.metric in OF_RUNS or one.objective.promql)
    return {judged.objective: judged for judged in of_run}


def _own(question: Question, digest: Digest, window: Window) -> dict[tuple[str, str], Own]:
    if question.workload is None or question.label is not None:
        return {}
    return measure_samples(question.workload, digest, window)


def _window(question: Question, digest: Digest, record: RunRecord | None) -> Window | None:
    """A run's planned window; all of a run when its warm-up is set to 0; None for all of anything else."""
    if record is None and (question.from_s, question.to_s, question.warm_up_s) == (None, None, None):
        return None
    start, end = (record.window.from_s, record.window.to_s) if record else (0.0, digest.window.to_s)
    if question.warm_up_s is not None:
        start = question.warm_up_s
        end = end if question.warm_up_s else max(end, digest.window.to_s)
    if question.from_s is not None:
        start = question.from_s
    if question.to_s is not None:
        end = question.to_s
    if not 0 <= start < end:
        raise InputError(
            f"the window from {start:g} to {end:g} s is empty", f"the samples end at {digest.window.to_s:g} s"
        )
    return Window(from_s=start, to_s=end)
