"""The two sides of a comparison, as a command line names them, and whether they may be compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pacemark.errors import RunError
from pacemark.results.baselines import measured, resolve
from pacemark.results.compare import Comparison, Threshold, compare, differences
from pacemark.results.digest import Digest, merge
from pacemark.results.record import RECORD_FILE, RunRecord


class Side(NamedTuple):
    """Runs, JTLs or digests that stand for one side. ``records`` has those of the runs among them."""

    digest: list[Digest]
    records: list[RunRecord]
    bare: list[Path]
    """What has no ``run.json``, and so no fingerprint."""


def side(texts: Sequence[str]) -> Side:
    """Read names, paths and folders of runs, each run cut to its measured window.

    Raises:
        InputError: one of them is none of these.
        RunError: one of the runs is invalid.
    """
    paths = [path for text in texts for path in resolve(text)]
    runs = [path for path in paths if (path / RECORD_FILE).is_file()]
    records = [RunRecord.load_from(path) for path in runs]
    for path, record in zip(runs, records, strict=True):
        if record.verdict == "invalid":
            why = next((reason.text for reason in record.reasons if reason.level == "invalid"), "")
            raise RunError(f"not comparable: {path} is invalid: {why}", "run it again")
    return Side([measured(path) for path in paths], records, [p for p in paths if p not in runs])


def compare_sides(
    baselines: Sequence[str], current: str, thresholds: Sequence[Threshold], *, force: bool = False
) -> Comparison:
    """Compare what the texts name; several runs on a side are pooled.

    Raises:
        InputError: a text names nothing that can be compared.
        RunError: a run is invalid or, without ``force``, the runs differ in kind; it says in what.
    """
    before, after = side(baselines), side([current])
    differing = _differing(before, after)
    if differing and not force:
        raise RunError(f"not comparable: {'; '.join(differing)}", "--force compares all the same")
    notes = [f"{path} has no fingerprint: is it of the same kind?" for path in (*before.bare, *after.bare)]
    notes += [f"compared by force, though they differ in {line}" for line in differing]
    comparison = compare(before.digest, merge(after.digest), thresholds)
    return comparison.model_copy(update={"notes": [*comparison.notes, *notes]})


def _differing(before: Side, after: Side) -> list[str]:
    """What the fingerprints of all runs differ in, baseline against current, each once."""
    lines = [
        line
        for old in before.records
        for new in after.records
        for line in differences(
            {"workload": old.workload, **old.fingerprint}, {"workload": new.workload, **new.fingerprint}
        )
    ]
    return list(dict.fromkeys(lines))
