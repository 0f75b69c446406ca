"""Numbers as a reader meets them: thousands separated, no more digits than they carry."""

import math

from pacemark.results.record import JudgedObjective, LatencyFigures
from pacemark.results.statistics import Figures
from pacemark.workloads.objective import Objective

ABSENT = "–"
MARK = "†"
"""Behind a percentile of too few samples; ``wording.TOO_FEW`` says so."""


def count(value: int | None) -> str:
    """``1,234``; a dash for None."""
    return ABSENT if value is None else f"{value:,}"


def milliseconds(value: float | None) -> str:
    """Milliseconds without their unit. Below one it is ``<1``: JMeter records whole milliseconds, so a
    recorded 0 means less than one. A fraction is kept below 100 ms, where it still says something.
    """
    if value is None:
        return ABSENT
    if value < 1:
        return "<1"
    if value < 100 and not float(value).is_integer():
        return f"{value:.1f}"
    return f"{value:,.0f}"


def latency(figures: Figures | LatencyFigures, key: str) -> str:
    """One of the figures as ``milliseconds``, a percentile of too few samples with ``MARK``."""
    return percentile(getattr(figures, key), is_of_too_few=key in figures.too_few)


def percentile(value: float | None, *, is_of_too_few: bool) -> str:
    """As ``milliseconds``, with ``MARK`` where it is of too few samples."""
    return milliseconds(value) + (MARK if is_of_too_few and value is not None else "")


def percent(share: float | None) -> str:
    """A share of one as percent without the sign, to three significant digits; never a false 0 or 100."""
    if share is None:
        return ABSENT
    if share == 0:
        return "0"
    if share < 0.00001:
        return "<0.001"
    text = significant(share * 100, 3)
    return ">99.9" if text == "100" and share < 1 else text


def rate(per_s: float | None) -> str:
    """Requests a second without the unit."""
    if per_s is None:
        return ABSENT
    return significant(per_s, 2) if 0 < per_s < 1 else f"{per_s:,.1f}"


def plain(value: float | None) -> str:
    """A number as it was asked for: ``1,000``, ``12.5``; a dash for None."""
    if value is None:
        return ABSENT
    return significant(value, max(4, len(str(int(abs(value))))))


def significant(value: float, digits: int) -> str:
    """``value`` to that many significant digits, none of them lost left of the point: 0.0341, 12.3, 1,234."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size(count_of_bytes: int) -> str:
    """``831 B``, ``12.3 MB``: decimal multiples."""
    value, unit = float(count_of_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:,.0f} {unit}" if unit == "B" else f"{significant(value, 3)} {unit}"


def duration(seconds: float) -> str:
    """``15 s``, ``1 min 30 s``, ``2 h 5 min``, ``0.4 s``; whole seconds from a minute on."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole % 3600 // 60, "min"), (whole % 60, "s")]
    return " ".join(f"{value} {unit}" for value, unit in parts if value)


def clock(seconds: float) -> str:
    """A point in the run: ``0:07``, ``5:12``, ``1:02:03``, hours first from an hour on."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def limit(objective: Objective) -> str:
    """``< 200 ms``, ``≥ 95 %``, ``≥ 950 /s``."""
    sign = {"<=": "≤", ">=": "≥"}.get(objective.comparison, objective.comparison)
    return f"{sign} {plain(objective.limit)} {objective.unit}".rstrip()


def cell(value: str | float | None, *, is_of_too_few: bool = False) -> str:
    """A cell of a section's table: text as it is, a number to three digits or the whole of it, with ``MARK``
    where it is a percentile of too few samples."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        return value
    shown = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else significant(value, 3)
    return shown + (MARK if is_of_too_few else "")


def judged_value(judged: JudgedObjective) -> str:
    """The measured value with its unit, with as many digits as it takes not to contradict the outcome:
    0.09996 % against a limit of < 0.1 % is not shown as 0.1 %.
    """
    if judged.value is None:
        return ABSENT
    objective, value = judged.objective, judged.value
    if objective.is_latency and value < 1:
        return "<1 ms"
    digits = next(
        (d for d in range(3, 15) if objective.allows(_rounded(value, d)) == objective.allows(value)), 15
    )
    whole = max(digits, len(str(int(abs(value)))))
    return f"{significant(value, whole)} {objective.unit}".rstrip()


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{max(digits, len(str(int(abs(value)))))}g}")
