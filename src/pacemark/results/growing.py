"""The digest of a run that is not over: counted from what JMeter has written so far."""

from pathlib import Path

import polars as pl

from pacemark.errors import InputError
from pacemark.jmeter.live import WINDOW_MS, Progress
from pacemark.results import outcomes
from pacemark.results.digest import Digest
from pacemark.results.jtl import Jtl
from pacemark.results.tally import Tally


class GrowingDigest:
    """Follows a JTL while it is written: ``look`` reads on, ``finished`` is the digest of all of it.

    The digest is the one that ``Digest.from_jtl`` makes of the finished file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jtl: Jtl | None = None
        self._tally = Tally()
        self._recent = pl.DataFrame(schema={"start_ms": pl.Int64, "elapsed_ms": pl.Int32})
        self._last_ms = 0
        self._count = self._errors = self._threads = 0
        self._unreadable: InputError | None = None
        self._is_cut_off = False

    @property
    def first_ms(self) -> int | None:
        """The earliest start of a sample so far, in milliseconds since 1970."""
        return self._tally.earliest_ms

    def look(self) -> Progress:
        """Read on, and tell. What cannot be read is not told here: ``finished`` raises it."""
        try:
            self._read_on(ended=False)
        except InputError as error:
            self._unreadable = error
        return Progress.of(
            self._recent["elapsed_ms"].sort().to_list(),
            first_ms=self.first_ms,
            last_ms=self._last_ms,
            samples=self._count,
            errors=self._errors,
            threads=self._threads,
        )

    def finished(self) -> Digest:
        """The digest, now that nothing more will be written.

        A sample that started before all of the first hundred thousands, and ended long after them, moves the
        instant from which all is counted; Ctrl-C can end a look between reading and counting; and labels may
        look like those of sub-results. Then, and only then, the file is read a second time.

        Raises:
            InputError: as ``Digest.from_jtl``.
        """
        if self._unreadable:
            raise self._unreadable
        self._read_on(ended=True)
        if self._jtl is None or self._tally.is_out_of_step or self._is_cut_off:
            return Digest.from_jtl(self.path)
        return Digest.from_tally(self._tally, self._jtl)

    def _read_on(self, *, ended: bool) -> None:
        if self._unreadable or self._is_cut_off or not self._has_begun():
            return
        assert self._jtl is not None
        self._is_cut_off = True
        for samples in self._jtl.more(ended=ended):
            self._tally.add(samples)
            self._add(samples)
        self._is_cut_off = False

    def _has_begun(self) -> bool:
        """Whether the first line is there."""
        if self._jtl is None and self.path.is_file():
            with self.path.open("rb") as file:
                if file.readline(1 << 20).endswith(b"\n"):
                    self._jtl = Jtl(self.path)
        return self._jtl is not None

    def _add(self, samples: pl.DataFrame) -> None:
        self._last_ms = max(self._last_ms, int(samples["start_ms"].max()))  # type: ignore[arg-type]
        self._recent = pl.concat([self._recent, samples.select("start_ms", "elapsed_ms")])
        self._recent = self._recent.filter(pl.col("start_ms") >= self._last_ms - WINDOW_MS)
        self._count += samples.height
        self._errors += int((samples["outcome"] != outcomes.OK).sum())
        self._threads = int(samples["all_threads"][-1])
