"""``index.html`` of a results folder: every run in it, the newest of each workload first."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pacemark.errors import InputError
from pacemark.report import wording
from pacemark.report.atomic import write_text
from pacemark.report.html import rendered
from pacemark.results.digest import DIGEST_FILE, SAMPLES_FILE
from pacemark.results.record import RECORD_FILE, LatencyFigures, RunRecord, run_directories
from pacemark.results.statistics import Figures, Summary

PAGE = "index.html"
OURS = '<meta name="generator" content="Pacemark'
"""By what a page is known that may be replaced."""


@dataclass(frozen=True)
class Listed:
    """A run as a row. ``record`` is None where it cannot be read; ``total`` is None without samples."""

    path: str
    """Of its directory, from the results folder."""
    record: RunRecord | None
    total: Figures | None
    has_report: bool
    fault: str = ""

    @property
    def latency(self) -> LatencyFigures | Figures | None:
        """Response, where it is known."""
        return self.total.response or self.total if self.total else None

    @property
    def basis(self) -> str:
        return "response" if self.total and self.total.response else "elapsed"

    @property
    def why(self) -> str:
        """What decided the verdict, as one sentence."""
        if self.record is None:
            return self.fault
        reasons = [reason for reason in wording.reasons(self.record) if reason.level != "warning"]
        return reasons[0].text if reasons else wording.headline(self.record)


def is_results(path: Path) -> bool:
    """Whether it is a folder of runs, as ``--out`` has them, and no run itself."""
    own = (RECORD_FILE, DIGEST_FILE, SAMPLES_FILE)
    if not path.is_dir() or any((path / name).exists() for name in own):
        return False
    return bool(run_directories(path))


def write_overview(folder: Path) -> Path:
    """Write the page that lists the folder's runs; its path.

    Raises:
        InputError: there is an ``index.html`` that Pacemark did not write.
        OSError: the folder cannot be written to.
    """
    path = folder / PAGE
    if path.exists() and OURS not in path.read_text(encoding="utf-8", errors="replace")[:4000]:
        raise InputError(f"{path} is not Pacemark's", "move it away, or choose another --out")
    runs = [_listed(directory, folder) for directory in run_directories(folder)]
    write_text(path, render(runs, title=f"Runs in {folder.resolve().name}"))
    return path


def render(runs: Iterable[Listed], *, title: str) -> str:
    """The page as text."""
    by_workload: dict[str, list[Listed]] = {}
    for run in sorted(runs, key=lambda run: run.path, reverse=True):
        by_workload.setdefault(run.path.split("/")[0], []).append(run)
    return rendered("overview.html", title=title, workloads=dict(sorted(by_workload.items())), words=wording)


def _listed(directory: Path, folder: Path) -> Listed:
    path = directory.relative_to(folder).as_posix()
    has_report = (directory / PAGE).is_file()
    try:
        record = RunRecord.load_from(directory)
    except InputError as error:
        return Listed(path, None, None, has_report, error.message)
    try:
        summary = Summary.load_from(directory)
    except InputError:
        summary = None
    return Listed(path, record, summary.total if summary else None, has_report)
