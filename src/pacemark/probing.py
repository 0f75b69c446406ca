"""Looking closer at a breaking point: after the main load, short loads of one rate each, by bisection."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pacemark.errors import InterruptedRunError, PacemarkError, RunError
from pacemark.jmeter.run import INTERRUPTED, Execution
from pacemark.results.bracket import Bracket
from pacemark.results.digest import DIGEST_FILE, Digest
from pacemark.results.holds import LEAST_ASKED, CpuShare
from pacemark.results.measurements.breaking_point import to_probe
from pacemark.results.measurements.model import Probe, Subject
from pacemark.workloads.load import Load
from pacemark.workloads.model import SCALES, Workload

MEASUREMENT = "breaking_point"
"""The measurement that probes are made for."""
MOST_PROBES = 5
"""Enough to narrow a rate that is doubled, or one up to twentyfold, to a tenth."""
MOST_HOLD_S = 60
CLIMB_SHARE = 0.25
"""Of the hold, for the climb to it: JMeter needs some 3 s to be warm."""
REST_S = 5.0
"""Before each probe, for what the one before left in the gateway. JMeter's start takes 3 to 4 s more."""
_OVERHEAD_S = 90.0
"""JMeter's start and, at worst, requests that take their whole time-out at the end."""

Carry = Callable[[Workload, Load, Path], tuple[Execution, Digest]]
"""Carries out a load of a workload, its files into a directory, and counts its samples."""


def most_seconds(workload: Workload, load: Load) -> float:
    """How long probing may take after ``load``; 0 for a workload that has none."""
    if MEASUREMENT not in workload.measurements:
        return 0.0
    hold_s = min(MOST_HOLD_S, _longest_hold_s(load))
    return MOST_PROBES * (hold_s * (1 + CLIMB_SHARE) + REST_S + _OVERHEAD_S)


def probed(
    subject: Subject, directory: Path, carry: Carry, *, rest: Callable[[float], None] = time.sleep
) -> Subject:
    """The subject with the probes that its workload needs.

    There are none where the load was cut short, where every rate was held or none, where JMeter was the
    limit, or where the gateway did not hold the rate after the step down. Each halves what lies between the
    highest rate held and the lowest not held, until these are within a tenth; where none was held, it first
    tries the rates whose holds were too short to be judged. Probe N's files are in
    ``directory/probes/N``. When the user interrupts one it says so.
    """
    if MEASUREMENT not in subject.workload.measurements:
        return subject
    while len(subject.probes) < MOST_PROBES and (found := to_probe(subject)):
        number = len(subject.probes) + 1
        load = probe_load(found, subject.load)
        try:
            rest(REST_S)
            probe = _probe(subject, load, directory / "probes" / str(number), carry)
        except (KeyboardInterrupt, InterruptedRunError):
            return replace(subject, probing_failed=INTERRUPTED)
        except PacemarkError as error:
            return replace(subject, probing_failed=f"probe {number}: {error.message}")
        subject = replace(subject, probes=(*subject.probes, probe))
    return subject


def probe_load(found: Bracket, main: Load) -> Load:
    """A climb to the rate between both, and a hold of about the main load's, a minute at most.

    Threads are in proportion between those of the two stages.
    """
    rate = found.between_per_s
    low, high = found.held or found.untried, found.broke
    assert low is not None
    assert high is not None
    share = (rate - low.asked_per_s) / (high.asked_per_s - low.asked_per_s)
    hold_s = math.ceil(max(min(MOST_HOLD_S, _longest_hold_s(main)), LEAST_ASKED / rate + 1, 2))
    climb_s = math.ceil(hold_s * CLIMB_SHARE)
    return Load(
        threads=math.ceil(low.threads + share * (high.threads - low.threads) - 1e-9),
        ramp_up_s=climb_s,
        duration_s=climb_s + hold_s,
        rate_per_s=float(f"{rate:.4g}"),
    )


def cpu_share(execution: Execution, digest: Digest) -> CpuShare:
    """JMeter's share of the processor time that it could get, by window of the digest."""
    first_s = digest.start_ms / 1000
    return lambda window: execution.cpu_share(first_s + window.from_s, first_s + window.to_s)


def _probe(subject: Subject, load: Load, directory: Path, carry: Carry) -> Probe:
    # The same requests without the main load's shape.
    plain = subject.workload.model_copy(update={"scales": dict.fromkeys(SCALES, load), "measurements": ()})
    directory.mkdir(parents=True)
    execution, digest = carry(plain, load, directory)
    digest.save(directory / DIGEST_FILE)
    if execution.stopped == INTERRUPTED:
        raise InterruptedRunError("interrupted in a probe")
    if execution.stopped or execution.exit_code:
        raise RunError(execution.stopped or f"JMeter failed (exit status {execution.exit_code})")
    return Probe(load, digest, cpu_share(execution, digest))


def _longest_hold_s(load: Load) -> float:
    return max(stage.seconds for stage in load.stages if stage.is_hold)
