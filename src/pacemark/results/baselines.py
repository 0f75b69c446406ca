"""Named baselines: what is kept of a run to compare later ones with."""

import re
import shutil
import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pacemark.errors import InputError, RunError
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE, Digest
from pacemark.results.record import RECORD_FILE, RunRecord
from pacemark.results.statistics import SUMMARY_FILE, Summary, summarize

ROOT = Path("baselines")
"""Where baselines are kept: under the working directory, so that they can be committed."""

_KEPT = (DIGEST_FILE, RECORD_FILE, SUMMARY_FILE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Baseline(BaseModel):
    """A kept run under its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    path: Path
    record: RunRecord

    def summary(self) -> Summary:
        """The figures of its measured window, from its digest."""
        return summarize(Digest.of(self.path), window=self.record.window)


def save(run: Path, name: str, root: Path = ROOT, *, overwrite: bool = False) -> Baseline:
    """Keep the digest, ``run.json`` and ``summary.json`` of a run's directory under a name.

    Raises:
        InputError: the name cannot be one or is taken, or ``run`` is no whole run's directory.
        RunError: the run is invalid: nothing may be compared with it.
    """
    target = root / _checked(name)
    record = RunRecord.load_from(run)
    if record.verdict == "invalid":
        reasons = "; ".join(reason.text for reason in record.reasons if reason.level == "invalid")
        raise RunError(f"{run} is invalid and no baseline: {reasons}", "run it again")
    for kept in _KEPT:
        if not (run / kept).is_file():
            raise InputError(f"{run} has no {kept}", "give the directory of a finished run")
    if target.exists() and not overwrite:
        raise InputError(f"the baseline '{name}' exists", "choose another name, or replace it with --force")
    _replace(target, run)
    return Baseline(name=name, path=target, record=record)


def list_all(root: Path = ROOT) -> list[Baseline]:
    """All baselines, by name."""
    directories = sorted(path for path in root.glob("*") if (path / RECORD_FILE).is_file())
    return [Baseline(name=path.name, path=path, record=RunRecord.load_from(path)) for path in directories]


def show(name: str, root: Path = ROOT) -> Baseline:
    """The baseline of that name.

    Raises:
        InputError: there is none.
    """
    path = root / _checked(name)
    if not (path / RECORD_FILE).is_file():
        known = ", ".join(baseline.name for baseline in list_all(root)) or "none yet"
        raise InputError(f"no baseline '{name}' in {root}", f"there are: {known}")
    return Baseline(name=name, path=path, record=RunRecord.load_from(path))


def resolve(text: str, root: Path = ROOT) -> list[Path]:
    """What a command line means by ``NAME|PATH``: runs' directories, JTLs or digests to compare.

    A baseline's name comes before a path of the same spelling (``./NAME`` is the path). A directory that is
    no run itself stands for all runs beneath it, in the order of their names.

    Raises:
        InputError: it is neither a baseline nor a path that holds samples.
    """
    if _NAME.fullmatch(text) and (root / text / RECORD_FILE).is_file():
        return [root / text]
    path = Path(text)
    if path.is_file() or _is_run(path):
        return [path]
    runs = sorted(entry for entry in path.rglob("*") if entry.is_dir() and _is_run(entry))
    if not runs:
        what = "holds no runs" if path.is_dir() else "is neither a file nor a baseline"
        raise InputError(
            f"{text} {what}", "give a JTL, a run's directory or a name of `pacemark baseline list`"
        )
    return runs


def measured(path: Path) -> Digest:
    """The digest to compare: of a run's directory its measured window, of a JTL or digest file the whole.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    digest = Digest.of(path)
    if not (path / RECORD_FILE).is_file():
        return digest
    window = RunRecord.load_from(path).window
    return digest.between(window.from_s, window.to_s)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"'{name}' cannot name a baseline",
            "use up to 64 letters, digits, '.', '_' and '-', a letter first",
        )
    return name


def _is_run(path: Path) -> bool:
    return any((path / name).is_file() for name in (RECORD_FILE, DIGEST_FILE, SAMPLES_FILE))


def _replace(target: Path, run: Path) -> None:
    """Put a whole baseline in place at once: a reader never sees half of one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".saving-") as part:
        fresh = Path(part) / "new"
        fresh.mkdir()
        for kept in _KEPT:
            shutil.copyfile(run / kept, fresh / kept)
        if target.exists():
            target.rename(Path(part) / "old")
        fresh.rename(target)
