"""From a JTL's columns, as text or as numbers, to samples: each value read exactly, or its row refused."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pacemark.results import outcomes

REQUIRED = ("timeStamp", "elapsed", "label", "success")
TEXTS = {"responseCode": "code", "responseMessage": "message", "failureMessage": "failure"}
Texts = tuple[str, str, str]
NUMBERS = {
    "timeStamp": ("start_ms", pl.Int64),
    "elapsed": ("elapsed_ms", pl.Int32),
    "bytes": ("bytes", pl.Int64),
    "Connect": ("connect_ms", pl.Int32),
    "allThreads": ("all_threads", pl.Int32),
}
# Sample variables of Pacemark's plans: how late a request started, and whether a thread was idle for it.
# JMeter writes "null" where a variable is not set.
VARIABLES = {"late_ms": pl.Int32, "waited": pl.Int8}
USED = frozenset({*REQUIRED, *TEXTS, *NUMBERS, *VARIABLES})
THREAD = "threadName"
PARENT = "Number of samples in transaction : "
"""How the responseMessage of a Transaction Controller's row begins."""
_SUMMED_UP = f"^{PARENT}(\\d+)"
DEFAULT_COLUMNS = (
    *("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "dataType"),
    *("success", "failureMessage", "bytes", "sentBytes", "grpThreads", "allThreads", "URL", "Latency"),
    *("IdleTime", "Connect"),
)
"""What JMeter 5.6.3 writes, and in which order, when nothing is set."""

NO_ZONE = "the times have no zone: read as UTC"
MONTH_FIRST = "dates such as 01/30/26 were read month first, as JMeter reads them"

_LIMITS = {"elapsed": 1 << 30, "late_ms": 1 << 30, "bytes": 1 << 40, "waited": 1 << 7}
"""Below these (12 days, a terabyte) what is added up stays a number of its column's kind."""
FIRST_MS = 10**12
"""Before it (September 2001) a number is seconds rather than milliseconds, or a clock was not set."""
# Beyond it (the year 5138) it is none either, but a date such as 20260130100000123, or micro- or nanoseconds.
_LAST_MS = 10**14
_TWO = "[0-9]{2}"  # not \d, which other scripts' digits are too, of which no number can be made
_CLOCK = f"{_TWO}:{_TWO}:{_TWO}"
_DATE = rf"^([0-9]{{4}})[-/]({_TWO})[-/]({_TWO})[ T]({_CLOCK})(?:[.,]([0-9]{{3}}))?(Z|[+-]{_TWO}:?{_TWO})?$"
# JMeter reads this one too, "for compatibility, this is the original default".
_SHORT_DATE = rf"^({_TWO})/({_TWO})/({_TWO}) ({_CLOCK})$"
_DOTTED_DATE = rf"^({_TWO})\.({_TWO})\.([0-9]{{4}}) ({_CLOCK})(?:[.,]([0-9]{{3}}))?$"
_A_TIME = "neither milliseconds since 1970 nor a time such as 2026-01-30 10:00:00.123"
ANOTHER_FORM = "a time of another form than those that are read"
FORMS = "2026-01-30 10:00:00.123, 30.01.2026 10:00:00.123 or 01/30/26 10:00:00 (month first)"
"""In which times are read that are no milliseconds since 1970."""


class Read(NamedTuple):
    """A stretch of a JTL as samples, still without their outcomes: those of the rows ``failed_at`` are
    ``kinds``, without a bound on their number."""

    table: pl.DataFrame
    failed_at: NDArray[np.int64]
    kinds: list[str]
    labels: list[str]
    """Those of all, each once."""
    parents: int = 0
    """Rows of Transaction Controllers, left out."""
    in_parents: tuple[tuple[str, int], ...] = ()
    """How many samples these rows say they sum up, by label."""
    headers: int = 0
    """Repeated header lines, left out."""
    remarks: tuple[str, ...] = ()
    """How values were taken that could be taken otherwise."""

    def samples(self, known: set[str]) -> pl.DataFrame:
        """All of them, with outcomes bounded over all calls that share ``known``."""
        kinds = outcomes.bounded(self.kinds, known)
        place = {name: at for at, name in enumerate(dict.fromkeys((outcomes.OK, *kinds)))}
        places = np.zeros(self.table.height, dtype=np.uint32)
        places[self.failed_at] = [place[kind] for kind in kinds]
        return self.table.hstack([pl.Series("outcome", list(place), dtype=pl.Categorical)[places]])


class UnreadableError(Exception):
    """A value in the table cannot be read."""


def read_columns(rows: pl.DataFrame) -> Read:
    """Samples from a table that has JMeter's columns, each as text or as what it stands for.

    Raises:
        UnreadableError: a value is none that its column may have.
    """
    in_parents = tuple[tuple[str, int], ...]()
    rows, transactions = _without_parents(rows)
    if transactions.height:
        in_parents = tuple(transactions.group_by("label").agg(pl.col("samples").sum()).iter_rows())
    numbers = {name: _number(rows, column, kind) for column, (name, kind) in NUMBERS.items()}
    variables = {name: _number(rows, name, kind, default=None) for name, kind in VARIABLES.items()}
    dated = rows.schema["timeStamp"] == pl.String
    if dated:
        numbers["start_ms"] = _start_ms()
    success = pl.col("success")
    if rows.schema["success"] == pl.String:
        success = success.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None)
    table = rows.select(
        label=_text("label").cast(pl.Categorical),
        **numbers,
        **variables,
        **({"thread": _text(THREAD)} if THREAD in rows.columns else {}),
        success=success,
    )
    _require_all_values(table, rows)
    labels = table["label"].unique().cast(pl.String).to_list()
    has_failed = ~table.drop_in_place("success")
    return Read(
        table=table,
        failed_at=np.flatnonzero(has_failed.to_numpy()),
        kinds=_outcomes_of(_texts_of(rows, has_failed)),
        labels=labels,
        parents=transactions.height,
        in_parents=in_parents,
        remarks=tuple(_remarks(rows["timeStamp"])) if dated else (),
    )


def _texts_of(rows: pl.DataFrame, wanted: pl.Series) -> list[Texts]:
    """The ``TEXTS`` of some of the rows, empty where one has none."""
    none = [""] * int(wanted.sum())
    given = (rows[name].filter(wanted).to_list() if name in rows.columns else none for name in TEXTS)
    return [(code or "", message or "", failure or "") for code, message, failure in zip(*given, strict=True)]


def _require_all_values(table: pl.DataFrame, rows: pl.DataFrame) -> None:
    """That each of ``rows`` has become one of ``table`` whole, by counts and extremes: they cost least."""
    if not table.height:
        return
    bounds = {name: _LIMITS[name] for name in ("late_ms", "bytes")}
    given = [name for name in VARIABLES if name in rows.columns and rows.schema[name] == pl.String]
    if (
        any(table[name].null_count() for name in (*(name for name, _ in NUMBERS.values()), "success"))
        or not _lie_within(table["start_ms"], FIRST_MS, _LAST_MS)
        or not _lie_within(table["elapsed_ms"], 0, _LIMITS["elapsed"] - 1)
        or not all(_lie_within(table[name], 1 - most, most - 1) for name, most in bounds.items())
        or any(
            (table[name].is_null() & rows.select(_is_given(rows, name)).to_series()).any() for name in given
        )
    ):
        raise UnreadableError


def _lie_within(values: pl.Series, least: int, most: int) -> bool:
    lowest, highest = cast(int | None, values.min()), cast(int | None, values.max())
    return lowest is None or highest is None or (least <= lowest and highest <= most)


_KINDS: dict[Texts, str] = {}
"""Outcomes of texts that were classified: it takes as long for a few as for thousands."""
_MOST_KINDS = 2000


def _outcomes_of(rows: Sequence[Texts]) -> list[str]:
    kinds = {row: _KINDS[row] for row in dict.fromkeys(rows) if row in _KINDS}
    if new := [row for row in dict.fromkeys(rows) if row not in kinds]:
        table = pl.DataFrame(new, schema=dict.fromkeys(TEXTS.values(), pl.String), orient="row")
        found = outcomes.classify(table)["outcome"]
        kinds |= dict(zip(new, found, strict=True))
        if len(_KINDS) + len(new) > _MOST_KINDS:
            _KINDS.clear()
        if len(new) <= _MOST_KINDS:
            _KINDS.update((row, kinds[row]) for row in new)
    return [kinds[row] for row in rows]


def value_fault(column: str, text: str) -> str:
    """What is wrong with a value of a JTL, empty when nothing is."""
    if column == "success" and text.lower() not in ("true", "false"):
        return f"success is {shown(text)}, neither true nor false"
    if column == "timeStamp":
        return _time_fault(text)
    if column in NUMBERS or (column in VARIABLES and text not in ("", "null")):
        return _number_fault(column, text)
    return ""


def shown(text: str) -> str:
    """A text from a file, in quotes and not too long for a line."""
    return repr(text if len(text) <= 60 else text[:60] + "...")


def _without_parents(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The samples, and of the rows of Transaction Controllers the ``label`` and how many ``samples`` each
    says it sums up."""
    none = pl.DataFrame(schema={"label": pl.String, "samples": pl.Int64})
    if "responseMessage" not in rows.columns:
        return rows, none
    is_parent = pl.col("responseMessage").str.starts_with(PARENT).fill_null(False)
    if not rows.select(is_parent.any()).item():
        return rows, none
    parents = rows.filter(is_parent)
    # A row that is too short lacks the last, and may make up for one that is too long.
    if any(parents[name].null_count() for name in NUMBERS if name in rows.columns):
        raise UnreadableError("a row of a transaction lacks a number")
    named = pl.col("responseMessage").str.extract(_SUMMED_UP).cast(pl.Int64, strict=False).fill_null(0)
    return rows.filter(~is_parent), parents.select(_text("label"), samples=named)


def _text(column: str) -> pl.Expr:
    return pl.col(column).fill_null("")


def _number(
    rows: pl.DataFrame, column: str, kind: type[pl.datatypes.IntegerType], default: int | None = 0
) -> pl.Expr:
    if column not in rows.columns:
        return pl.lit(default, dtype=kind)
    return pl.col(column).cast(kind, strict=False)


def _is_given(rows: pl.DataFrame, variable: str) -> pl.Expr:
    if rows.schema[variable] != pl.String:
        return pl.lit(False)
    return pl.col(variable).is_not_null() & (pl.col(variable) != "null")


def _start_ms() -> pl.Expr:
    number = pl.col("timeStamp").cast(pl.Int64, strict=False)
    return pl.coalesce(number, _year_first(), _month_first(), _day_first())


def _year_first() -> pl.Expr:
    parts = pl.col("timeStamp").str.extract_groups(_DATE).struct
    day = pl.format("{}-{}-{} {}", *(parts.field(str(n)) for n in (1, 2, 3, 4)))
    zone = parts.field("6").str.replace("Z", "+0000").str.replace(":", "")
    offset_min = (zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(3, 2).cast(pl.Int64)) * (
        pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    )
    return _epoch_ms(day) + parts.field("5").cast(pl.Int64).fill_null(0) - offset_min.fill_null(0) * 60_000


def _month_first() -> pl.Expr:
    parts = pl.col("timeStamp").str.extract_groups(_SHORT_DATE).struct
    return _epoch_ms(pl.format("20{}-{}-{} {}", *(parts.field(str(n)) for n in (3, 1, 2, 4))))


def _day_first() -> pl.Expr:
    parts = pl.col("timeStamp").str.extract_groups(_DOTTED_DATE).struct
    day = pl.format("{}-{}-{} {}", *(parts.field(str(n)) for n in (3, 2, 1, 4)))
    return _epoch_ms(day) + parts.field("5").cast(pl.Int64).fill_null(0)


def _epoch_ms(text: pl.Expr) -> pl.Expr:
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ms", strict=False).dt.epoch("ms")


def _remarks(times: pl.Series) -> Iterator[str]:
    dates = times.filter(times.str.contains(r"[-/:]"))
    if (~dates.str.contains(r"(Z|[+-]\d\d:?\d\d)$")).any():
        yield NO_ZONE
    if dates.str.contains(_SHORT_DATE).any():
        yield MONTH_FIRST


def _time_fault(text: str) -> str:
    if re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        found: int | None = int(text)
    else:
        found = pl.DataFrame({"timeStamp": [text]}).select(_start_ms()).item()
    if found is None or found > _LAST_MS:
        is_of_another = re.search(r"\d\D+\d", text) and not re.match(f"{_DATE}|{_DOTTED_DATE}", text)
        return f"timeStamp is {shown(text)}, {ANOTHER_FORM if is_of_another else _A_TIME}"
    if found < FIRST_MS:
        return f"timeStamp is {shown(text)}, before 2001: seconds take three zeros to be milliseconds"
    return ""


def _number_fault(column: str, text: str) -> str:
    limit = _LIMITS.get(column, 1 << 31)
    lowest = 0 if column in REQUIRED else 1 - limit
    if re.fullmatch(r"[-+]?[0-9]{1,19}", text) and lowest <= int(text) < limit:
        return ""
    return f"{column} is {shown(text)}, not a whole number in range"
