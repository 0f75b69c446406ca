"""JMeter's sample file (JTL) as tables of samples: every row counts once, or the file is refused.

The file is read in stretches of whole records, so that memory does not grow with the file. A stretch that
does not add up is read again record by record, to name the line at fault.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import polars as pl

from pacemark.errors import InputError
from pacemark.results import outcomes

STRETCH_BYTES = 8 << 20
_LONGEST_RECORD_BYTES = 64 << 20
_DELIMITERS = ",\t;|"
_REQUIRED = ("timeStamp", "elapsed", "label", "success")
_TEXTS = {"responseCode": "code", "responseMessage": "message", "failureMessage": "failure"}
_NUMBERS = {
    "timeStamp": ("start_ms", pl.Int64),
    "elapsed": ("elapsed_ms", pl.Int32),
    "bytes": ("bytes", pl.Int64),
    "Connect": ("connect_ms", pl.Int32),
    "allThreads": ("all_threads", pl.Int32),
}
# Sample variables of Pacemark's plans: how late a request started, and whether a thread was idle for it.
# JMeter writes "null" where a variable is not set.
_VARIABLES = {"late_ms": pl.Int32, "waited": pl.Int8}
_CUT = ("", "n", "nu", "nul")
"""What a last field that a kill cut off may be."""
_USED = {*_REQUIRED, *_TEXTS, *_NUMBERS, *_VARIABLES}
_PARENT = "Number of samples in transaction : "
_STRAY_QUOTE = "a quote is out of place, or a quoted field never ends"
_CSV_HINT = "save results as CSV: jmeter.save.saveservice.output_format=csv"
_OTHER_KINDS = (
    (b"\x1f\x8b", "is gzip-compressed", "unpack it first"),
    (b"PK\x03\x04", "is a zip archive", "unpack it first"),
    (b"<?xml", "is XML", _CSV_HINT),
    (b"<testResults", "is XML", _CSV_HINT),
)


@dataclass(frozen=True)
class Header:
    """The first line of a JTL; ``raw`` is the line without its end, as appended runs repeat it."""

    columns: tuple[str, ...]
    delimiter: str
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes, path: Path) -> Self:
        """Read a header line; the delimiter is the one that yields the columns.

        Raises:
            InputError: it is none, lacks a column that every JTL needs, or names one twice.
        """
        text = raw.decode("utf-8", "replace")
        choices = [(tuple(next(csv.reader([text], delimiter=d), [])), d) for d in _DELIMITERS]
        columns, delimiter = max(choices, key=lambda choice: len(set(_REQUIRED) & set(choice[0])))
        if missing := [name for name in _REQUIRED if name not in columns]:
            raise _no_header(path, text, missing)
        if twice := sorted(name for name in _USED if columns.count(name) > 1):
            raise InputError(f"{path}: the header names {', '.join(twice)} twice", "keep one of the columns")
        return cls(columns, delimiter, raw)


class Jtl:
    """A CSV JTL, known by its header; ``samples`` reads it, as often as wanted.

    ``notes`` says after a reading what was left out, ``parents`` how many rows of Transaction Controllers.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path`` and read its header.

        Raises:
            InputError: the file cannot be read, or is no CSV JTL with a header.
        """
        self.path = path
        with _opened(path) as file:
            _refuse_other_kinds(path, file.read(4096))
            file.seek(0)
            raw = file.readline(1 << 20)
        self.header = Header.parse(raw.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n"), path)
        mark = re.escape(self.header.delimiter.encode())
        field = rb'(?:"(?:[^"]|"")*+"|[^"\r\n' + mark + rb"]*+)"
        self._field = re.compile(rb"(?:^|" + mark + rb")(" + field + rb")")
        self._record = re.compile(field + rb"(?:" + mark + field + rb")*+(?:\r?\n|\Z)")
        self._first_byte = len(raw)
        self.notes: tuple[str, ...] = ()
        self._start_over()

    @property
    def absent(self) -> tuple[str, ...]:
        """Which of ``bytes``, ``connect_ms`` and ``all_threads`` the file does not have."""
        return tuple(name for column, (name, _) in _NUMBERS.items() if column not in self.header.columns)

    def samples(self) -> Iterator[pl.DataFrame]:
        """All samples, a stretch of the file at a time, none of the tables empty.

        Columns: ``label``, ``start_ms`` (since 1970), ``elapsed_ms``, ``bytes``, ``connect_ms`` and
        ``all_threads`` (0 where absent), ``late_ms`` and ``waited`` (null where unknown), ``outcome``.
        Parent rows of Transaction Controllers are left out.

        Raises:
            InputError: a row cannot be read; the message names its line and the text.
        """
        self._start_over()
        with _opened(self.path) as file:
            file.seek(self._first_byte)
            for stretch in self._stretches(file):
                self._stretch = stretch
                samples = self._normalised(self._without_parents(self._table(stretch)))
                if samples.height:
                    yield samples
        self.notes = tuple(self._told())

    def stretches(self) -> Iterator[bytes]:
        """The file's whole records as they stand, a stretch at a time; neither the header nor a partial last
        line.

        Raises:
            InputError: the file cannot be read, or a quoted field never ends.
        """
        self._start_over()
        with _opened(self.path) as file:
            file.seek(self._first_byte)
            yield from self._stretches(file)

    def _start_over(self) -> None:
        self.notes = ()
        self._stretch, self._at_byte = b"", self._first_byte
        self._partial = ""
        self._headers = self.parents = 0
        self._outcomes: set[str] = {outcomes.OK}

    def _told(self) -> Iterator[str]:
        if self._partial:
            yield f"a partial last line was left out: {self._partial}"
        if self._headers:
            yield f"{self._headers} repeated header line{'s' * (self._headers > 1)} left out"
        if self.parents:
            yield f"{self.parents} rows of Transaction Controllers left out: they sum up other rows"
        if "responseMessage" not in self.header.columns:
            yield "without a responseMessage column, rows of Transaction Controllers count as samples"

    def _stretches(self, file: BinaryIO) -> Iterator[bytes]:
        rest = b""
        while block := file.read(STRETCH_BYTES):
            block = rest + block
            end = _end_of_records(block)
            rest = block[end:]
            if end:
                yield block[:end]
                self._at_byte += end
            if len(rest) > _LONGEST_RECORD_BYTES:
                raise self._at(self._line_at(self._at_byte), _STRAY_QUOTE)
        tail = rest.rstrip(b"\r\n")
        if tail and self._is_whole(tail):
            yield tail + b"\n"

    def _is_whole(self, tail: bytes) -> bool:
        """Whether the last line, which has no end, has all its fields; notes it when it has not."""
        if self._record.fullmatch(tail) and (fields := self._fields(tail)):
            if len(fields) == len(self.header.columns) and fields[-1] not in _CUT:
                return True
        elif any(self._is_sample(line) for line in tail.split(b"\n")[1:]):
            raise self._at(self._line_at(self._at_byte), _STRAY_QUOTE)
        self._partial = _shown(tail.decode("utf-8", "replace"))
        return False

    def _is_sample(self, line: bytes) -> bool:
        return self._record.fullmatch(line) is not None and not self._fault(line)

    def _table(self, stretch: bytes) -> pl.DataFrame:
        last = self.header.columns[-1]
        at = {name: i for i, name in enumerate(self.header.columns) if name in _USED or name == last}
        try:
            table = self._parsed(stretch).select(pl.col(str(i)).alias(name) for name, i in at.items())
            rows = table.collect(engine="streaming")
        except pl.exceptions.PolarsError as error:
            raise self._diagnosis(str(error).partition("\n")[0]) from None
        if (rows["timeStamp"] == "timeStamp").any() and (
            without := self._without_headers(stretch)
        ) != stretch:
            return self._table(without)
        if rows[last].null_count() and not self._has_all_fields(stretch, rows.height):
            raise self._diagnosis("a row is too short")
        return rows

    def _parsed(self, stretch: bytes) -> pl.LazyFrame:
        schema = {str(i): pl.String for i in range(len(self.header.columns))}
        return pl.scan_csv(stretch, separator=self.header.delimiter, has_header=False, schema=schema)

    def _without_headers(self, stretch: bytes) -> bytes:
        line = re.compile(rb"^" + re.escape(self.header.raw) + rb"\r?\n", re.MULTILINE)
        without, count = line.subn(b"", stretch)
        self._headers += count
        return without

    def _has_all_fields(self, stretch: bytes, rows: int) -> bool:
        """Whether no row is short: polars fills short rows with nulls, so count the delimiters."""
        mark = self.header.delimiter
        inside = 0
        if b'"' in stretch:
            counts = pl.all().str.count_matches(mark, literal=True).sum()
            inside = int(self._parsed(stretch).select(counts).collect().sum_horizontal().item())
        return stretch.count(mark.encode()) - inside == rows * (len(self.header.columns) - 1)

    def _without_parents(self, rows: pl.DataFrame) -> pl.DataFrame:
        if "responseMessage" not in rows.columns:
            return rows
        samples = rows.filter(pl.col("responseMessage").fill_null("").str.starts_with(_PARENT).not_())
        self.parents += rows.height - samples.height
        return samples

    def _normalised(self, rows: pl.DataFrame) -> pl.DataFrame:
        numbers = {name: _number(rows, column, kind) for column, (name, kind) in _NUMBERS.items()}
        variables = {name: _number(rows, name, kind, default=None) for name, kind in _VARIABLES.items()}
        success = pl.col("success").str.to_lowercase()
        faults = [
            *(number.is_null() for number in numbers.values()),
            *(value.is_null() & _is_given(name) for name, value in variables.items() if name in rows.columns),
            numbers["start_ms"] < 0,
            numbers["elapsed_ms"] < 0,
            success.is_in(["true", "false"]).not_().fill_null(True),
        ]
        texts = {name: _text(rows, column) for column, name in {"label": "label", **_TEXTS}.items()}
        samples = rows.lazy().select(
            **texts, **numbers, **variables, success=success == "true", at_fault=pl.any_horizontal(faults)
        )
        table = samples.collect()
        if table["at_fault"].any():
            raise self._diagnosis("a value cannot be read")
        return self._with_outcomes(table.drop("at_fault"))

    def _with_outcomes(self, samples: pl.DataFrame) -> pl.DataFrame:
        texts = list(_TEXTS.values())
        good = samples.filter("success").drop(texts)
        good = good.with_columns(outcome=pl.lit(outcomes.OK))
        failed = samples.filter(pl.col("success").not_())
        if failed.height:
            kinds = outcomes.classify(failed.select(texts).unique(maintain_order=True))
            failed = failed.join(outcomes.bounded(kinds, self._outcomes), on=texts).drop(texts)
            good = pl.concat([good, failed])
        return good.drop("success")

    def _diagnosis(self, otherwise: str) -> InputError:
        """The error for the first record of the present stretch that cannot be read."""
        position, line = 0, self._line_at(self._at_byte)
        while position < len(self._stretch):
            match = self._record.match(self._stretch, position)
            if match is None:
                return self._at(line, _STRAY_QUOTE)
            record = match[0].rstrip(b"\r\n")
            if record != self.header.raw and (fault := self._fault(record)):
                return self._at(line, fault)
            line, position = line + match[0].count(b"\n"), match.end()
        return InputError(f"{self.path} cannot be read", otherwise)

    def _fault(self, record: bytes) -> str:
        """What is wrong with a record, empty when nothing is."""
        try:
            fields = self._fields(record)
        except UnicodeDecodeError:
            return "is not UTF-8"
        columns = self.header.columns
        if {"timeStamp", "elapsed"} <= set(fields):
            return "another header, with other columns than the first"
        if len(fields) != len(columns):
            return f"{len(fields)} fields where the header has {len(columns)}: {_shown(record.decode())}"
        return next(filter(None, map(_value_fault, columns, fields)), "")

    def _fields(self, record: bytes) -> list[str]:
        fields = self._field.findall(record)
        return [field.removeprefix(b'"').removesuffix(b'"').replace(b'""', b'"').decode() for field in fields]

    def _line_at(self, offset: int) -> int:
        line = 1
        with _opened(self.path) as file:
            while offset and (block := file.read(min(offset, STRETCH_BYTES))):
                line, offset = line + block.count(b"\n"), offset - len(block)
        return line

    def _at(self, line: int, what: str) -> InputError:
        return InputError(f"{self.path}, line {line}: {what}", "mend or remove that line")


def _text(rows: pl.DataFrame, column: str) -> pl.Expr:
    return pl.col(column).fill_null("") if column in rows.columns else pl.lit("")


def _number(
    rows: pl.DataFrame, column: str, kind: type[pl.datatypes.IntegerType], default: int | None = 0
) -> pl.Expr:
    if column not in rows.columns:
        return pl.lit(default, dtype=kind)
    return pl.col(column).cast(kind, strict=False)


def _is_given(variable: str) -> pl.Expr:
    return pl.col(variable).is_not_null() & (pl.col(variable) != "null")


def _value_fault(column: str, text: str) -> str:
    if column == "success" and text.lower() not in ("true", "false"):
        return f"success is {_shown(text)}, neither true nor false"
    if column in _VARIABLES and text not in ("", "null"):
        return _number_fault(column, text, _VARIABLES[column])
    if column in _NUMBERS:
        return _number_fault(column, text, _NUMBERS[column][1])
    return ""


def _number_fault(column: str, text: str, kind: type[pl.datatypes.IntegerType]) -> str:
    bits = 63 if kind is pl.Int64 else 31 if kind is pl.Int32 else 7
    lowest = 0 if column in _REQUIRED else -(1 << bits)
    if re.fullmatch(r"-?[0-9]{1,19}", text) and lowest <= int(text) < 1 << bits:
        return ""
    what = "milliseconds since 1970" if column == "timeStamp" else "a whole number in range"
    return f"{column} is {_shown(text)}, not {what}"


def _end_of_records(block: bytes) -> int:
    """Where the last whole record ends: at the last line end that no quoted field holds.

    Empty lines after it stay behind: at the end of the file they are nothing, elsewhere a fault.
    """
    end = block.rfind(b"\n") + 1
    quotes = block.count(b'"', 0, end)
    while end and quotes % 2:
        opening = block.rfind(b'"', 0, end)
        before = block.rfind(b"\n", 0, opening) + 1
        quotes, end = quotes - block.count(b'"', before, end), before
    text_end = len(block[:end].rstrip(b"\r\n"))
    return block.find(b"\n", text_end) + 1 if text_end else 0


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "give a JMeter results file") from error


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    if not start.strip():
        raise InputError(f"{path} is empty", "give the file that `jmeter -l` wrote")
    for magic, what, hint in _OTHER_KINDS:
        if start.removeprefix(b"\xef\xbb\xbf").startswith(magic):
            raise InputError(f"{path} {what}", hint)
    if b"\0" in start:
        raise InputError(f"{path} is a binary file, not a JMeter results file", "give a CSV JTL")


def _no_header(path: Path, text: str, missing: list[str]) -> InputError:
    if re.match(r"\d{10,}\D", text):
        return InputError(
            f"{path} has no header line", "save it: jmeter.save.saveservice.print_field_names=true"
        )
    if len(missing) == len(_REQUIRED):
        return InputError(f"{path} is no JTL: its first line is {_shown(text)}", "give a CSV JTL of JMeter")
    return InputError(
        f"{path}: the header lacks {', '.join(missing)}", "save it: see jmeter.save.saveservice.* of JMeter"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "...")
