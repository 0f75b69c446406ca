"""A run's start, stages, end and verdict as annotations in Grafana, while it runs.

They belong to no dashboard: each shows those that have the tags it asks for, such as ``pacemark``
(https://grafana.com/docs/grafana/latest/developers/http_api/annotations/).
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pacemark.results.record import Reason, Verdict
from pacemark.telemetry.grafana import Grafana, GrafanaError
from pacemark.workloads.load import Load

PATIENCE_S = 15.0
"""How long the end of a run waits for annotations that are still on their way."""
_MOST_FAILURES = 3
"""In a row; then no more is tried."""
_EXACT_S = 0.5
"""By how much an annotation's time may be wrong before it is put right at the end."""


@dataclass
class _Told:
    """What was told of the load, in seconds from the first sample, and where it is in Grafana."""

    from_s: float
    to_s: float | None
    """None for an instant."""
    start: float
    """The first sample's instant as it was known then, in epoch seconds."""
    number: int | None = None


class Annotations:
    """Tells a Grafana what a run does, in a thread of its own: no run waits for it, or fails by it.

    Without a Grafana it tells nobody.
    """

    def __init__(self, grafana: Grafana | None, workload: str, run: str, load: Load) -> None:
        """``run`` tells it from others of the workload: the name of its directory."""
        self._grafana = grafana
        self._tags = [workload, run]
        self._workload, self._run, self._load = workload, run, load
        self._stages = list(load.timeline())
        self._start: float | None = None
        self._told: list[_Told] = []
        self._work: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._in_a_row = 0
        self._failure: GrafanaError | None = None
        self._thread = threading.Thread(target=self._send, name="annotations", daemon=True)
        if grafana:
            self._thread.start()

    def look(self, elapsed_s: float, samples: int) -> None:
        """Tell the start once there are samples, and each stage as it begins. Returns at once.

        ``elapsed_s`` is how long after the first sample the last one so far started.
        """
        if not samples:
            return
        if self._start is None:
            self._start = time.time() - elapsed_s
            self._tell("start", f"{self._workload} starts ({self._run})", 0.0)
        while self._stages and self._stages[0][0] <= elapsed_s:
            from_s, stage = self._stages.pop(0)
            text = f"{stage.name}: {stage.from_per_s:g}"
            text += "" if stage.is_hold else f" to {stage.to_per_s:g}"
            self._tell("stage", f"{text} requests a second", from_s, from_s + stage.seconds)

    def end(self, first_sample: float, end_s: float) -> None:
        """Tell the load's end, ``end_s`` after the first sample (epoch seconds), and put the times right.

        While a load runs, its first sample's instant is known to a second or two only, and its stages are as
        planned.
        """
        if self._grafana is None:
            return
        self.look(end_s, 1)  # those that were too short to be looked at
        self._start = first_sample
        self._tell("end", f"{self._workload} ends ({self._run})", end_s)
        for one in list(self._told):
            self._work.put(partial(_put_right, self._grafana, one, first_sample, end_s))

    def verdict(self, verdict: Verdict, text: str, from_s: float, to_s: float) -> None:
        """Tell the verdict, over the measured window; ``text`` is why."""
        if self._start is None:
            self._start, from_s, until_s = time.time(), 0.0, None
        else:
            until_s = to_s
        self._tell("verdict", f"{self._workload}: {verdict}. {text}", from_s, until_s, f"verdict:{verdict}")

    def close(self) -> list[Reason]:
        """Wait for what is still to be sent, but not for long; a warning, if not all of it was."""
        if self._grafana is None:
            return []
        self._work.put(None)
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            text = f"Grafana had not taken all annotations {PATIENCE_S:g} s after the run"
            return [Reason(level="warning", text=text, remedy="see Grafana")]
        self._grafana.close()
        if self._failure is None:
            return []
        lost = sum(one.number is None for one in self._told)
        what = f"{lost} of {len(self._told)} annotations" if lost else "the annotations' exact times"
        text = f"Grafana did not take {what}: {self._failure.message}"
        return [Reason(level="warning", text=text, remedy=self._failure.hint)]

    def _tell(self, kind: str, text: str, from_s: float, to_s: float | None = None, *more: str) -> None:
        grafana = self._grafana
        if grafana is None or self._start is None:
            return
        one = _Told(from_s, to_s, self._start)
        self._told.append(one)

        def post() -> None:
            until = None if to_s is None else one.start + to_s
            one.number = grafana.annotate(text, [*self._tags, kind, *more], one.start + from_s, until)

        self._work.put(post)

    def _send(self) -> None:
        while (work := self._work.get()) is not None:
            if self._in_a_row >= _MOST_FAILURES or (self._failure and self._failure.is_final):
                continue
            try:
                work()
                self._in_a_row = 0
            except GrafanaError as error:
                self._in_a_row += 1
                self._failure = error


def _put_right(grafana: Grafana, one: _Told, start: float, end_s: float) -> None:
    """Where it is by now known better, and where the load ended before its time."""
    is_cut = one.to_s is not None and one.to_s > end_s + _EXACT_S
    if one.number is None or (abs(start - one.start) <= _EXACT_S and not is_cut):
        return
    until = None if one.to_s is None else start + min(one.to_s, end_s)
    grafana.move(one.number, start + min(one.from_s, end_s), until)
