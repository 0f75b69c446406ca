"""The two sides of a comparison, as a command line names them, and whether they may be compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pacemark.errors import InputError, RunError
from pacemark.results.baselines import measured, resolve
from pacemark.results.compare import Comparison, Past, compare, differences
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE, Digest
from pacemark.results.history import earlier
from pacemark.results.record import RECORD_FILE, RunRecord
from pacemark.results.threshold import Threshold
from pacemark.workloads.objective import Basis


class NotComparableError(RunError):
    """The runs are not of one kind: ``differing`` has a line for each thing they differ in."""

    def __init__(self, differing: list[str]) -> None:
        super().__init__(f"not comparable: {'; '.join(differing)}", "--force compares all the same")
        self.differing = differing


class Side(NamedTuple):
    """Runs, JTLs or digests that stand for one side. ``records`` has those of the runs among them."""

    names: list[str]
    """As the command line has them."""
    paths: list[Path]
    digests: list[Digest]
    """Each cut to its measured window."""
    records: list[RunRecord]
    bare: list[Path]
    """What has no ``run.json``, and so no fingerprint."""
    notes: list[str]
    """What of a folder was left out, and why."""


class _Source(NamedTuple):
    """One thing to compare, as it was found."""

    path: Path
    record: RunRecord | None
    """None of a file, too: only a run's directory has a measured window."""
    beside: RunRecord | None
    """The record of the run that it is, or is a file of."""
    folder: str
    """As the command line has the folder it was found in; empty where it was named itself."""

    @property
    def key(self) -> object:
        """Equal for one and the same run, also where a baseline has a copy of it."""
        return (self.beside.workload, self.beside.started) if self.beside else self.path.resolve()


class Sides(NamedTuple):
    """What was compared, and what came of it."""

    baseline: Side
    current: Side
    comparison: Comparison


def compare_sides(
    baselines: Sequence[str],
    current: str,
    thresholds: Sequence[Threshold],
    *,
    told: float | None = None,
    basis: Basis = "elapsed",
    force: bool = False,
) -> Sides:
    """Compare what the texts name; several runs on a side tell the noise between runs.

    So do the earlier runs of their kind, where the current ones lie in a results folder with a history. Of a
    folder, invalid runs are left out, and those that are compared on the other side. ``told`` and ``basis``
    are as in ``compare``.

    Raises:
        InputError: a text names nothing that can be compared, one run is given twice on a side, or response
            is asked for of samples that do not tell it.
        NotComparableError: the runs differ in kind, and no ``force``.
        RunError: a run that was named is invalid, or all of a folder are.
    """
    before, after = _sides(baselines, current)
    differing = _differing(before, after)
    if differing and not force:
        raise NotComparableError(differing)
    notes = [f"{path} has no fingerprint: is it of the same kind?" for path in (*before.bare, *after.bare)]
    notes += [*before.notes, *after.notes]
    notes += [f"compared by force, though they differ in {line}" for line in differing]
    if basis == "response":
        _require_response(before, after)
    past = {} if differing else _past(before, after, basis)
    comparison = compare(before.digests, after.digests, thresholds, past=past, told=told, basis=basis)
    return Sides(before, after, comparison.model_copy(update={"notes": [*comparison.notes, *notes]}))


def _sides(baselines: Sequence[str], current: str) -> tuple[Side, Side]:
    old, old_notes = _found(baselines)
    new, new_notes = _found([current])
    named = {one.key for one in old if not one.folder}
    overlap = [one for one in new if one.folder and one.key in named]
    new = [one for one in new if one not in overlap]
    new_notes += [f"{one.path} is a baseline and was left out of {one.folder}" for one in overlap]
    compared = {one.key for one in new}
    overlap = [one for one in old if one.folder and one.key in compared]
    old = [one for one in old if one not in overlap]
    old_notes += [f"{one.path} is compared and was left out of {one.folder}" for one in overlap]
    if not old or not new:
        raise InputError(
            "the baseline and what is compared with it are the same runs", "give runs of two sides"
        )
    return _side(baselines, old, old_notes), _side([current], new, new_notes)


def _found(texts: Sequence[str]) -> tuple[list[_Source], list[str]]:
    """What the texts name, without the invalid runs of folders, and a note for each of these."""
    sources: list[_Source] = []
    notes = []
    for text in texts:
        paths = resolve(text)
        folder = text if Path(text) in paths[0].parents else ""
        found = [_source(path, folder) for path in paths]
        invalid = [one for one in found if one.beside and one.beside.verdict == "invalid"]
        if len(invalid) == len(found):
            reasons = invalid[0].beside.reasons if invalid[0].beside else []
            why = next((reason.text for reason in reasons if reason.level == "invalid"), "")
            raise RunError(f"not comparable: {invalid[0].path} is invalid: {why}", "run it again")
        sources += [one for one in found if one not in invalid]
        notes += [f"{one.path} is invalid and was left out" for one in invalid]
    return sources, notes


def _source(path: Path, folder: str) -> _Source:
    is_own_file = path.name in (SAMPLES_FILE, DIGEST_FILE)
    home = path.parent if is_own_file else path
    beside = RunRecord.load_from(home) if (home / RECORD_FILE).is_file() else None
    return _Source(path, None if is_own_file else beside, beside, folder)


def _side(names: Sequence[str], sources: Sequence[_Source], notes: list[str]) -> Side:
    digests = [measured(one.path) for one in sources]
    _refuse_doubles(sources, digests)
    records = [one.record for one in sources if one.record]
    bare = [one.path for one in sources if not one.record]
    return Side(list(names), [one.path for one in sources], digests, records, bare, notes)


def _refuse_doubles(sources: Sequence[_Source], digests: Sequence[Digest]) -> None:
    """One run twice would show no difference between runs, where it is only one.

    Of what has no record, equal samples are one run: no other one is alike to the millisecond.
    """
    seen: list[tuple[_Source, Digest]] = []
    for source, digest in zip(sources, digests, strict=True):
        for other, others in seen:
            bare = source.beside is None and other.beside is None
            if source.key == other.key or (bare and _are_equal(digest, others)):
                one = "given twice" if source.path == other.path else f"the same run as {other.path}"
                raise InputError(f"{source.path} is {one}", "give each run of a side once")
        seen.append((source, digest))


def _are_equal(one: Digest, other: Digest) -> bool:
    return (one.start_ms, one.end_ms) == (other.start_ms, other.end_ms) and one.cells.equals(other.cells)


def _require_response(*sides: Side) -> None:
    for side in sides:
        for path, digest in zip(side.paths, side.digests, strict=True):
            if not digest.without_lifetimes().tells_response:
                raise InputError(f"{path} does not say when requests were due", "compare --basis elapsed")


def _past(before: Side, after: Side, basis: Basis) -> Past:
    """What the history beside the current runs tells; none of the runs that are compared. Of latencies it
    has elapsed only."""
    if not after.records or after.bare:
        return {}
    compared = {record.started for record in (*before.records, *after.records)}
    past = earlier(after.paths[0], after.records[0], without=compared)
    return {key: past[key] for key in past if basis == "elapsed" or key[1] in ("throughput", "error")}


def _differing(before: Side, after: Side) -> list[str]:
    """What the fingerprints of all runs differ in, baseline against current, each once."""
    lines = [
        line
        for old in before.records
        for new in after.records
        for line in differences(_kind(old), _kind(new))
    ]
    return list(dict.fromkeys(lines))


def _kind(record: RunRecord) -> dict[str, str]:
    window = f"{record.window.from_s:g} to {record.window.to_s:g} s"
    return {"workload": record.workload, "measured window": window, **record.fingerprint}
