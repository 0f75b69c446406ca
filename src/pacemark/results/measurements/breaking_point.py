"""The highest rate that was held, what broke above it, and whether the gateway came back."""

from collections.abc import Sequence
from dataclasses import replace

from pacemark.results.bracket import Bracket
from pacemark.results.holds import ERRORS_PERCENT, P95_MS, RATE_PERCENT, Hold, ends_well, first_breach, holds
from pacemark.results.judge import Own
from pacemark.results.measurements.model import Measurement, Subject, latency_columns
from pacemark.results.measurements.stages import reached
from pacemark.results.record import Chart, Column, Mark, Reason, Section, Series, Window
from pacemark.results.recovery import Recovery, error_recovery, latency_recovery

COLUMNS = (
    Column(name="Load"),
    Column(name="Asked", unit="/s"),
    Column(name="Achieved", unit="/s"),
    *latency_columns(("P95",), counted_in="Samples"),
    Column(name="Errors", unit="%"),
    Column(name="JMeter's CPU", unit="%"),
    Column(name="Samples"),
    Column(name="Outcome"),
)
OUTCOMES = {
    "held": "held",
    "broke": "not held",
    "generator": "JMeter was the limit",
    "too few": "not judged",
}
CRITERION = (
    f"A rate is held with errors < {ERRORS_PERCENT:g} %, response P95 < {P95_MS} ms "
    f"and at least {RATE_PERCENT:g} % of the requests asked for."
)


def to_probe(subject: Subject) -> Bracket | None:
    """Between which rates it broke, where a probe between both would tell more; None where none would, or
    where the gateway did not even come back to hold the rate after the step down."""
    every = reached(subject)
    levels = _levels(every)
    found = _bracket(subject, levels, _probe_holds(subject))
    is_back = len(every) == len(levels) or ends_well(every[-1], subject.load, subject.digest)
    return found if found.is_open and is_back else None


def measure(subject: Subject) -> Measurement:
    """The objectives' ``breaking_point``, ``recovery`` and ``clearance``; a section for the first and one for
    the others. Where JMeter was the limit the run is invalid; a gateway that did not come back fails."""
    every, probes = reached(subject), _probe_holds(subject)
    levels = _levels(every)
    found = _bracket(subject, levels, probes)
    if found.untried and not found.unclear:
        found = replace(found, unclear=f"up to {_rate(found.untried)} no hold could be judged")
    latency, errors = _recoveries(subject, every)
    reasons = []
    if found.is_fault:
        text = f"the breaking point was not found: {found.unclear}"
        reasons.append(Reason(level="invalid", text=text, remedy="give JMeter more cores or lower the rates"))
    reasons += [
        Reason(level="fail", text=f"the gateway did not recover: {one.why}")
        for one in (latency, errors)
        if one.failed
    ]
    own = {
        **_breaking_point(found, subject.load.highest_per_s),
        ("recovery", "s"): Own(latency.seconds, latency.why),
        ("clearance", "s"): Own(errors.seconds, errors.why),
    }
    sections = [_section(subject, found, levels, probes), _recovery_section(latency, errors)]
    ends = (every[0], every[-1]) if every else ()
    is_sound = not found.unclear and all(hold.outcome != "generator" for hold in ends)
    return Measurement(own=own, sections=sections, reasons=reasons, judges_generator=is_sound)


def _levels(every: Sequence[Hold]) -> Sequence[Hold]:
    """The holds of rising rate, up to the highest that was asked for."""
    highest = max((hold.asked_per_s for hold in every), default=0.0)
    return every[: next((n for n, hold in enumerate(every, start=1) if hold.asked_per_s == highest), 0)]


def _probe_holds(subject: Subject) -> list[Hold]:
    return [hold for probe in subject.probes for hold in holds(probe.load, probe.digest, probe.cpu_share)]


def _bracket(subject: Subject, levels: Sequence[Hold], probes: Sequence[Hold]) -> Bracket:
    if subject.cut_short:
        return Bracket(unclear="the load was cut short")
    found = Bracket.of(levels, probes)
    if subject.probing_failed and not found.unclear:
        return replace(found, unclear=subject.probing_failed, is_fault=True)
    return found


def _breaking_point(found: Bracket, highest_per_s: float) -> dict[tuple[str, str], Own]:
    """The highest rate held; 0 where not even the lowest was."""
    if found.unclear:
        value, percent = Own(None, found.unclear), Own(None, found.unclear)
    else:
        rate = found.held.asked_per_s if found.held else 0.0
        value, percent = Own(rate), Own(round(rate * 100 / highest_per_s, 9))
    return {("breaking_point", "/s"): value, ("breaking_point", "%"): percent}


def _section(subject: Subject, found: Bracket, levels: Sequence[Hold], probes: Sequence[Hold]) -> Section:
    rows = [(hold.name, hold) for hold in levels]
    rows += [(f"probe {number}", hold) for number, hold in enumerate(probes, start=1)]
    rows.sort(key=lambda row: row[1].asked_per_s)
    sentences = (_what_held(found), _what_broke(subject, found, levels, probes))
    return Section(
        title="Breaking point",
        summary=" ".join(sentence for sentence in sentences if sentence),
        note=CRITERION,
        columns=list(COLUMNS),
        rows=[_row(name, hold) for name, hold in rows],
        charts=_charts(found, [hold for _, hold in rows if hold.response.count]),
    )


def _charts(found: Bracket, every: Sequence[Hold]) -> list[Chart]:
    """Latency, and what failed or was never sent, against the rate that was asked for."""
    if not every:
        return []
    rates, marks = [hold.asked_per_s for hold in every], _marks(found)
    percentiles = ("p50", "p95", "p99")
    latencies = [
        Series(name=name.upper(), values=[getattr(hold.response, name) for hold in every])
        for name in percentiles
    ]
    limit = Series(name=f"limit of P95, {P95_MS} ms", values=[P95_MS] * len(every))
    unsent = [max(0.0, 100 - 100 * hold.achieved_per_s / hold.asked_per_s) for hold in every]
    lost = [
        Series(name="errors", values=[hold.error_percent for hold in every]),
        Series(name="not sent in time", values=[round(percent, 3) for percent in unsent]),
    ]
    return [
        Chart(
            title="Response time by offered rate",
            note="A point is a hold of one rate, in the main load or a probe.",
            unit="response, ms",
            axis="rate",
            at=rates,
            series=[*latencies, limit],
            marks=marks,
        ),
        Chart(
            title="Errors by offered rate",
            note="Failed requests, and those asked for that were not sent while the rate was held.",
            unit="percent",
            axis="rate",
            at=rates,
            series=lost,
            marks=marks,
        ),
    ]


def _marks(found: Bracket) -> list[Mark]:
    """Where it breaks: between the highest rate held and the lowest not held, as far as both are known."""
    if found.unclear or found.held is None:
        return []
    held = found.held.asked_per_s
    broke = found.broke.asked_per_s if found.broke else held
    text = f"breaking point {held:,.4g} /s" if found.broke else f"{held:,.4g} /s held"
    return [Mark(from_at=held, to_at=broke, text=text)]


def _row(name: str, hold: Hold) -> list[str | int | float | None]:
    return [
        name,
        hold.asked_per_s,
        hold.achieved_per_s,
        hold.response.p95,
        hold.error_percent,
        None if hold.cpu_share is None else hold.cpu_share * 100,
        hold.response.count,
        ": ".join(text for text in (OUTCOMES[hold.outcome], hold.why) if text),
    ]


def _what_held(found: Bracket) -> str:
    held, broke = found.held, found.broke
    if found.unclear:
        sofar = f" Held was {_rate(held)}." if held else ""
        return f"The breaking point was not found: {found.unclear}.{sofar}"
    if broke is None and held is not None:
        return f"The gateway held {_rate(held)}, the highest rate asked: its breaking point lies above."
    if held is None and broke is not None:
        return (
            f"The gateway did not hold {_rate(broke)}, the lowest rate judged: its breaking point lies below."
        )
    assert held is not None
    assert broke is not None
    achieved = f"{held.achieved_per_s:,.4g} achieved"
    apart = broke.asked_per_s / held.asked_per_s - 1
    return f"The gateway held {_rate(held)} ({achieved}) and did not hold {_rate(broke)}, {apart:.0%} more."


def _what_broke(subject: Subject, found: Bracket, levels: Sequence[Hold], probes: Sequence[Hold]) -> str:
    """What broke first at the lowest rate that was not held, and between which stages of the main load."""
    if found.broke is None:
        return ""
    stages = Bracket.of(levels, ())
    if found.broke in probes:
        probe = subject.probes[probes.index(found.broke)]
        at_s, first = first_breach(found.broke, probe.load, probe.digest, 0.0)
    else:
        from_s = stages.held.window.to_s if stages.held else 0.0
        at_s, first = first_breach(found.broke, subject.load, subject.digest, from_s)
    breaches = " and ".join(breach.text for breach in first)
    where = "of the probe" if found.broke in probes else "of the load"
    sentences = [f"First to break was {breaches}, from {at_s:.0f} s {where}."]
    if stages.held and stages.broke:
        sentences.append(f"In the stages it broke between {stages.held.name} and {stages.broke.name}.")
    if again := [hold.name for hold in levels if _held_above(hold, found.broke)]:
        sentences.append(f"Yet {', '.join(again)} held.")
    return " ".join(sentences)


def _held_above(hold: Hold, broke: Hold) -> bool:
    return hold.outcome == "held" and hold.asked_per_s > broke.asked_per_s


def _rate(hold: Hold) -> str:
    return f"{hold.asked_per_s:,.4g} requests a second"


def _recoveries(subject: Subject, every: Sequence[Hold]) -> tuple[Recovery, Recovery]:
    """Of P95 and of errors, after the last step down."""
    if subject.cut_short:
        unknown = Recovery(None, "the load was cut short")
        return unknown, unknown
    first, last = every[0], every[-1]
    if len(every) == len(_levels(every)):
        unknown = Recovery(None, "the load has no step down")
        return unknown, unknown
    step_s = [start for start, stage in subject.load.timeline() if stage.is_hold][-1]
    after = Window(from_s=step_s, to_s=last.window.to_s)
    digest = subject.digest.without_lifetimes()
    if first.outcome in ("broke", "generator"):
        unknown = Recovery(None, f"the first hold was no baseline: {first.why}")
        return unknown, error_recovery(digest, after)
    baseline = (
        digest.between(first.window.from_s, first.window.to_s)
        if first.window.seconds > 0
        else digest.only("")
    )
    return latency_recovery(digest, baseline, after), error_recovery(digest, after)


def _recovery_section(latency: Recovery, errors: Recovery) -> Section:
    return Section(
        title="Recovery",
        summary=f"{_back('P95', latency)} {_back('Errors', errors)}",
        note="Seconds from the step down to the first 5 s window from which on all have a P95 of at most "
        "1.2 times that of the first hold and 5 ms, or errors below 0.1 %.",
        columns=[Column(name="Figure"), Column(name="Back after", unit="s")],
        rows=[["P95", latency.seconds], ["Errors", errors.seconds]],
    )


def _back(figure: str, recovery: Recovery) -> str:
    if recovery.seconds is None:
        return f"{figure}: {recovery.why}."
    verb = "was" if figure == "P95" else "were"
    return f"{figure} {verb} back {recovery.seconds:.3g} s after the step down."
