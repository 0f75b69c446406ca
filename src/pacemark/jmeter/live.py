"""What a running JMeter has recorded so far: only to look at, the verdict comes from the digest."""

import csv
import io
import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self

WINDOW_MS = 10_000
"""Rate and percentile are those of the last 10 s of samples."""


class Progress(NamedTuple):
    """A look at the run. ``rate_per_s`` and ``p95_ms`` are of the last 10 s, None as long as unknown."""

    elapsed_s: float
    samples: int
    errors: int
    rate_per_s: float | None
    p95_ms: int | None
    threads: int

    @classmethod
    def of(
        cls,
        recent_ms: Sequence[int],
        *,
        first_ms: int | None,
        last_ms: int,
        samples: int,
        errors: int,
        threads: int,
    ) -> Self:
        """A look, ``recent_ms`` being the latencies of the last ``WINDOW_MS``, rising; ``first_ms`` and
        ``last_ms`` are the first and the last start, the first None before there is one."""
        since_ms = last_ms - (last_ms if first_ms is None else first_ms)
        span_s = min(WINDOW_MS, since_ms) / 1000
        return cls(
            elapsed_s=since_ms / 1000,
            samples=samples,
            errors=errors,
            rate_per_s=len(recent_ms) / span_s if span_s >= 1 else None,
            p95_ms=recent_ms[math.ceil(0.95 * len(recent_ms)) - 1] if recent_ms else None,
            threads=threads,
        )


NOTHING = Progress(0.0, 0, 0, None, None, 0)
"""Before the first sample."""


def side_by_side(looks: Sequence[Progress]) -> Progress:
    """Several JMeters that share a load: counts and rates add up; the percentile is the worst of theirs."""
    rates = [look.rate_per_s for look in looks if look.rate_per_s is not None]
    return Progress(
        elapsed_s=max(look.elapsed_s for look in looks),
        samples=sum(look.samples for look in looks),
        errors=sum(look.errors for look in looks),
        rate_per_s=sum(rates) if rates else None,
        p95_ms=max((look.p95_ms for look in looks if look.p95_ms is not None), default=None),
        threads=sum(look.threads for look in looks),
    )


class Follower(Protocol):
    """Reads on in a growing JTL, each byte once."""

    @property
    def first_ms(self) -> int | None:
        """The earliest start of a sample so far, in milliseconds since 1970."""

    def look(self) -> Progress:
        """Read what was added since the last look, and tell."""


class Tail:
    """Follows a growing JTL only to tell how it goes, as workers do: they count when the load is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._columns: list[str] = []
        self._recent: deque[tuple[int, int]] = deque()
        self.first_ms: int | None = None
        self._last_ms = 0
        self._count = self._errors = self._threads = 0

    def look(self) -> Progress:
        """Read on, and tell."""
        for row in self._new_rows():
            self._add(row)
        while self._recent and self._recent[0][0] < self._last_ms - WINDOW_MS:
            self._recent.popleft()
        return Progress.of(
            sorted(elapsed for _, elapsed in self._recent),
            first_ms=self.first_ms,
            last_ms=self._last_ms,
            samples=self._count,
            errors=self._errors,
            threads=self._threads,
        )

    def _new_rows(self) -> list[list[str]]:
        if not self._path.is_file():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read()
        end = _end_of_rows(chunk)
        self._offset += end
        rows = list(csv.reader(io.StringIO(chunk[:end].decode("utf-8", errors="replace"))))
        if rows and not self._columns:
            self._columns = rows.pop(0)
        return rows

    def _add(self, row: list[str]) -> None:
        sample = dict(zip(self._columns, row, strict=False))
        start, elapsed = int(sample["timeStamp"]), int(sample["elapsed"])
        self.first_ms = start if self.first_ms is None else min(self.first_ms, start)
        self._last_ms = max(self._last_ms, start)
        self._recent.append((start, elapsed))
        self._count += 1
        self._errors += sample["success"] != "true"
        self._threads = int(sample["allThreads"])


def _end_of_rows(chunk: bytes) -> int:
    """The length of the part that ends with a whole row: a newline outside quotes."""
    end = chunk.rfind(b"\n") + 1
    while end and chunk.count(b'"', 0, end) % 2:
        end = chunk.rfind(b"\n", 0, end - 1) + 1
    return end
