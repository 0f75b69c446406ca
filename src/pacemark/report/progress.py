"""A run's progress: one line that changes on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pacemark.jmeter.live import Progress
from pacemark.report import numerals
from pacemark.workloads.load import Load

PLAIN_EVERY_S = 10.0


class RunProgress:
    """Shows elapsed time, rate against target, P95, errors and threads while the load runs."""

    def __init__(self, console: Console, name: str, load: Load) -> None:
        self._console = console
        self._name = name
        self._load = load
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Show no more."""
        if self._live:
            self._live.stop()

    def probe(self, number: str, load: Load) -> None:
        """From now on it is this probe's load that is shown."""
        hold_s = load.duration_s - load.ramp_up_s
        self._name = f"{self._name.partition(' probe ')[0]} probe {number}"
        self._load = load
        self._console.print(
            Text(
                f"{self._name}: {numerals.rate(load.rate_per_s)}/s for {hold_s} s, to find the breaking point"
            ),
            soft_wrap=True,
        )

    def show(self, progress: Progress) -> None:
        """Show it, on a terminal each time, elsewhere every ``PLAIN_EVERY_S``."""
        line = self._line(progress)
        if self._live:
            self._live.update(Text(line, overflow="ellipsis", no_wrap=True), refresh=True)
        elif time.monotonic() - self._told >= PLAIN_EVERY_S:
            self._told = time.monotonic()
            self._console.print(Text(line), soft_wrap=True)

    def _line(self, progress: Progress) -> str:
        if not progress.samples:
            return f"{self._name}  JMeter is starting"
        rate = f"{numerals.rate(progress.rate_per_s)}/s"
        if self._load.rate_per_s is not None:
            target = self._load.rate_at(min(progress.elapsed_s, self._load.duration_s - 1e-3))
            rate += f" of {numerals.rate(target)}/s"
        return "  ".join(
            (
                self._name,
                f"{numerals.clock(progress.elapsed_s)} of {numerals.clock(self._load.duration_s)}",
                rate,
                f"p95 {numerals.milliseconds(progress.p95_ms)} ms",
                f"{numerals.count(progress.errors)} errors of {numerals.count(progress.samples)}",
                f"{progress.threads} threads",
            )
        )
