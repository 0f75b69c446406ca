"""The two sides of a comparison, as a command line names them, and whether they may be compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pacemark.errors import RunError
from pacemark.results.baselines import measured, resolve
from pacemark.results.compare import Comparison, Past, compare, differences
from pacemark.results.digest import Digest
from pacemark.results.history import earlier
from pacemark.results.record import RECORD_FILE, RunRecord
from pacemark.results.threshold import Threshold


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
    left_out: list[Path]
    """Invalid runs of a folder."""


class Sides(NamedTuple):
    """What was compared, and what came of it."""

    baseline: Side
    current: Side
    comparison: Comparison


def side(texts: Sequence[str]) -> Side:
    """Read names, paths and folders of runs; of a folder, the invalid runs are left out.

    Raises:
        InputError: one of them is none of these.
        RunError: a run that was named is invalid, or all of a folder are.
    """
    paths, records, bare, left_out = [], [], [], []
    for text in texts:
        found = resolve(text)
        runs = {path: RunRecord.load_from(path) for path in found if (path / RECORD_FILE).is_file()}
        invalid = [path for path, record in runs.items() if record.verdict == "invalid"]
        if invalid and len(invalid) == len(found):
            reasons = runs[invalid[0]].reasons
            why = next((reason.text for reason in reasons if reason.level == "invalid"), "")
            raise RunError(f"not comparable: {invalid[0]} is invalid: {why}", "run it again")
        left_out += invalid
        paths += [path for path in found if path not in invalid]
        records += [record for path, record in runs.items() if path not in invalid]
        bare += [path for path in found if path not in runs]
    return Side(list(texts), paths, [measured(path) for path in paths], records, bare, left_out)


def compare_sides(
    baselines: Sequence[str], current: str, thresholds: Sequence[Threshold], *, force: bool = False
) -> Sides:
    """Compare what the texts name; several runs on a side are pooled, and tell the noise between runs.

    So do the earlier runs of their kind, where the current ones lie in a results folder with a history.

    Raises:
        InputError: a text names nothing that can be compared.
        NotComparableError: the runs differ in kind, and no ``force``.
        RunError: a run is invalid.
    """
    before, after = side(baselines), side([current])
    differing = _differing(before, after)
    if differing and not force:
        raise NotComparableError(differing)
    notes = [f"{path} has no fingerprint: is it of the same kind?" for path in (*before.bare, *after.bare)]
    notes += [f"{path} is invalid and was left out" for path in (*before.left_out, *after.left_out)]
    notes += [f"compared by force, though they differ in {line}" for line in differing]
    past = {} if differing else _past(before, after)
    comparison = compare(before.digests, after.digests, thresholds, past=past)
    return Sides(before, after, comparison.model_copy(update={"notes": [*comparison.notes, *notes]}))


def _past(before: Side, after: Side) -> Past:
    """What the history beside the current runs tells; none of the runs that are compared."""
    if not after.records or after.bare:
        return {}
    compared = {record.started for record in (*before.records, *after.records)}
    return earlier(after.paths[0], after.records[0], without=compared)


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
