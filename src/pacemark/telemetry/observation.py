"""Everything that is looked at beside the load: begun before it, ended after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import polars as pl

from pacemark.gateway.connection import DIRECT, Connection
from pacemark.results.measurements.model import MB, PoolSeen, ProcessReading
from pacemark.results.record import Finding, Reason, Section, Window
from pacemark.telemetry import direct, sections
from pacemark.telemetry.direct import DirectCall, DirectCalls
from pacemark.telemetry.prometheus import Prometheus, PrometheusError
from pacemark.telemetry.queries import BY_NAME
from pacemark.telemetry.recorder import SCHEMA, TELEMETRY_FILE, Recorder, Telemetry
from pacemark.telemetry.saturation import Saturation, saturations, symptoms
from pacemark.telemetry.snapshot import SNAPSHOT_FILE
from pacemark.workloads.objective import Worst

DIRECT_CALL = "direct_call"
"""The direct calls' name in ``telemetry.parquet``: milliseconds, null where it failed."""


@dataclass(frozen=True)
class Observing:
    """What there is to look at."""

    run_s: float
    """How long the load will take, in seconds."""
    prometheus_url: str = ""
    prometheus_token: str = field(default="", repr=False)
    promql: Sequence[tuple[str, Worst]] = ()
    """What is to be asked beside telemetry's own queries, and which of its values is the worst."""
    server_urls: Mapping[str, str] = field(default_factory=dict)
    """The MCP test servers that are asked directly."""
    connection: Connection = DIRECT


@dataclass(frozen=True)
class Observed:
    """What was seen beside a load. Seconds are from the first sample."""

    start: float
    """The first sample's instant, in epoch seconds."""
    telemetry: Telemetry | None
    calls: Sequence[DirectCall]
    why_not: str = ""
    """Why there is no telemetry though it was asked for."""

    @property
    def values(self) -> pl.DataFrame:
        """All of it, as rows of ``at_s, name, series, value``."""
        rows = [(round(one.at - self.start, 3), DIRECT_CALL, one.server, one.ms) for one in self.calls]
        own = pl.DataFrame(rows, schema=SCHEMA, orient="row")
        return own if self.telemetry is None else pl.concat([self.telemetry.values, own])

    def save(self, directory: Path) -> None:
        """Write what there is into a run's directory."""
        if self.values.height:
            self.values.write_parquet(directory / TELEMETRY_FILE, compression="zstd")
        if self.telemetry and self.telemetry.snapshot.rows:
            self.telemetry.snapshot.save(directory / SNAPSHOT_FILE)

    def saturated(self, until_s: float) -> list[Saturation]:
        """What went past its limit up to then, the first first."""
        return saturations(self.telemetry, until_s=until_s) if self.telemetry else []

    def sections(self, window: Window, end_s: float, client_p95: int | None) -> list[Section]:
        """Parts of the report, up to ``end_s``, where the load ended."""
        found = direct.section(self.calls, self.start, window, end_s)
        shown = [found] if found else []
        if self.telemetry is None:
            return shown
        past = self.saturated(end_s)
        system = sections.sections(self.telemetry, past, window, end_s=end_s, client_p95=client_p95)
        return [*system, *shown]

    def first_to_saturate(self, until_s: float) -> list[Reason]:
        """Why the gateway got slower, as far as what was seen tells it; nothing without telemetry."""
        if self.telemetry is None:
            return []
        first = next(iter(self.saturated(until_s)), None)
        if first is None:
            if not self.telemetry.values.height:
                return []  # which is told as a gap, or as what is missing
            return [Reason(level="warning", text=sections.nothing_of(self.telemetry, until_s))]
        if first.was_before:
            text = f"nothing saturated but what was so before the load: {sections.one_line(first)}"
            return [Reason(level="warning", text=text)]
        text = f"first to saturate was {sections.named(first)}: {sections.one_line(first)}"
        # It may hang, and hold what others wait for; or wait for what is about to go past its limit.
        for one in symptoms(self.telemetry, until_s=until_s):
            if one.query.name == "gateway_up" and one.at_s < first.at_s:
                text += f"; before that {sections.one_line(one)}"
        if first.query.name == "cpu_all":
            text += f"; most of it {sections.most_of(self.telemetry, 'cpu', first.at_s, until_s)}"
        return [Reason(level="warning", text=text)]

    def gateways_lost(self, until_s: float) -> list[Reason]:
        """Gateways that, as Prometheus saw during the load, were started anew or are no target any more.

        One that is a target and does not answer may be waiting for its database: that is no sign.
        """
        if self.telemetry is None:
            return []
        texts = []
        for instance, points in self.telemetry.lines("gateway_start").items():
            inside = [(at_s, value) for at_s, value in points if at_s <= until_s]
            for (before_s, before), (at_s, after) in pairwise(inside):
                if before is not None and after is not None and after > before + _CLOCKS_S and at_s > 0:
                    started_s = max(after - self.start, before_s)
                    texts.append(f"the gateway at {instance} was started anew {started_s:.0f} s into the run")
        for instance, points in self.telemetry.lines("gateway_up").items():
            last_s = max(at_s for at_s, _ in points)
            if 0 <= last_s < min(until_s, self._last_s()) - 3 * self.telemetry.step_s:
                texts.append(f"the gateway at {instance} is gone since {last_s:.0f} s into the run")
        return [Reason(level="invalid", text=text, remedy="see its log, and run again") for text in texts]

    def _last_s(self) -> float:
        """The last value of anything: up to then Prometheus was there."""
        assert self.telemetry is not None
        last = self.telemetry.values["at_s"].max()
        return float(last) if isinstance(last, int | float) else 0.0

    @property
    def reasons(self) -> list[Reason]:
        """Warnings of what is not there."""
        if self.why_not:
            return [Reason(level="warning", text=f"no telemetry: {self.why_not}", remedy=_REMEDY)]
        return sections.reasons(self.telemetry) if self.telemetry else []

    @property
    def readings(self) -> list[ProcessReading]:
        """The gateway's processes as Prometheus saw them, where Pacemark could not look itself."""
        if self.telemetry is None:
            return []
        cpu_s = {
            (at_s, instance): value
            for instance, points in self.telemetry.lines("gateway_cpu_time").items()
            for at_s, value in points
        }
        return [
            ProcessReading(at_s, f"gateway {instance}", round(value * MB), None, used)
            for instance, points in self.telemetry.lines("gateway_memory").items()
            for at_s, value in points
            if at_s >= 0 and value is not None and (used := cpu_s.get((at_s, instance))) is not None
        ]

    def pool(self, until_s: float) -> PoolSeen | None:
        """What the pool's gauges told of the load up to then."""
        waiting, use = self._inside("pool_waiting", until_s), self._inside("pool_use", until_s)
        if self.telemetry is None or not (waiting or use):
            return None
        asked = [BY_NAME["pool_waiting"]]
        waits = next(iter(saturations(self.telemetry, until_s=until_s, queries=asked)), None)
        instants = [0.0, *(at_s for at_s, _ in waiting or use), until_s]
        return PoolSeen(
            waiting=max((value for _, value in waiting), default=None),
            use=max((value for _, value in use), default=None),
            waits_s=None if waits is None else (max(waits.at_s, 0.0), waits.until_s or until_s),
            is_whole=all(after - before <= 3 * self.telemetry.step_s for before, after in pairwise(instants)),
        )

    def _inside(self, name: str, until_s: float) -> list[tuple[float, float]]:
        """During the load, the values of a query that has one series."""
        lines = self.telemetry.lines(name) if self.telemetry else {}
        return [
            (at_s, value)
            for points in lines.values()
            for at_s, value in points
            if 0 <= at_s <= until_s and value is not None
        ]


_CLOCKS_S = 2.0
"""A process's start is reckoned anew at each scrape, and differs by less."""
_REMEDY = "is PROMETHEUS_URL right? `pacemark doctor` asks it"


class Observation:
    """Looks while a load is carried out: ``start`` before it, ``stop`` after it, ``abandon`` if it failed."""

    def __init__(self, what: Observing) -> None:
        self._calls = DirectCalls(what.server_urls, what.connection)
        self._recorder: Recorder | None = None
        self._why_not = ""
        self.findings: list[Finding] = []
        if what.prometheus_url:
            self._find(what)

    def _find(self, what: Observing) -> None:
        """Ask each query once before the load: what gives nothing is to be known then."""
        try:
            prometheus = Prometheus(what.prometheus_url, what.prometheus_token, what.connection)
            recorder = Recorder(prometheus, what.run_s, what.promql)
            recorder.check()
        except PrometheusError as error:
            self._why_not = error.message
            self.findings.append(_finding("warning", error.message, _REMEDY))
            return
        self._recorder = recorder
        asked, missing = len(recorder.asked), list(recorder.missing)
        self.findings.append(
            _finding("ok", f"{what.prometheus_url} has {asked - len(missing)} of {asked} figures")
        )
        down = [f"{one.job} {one.instance}" for one in recorder.targets if one.is_missed]
        if down:
            self.findings.append(_finding("warning", f"cannot scrape {', '.join(down)}", "is it up?"))
        if missing:
            text = f"Prometheus has nothing of {', '.join(missing)}"
            self.findings.append(_finding("warning", text, "have their exporters scraped, or do without"))

    def start(self) -> None:
        """Begin to look."""
        self._calls.start()
        if self._recorder:
            self._recorder.start()

    def stop(self, first_sample: float, window: Window) -> Observed:
        """End, and tell what was seen; ``first_sample`` in epoch seconds."""
        calls = self._calls.stop()
        telemetry = None
        if self._recorder:
            telemetry = self._recorder.stop(first_sample, (window.from_s, window.to_s))
        return Observed(first_sample, telemetry, calls, self._why_not)

    def abandon(self) -> None:
        """End without telling."""
        self._calls.stop()
        if self._recorder:
            self._recorder.abandon()


def _finding(level: str, detail: str, remedy: str = "") -> Finding:
    return Finding.model_validate({"name": "telemetry", "level": level, "detail": detail, "remedy": remedy})
