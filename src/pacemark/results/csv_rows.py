"""CSV as JMeter writes it: headers, whole records, and a stretch of records as samples.

A stretch that does not add up is read again record by record, to name the line at fault.
"""

import codecs
import csv
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import polars as pl

from pacemark.errors import InputError
from pacemark.results.columns import (
    DEFAULT_COLUMNS,
    NUMBERS,
    REQUIRED,
    USED,
    VARIABLES,
    Read,
    UnreadableError,
    read_columns,
    shown,
    value_fault,
)

STRAY_QUOTE = "a quote is out of place, or a quoted field never ends"
_STRAY_RETURN = "a carriage return stands within a line"
_NO_TEXT = "is not UTF-8"
_DELIMITERS = ",\t;|"
_NEAR = 1 << 19
"""Bytes of a text that stay in a processor's cache."""
_CUT = ("", "n", "nu", "nul")
"""What a last field that a kill cut off may be."""
_AS_NUMBERS = {
    **{column: kind for column, (_, kind) in NUMBERS.items()},
    **VARIABLES,
    "success": pl.Boolean,
}


class FaultError(Exception):
    """A record that cannot be read: ``line`` counts from the stretch's first, 0."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


@dataclass(frozen=True)
class Header:
    """The first line of a JTL; ``raw`` is the line without its end, as appended runs repeat it.

    Where a file has none, ``raw`` is empty and the columns are those that JMeter writes by default.
    """

    columns: tuple[str, ...]
    delimiter: str
    raw: bytes

    @classmethod
    def parse(cls, raw: bytes, path: Path) -> Self:
        """Read a file's first line; the delimiter is the one that yields the columns.

        Raises:
            InputError: it is neither a header nor a sample in JMeter's default order, lacks a column that
                every JTL needs, or names one twice.
        """
        if b"\r" in raw:
            raise InputError(f"{path}, line 1: {_STRAY_RETURN}", "end the lines with \\n or \\r\\n")
        text = raw.decode("utf-8", "replace")
        choices = [(_split(text, delimiter), delimiter) for delimiter in _delimiters(text)]
        columns, delimiter = max(choices, key=lambda choice: len(set(REQUIRED) & set(choice[0])))
        if not set(REQUIRED) & set(columns):
            for values, mark in choices:
                if _is_default_order(values):
                    return cls(DEFAULT_COLUMNS, mark, b"")
        if missing := [name for name in REQUIRED if name not in columns]:
            raise _no_header(path, text, missing)
        if twice := sorted(name for name in USED if columns.count(name) > 1):
            raise InputError(f"{path}: the header names {', '.join(twice)} twice", "keep one of the columns")
        return cls(columns, delimiter, raw)


class _Marks(NamedTuple):
    """Of a stretch: whether fields are quoted, and how many delimiters stand outside of quotes."""

    are_quoted: bool
    delimiters: int


class CsvRows:
    """Reads stretches of whole records that stand under one header: the columns that are ``USED``, and more
    where ``also`` names them."""

    def __init__(self, header: Header, also: Collection[str] = ()) -> None:
        self.header = header
        self._wanted = USED.union(also)
        mark = re.escape(header.delimiter.encode())
        field = rb'(?:"(?:[^"]|"")*+"|[^"\r\n' + mark + rb"]*+)"
        self._field = re.compile(rb"(?:^|" + mark + rb")(" + field + rb")")
        self._record = re.compile(field + rb"(?:" + mark + field + rb")*+(?:\r?\n|\Z)")
        self._quoted = re.compile(
            rb'"(?<![^\n' + mark + rb']")[^"]*+(?:""[^"]*+)*+"(?![^\r\n' + mark + rb"])"
        )
        self._are_numbers = True
        """Whether columns were plain numbers so far: else they are read as text, at half the speed."""
        self._unset: tuple[str, ...] = ()
        """Variables that may be unset, as none was so far: to look for it takes a tenth of the time."""

    def read(self, stretch: bytes) -> Read:
        """The samples of a stretch.

        Raises:
            FaultError: a record cannot be read; it says which.
        """
        marks = self._marks(stretch)
        if self._are_numbers and (read := self._read_numbers(stretch, marks)):
            return read
        try:
            return self._read_text(stretch, marks)
        except (pl.exceptions.PolarsError, UnreadableError) as error:
            raise self._diagnosis(stretch, str(error).partition("\n")[0]) from None

    def is_sample(self, record: bytes) -> bool:
        """Whether it is a record whose values can be read."""
        return self._record.fullmatch(record) is not None and not self._fault(record)

    def is_record(self, text: bytes) -> bool:
        """Whether its quotes are in place."""
        return self._record.fullmatch(text) is not None

    def is_whole(self, tail: bytes) -> bool:
        """Whether a last line that has no end has all its fields, and its last character all its bytes."""
        if len(whole_text(tail).encode()) < len(tail) or not self._record.fullmatch(tail):
            return False
        fields = self._fields(tail)
        return len(fields) == len(self.header.columns) and fields[-1] not in _CUT

    def _marks(self, stretch: bytes) -> _Marks:
        """What stands outside of quoted fields.

        Polars would take quotes that enclose no whole field for text, and may then take several rows for one
        field.

        Raises:
            FaultError: there are such quotes, or a carriage return outside of quotes ends no line.
        """
        outside, marks = stretch, b'"\r' + self.header.delimiter.encode()
        quotes, returns, delimiters = _counts(stretch, marks)
        if quotes:
            outside = self._quoted.sub(b"", stretch)
            strays, returns, delimiters = _counts(outside, marks)
            if strays:
                raise self._diagnosis(stretch, STRAY_QUOTE)
        if returns and returns != outside.count(b"\r\n"):
            raise self._diagnosis(stretch, _STRAY_RETURN)
        return _Marks(quotes > 0, delimiters)

    def _read_numbers(self, stretch: bytes, marks: _Marks) -> Read | None:
        """As ``read``, where every value is a plain number or text; None where one is not."""
        unset = self._unset
        try:
            return read_columns(self._table(stretch, marks, _AS_NUMBERS, unset))
        except (pl.exceptions.PolarsError, UnreadableError):
            if unset:
                return None
        self._unset = tuple(VARIABLES)
        return self._read_numbers(stretch, marks)

    def _read_text(self, stretch: bytes, marks: _Marks) -> Read:
        rows, headers = self._table(stretch, marks, {}), 0
        if (rows["timeStamp"] == "timeStamp").any():
            stretch, headers = self._without_headers(stretch)
            rows = self._table(stretch, self._marks(stretch), {})
        read = read_columns(rows)
        self._are_numbers = headers > 0
        return read._replace(headers=headers)

    def _table(
        self,
        stretch: bytes,
        marks: _Marks,
        kinds: Mapping[str, type[pl.DataType]],
        unset: Collection[str] = (),
    ) -> pl.DataFrame:
        """The columns that are used, each of its kind or text; null where those of ``unset`` say so.

        Raises:
            UnreadableError: a row is short or long. Polars fills up with nulls, and leaves out what is too
                much.
        """
        columns = self.header.columns
        at = {name: str(i) for i, name in enumerate(columns) if name in self._wanted}
        parsed = pl.scan_csv(
            stretch,
            separator=self.header.delimiter,
            quote_char='"' if marks.are_quoted else None,
            has_header=False,
            schema={str(i): kinds.get(name, pl.String) for i, name in enumerate(columns)},
            null_values={at[name]: "null" for name in unset if name in at} or None,
        )
        rows = parsed.select(pl.col(number).alias(name) for name, number in at.items()).collect()
        if marks.delimiters != rows.height * (len(columns) - 1):
            raise UnreadableError("a row is too short or too long")
        return rows

    def _without_headers(self, stretch: bytes) -> tuple[bytes, int]:
        """The stretch without repeated headers, and how many there were: not those within a quoted text."""
        if not self.header.raw:
            return stretch, 0
        kept, end, quotes, headers = [], 0, 0, 0
        for line in re.finditer(rb"^" + re.escape(self.header.raw) + rb"\r?\n", stretch, re.MULTILINE):
            quotes += stretch.count(b'"', end, line.start())
            is_header = quotes % 2 == 0
            kept.append(stretch[end : line.start() if is_header else line.end()])
            headers, end = headers + is_header, line.end()
        return b"".join([*kept, stretch[end:]]), headers

    def _diagnosis(self, stretch: bytes, otherwise: str) -> FaultError:
        """The error for the first record that cannot be read."""
        position, line = 0, 0
        while position < len(stretch):
            match = self._record.match(stretch, position)
            if match is None:
                has_quote = b'"' in stretch[position:].partition(b"\n")[0]
                return FaultError(line, STRAY_QUOTE if has_quote else _STRAY_RETURN)
            record = match[0].rstrip(b"\r\n")
            if (record != self.header.raw or not record) and (fault := self._fault(record)):
                return FaultError(line, fault)
            line, position = line + match[0].count(b"\n"), match.end()
        return FaultError(0, f"cannot be read from here on: {otherwise}")

    def _fault(self, record: bytes) -> str:
        """What is wrong with a record, empty when nothing is."""
        try:
            fields = self._fields(record)
        except UnicodeDecodeError:
            return _NO_TEXT
        columns = self.header.columns
        if {"timeStamp", "elapsed"} <= set(fields):
            return "another header, with other columns than the first"
        if len(fields) != len(columns):
            return f"{len(fields)} fields where the header has {len(columns)}: {shown(record.decode())}"
        return next(filter(None, map(value_fault, columns, fields)), "")

    def _fields(self, record: bytes) -> list[str]:
        fields = self._field.findall(record)
        return [field.removeprefix(b'"').removesuffix(b'"').replace(b'""', b'"').decode() for field in fields]


def whole_text(tail: bytes) -> str:
    """The text of a last line, without a character at its end of which bytes are missing.

    Raises:
        FaultError: it is not UTF-8.
    """
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(tail)
    except UnicodeDecodeError as error:
        raise FaultError(tail.count(b"\n", 0, error.start), _NO_TEXT) from None


def end_of_records(block: bytes) -> int:
    """Where the last whole record ends: at the last line end that no quoted field holds.

    Empty lines after it stay behind: at the end of the file they are nothing, elsewhere a fault.
    """
    end = block.rfind(b"\n") + 1
    (quotes,) = _counts(block[:end], b'"')
    while end and quotes % 2:
        opening = block.rfind(b'"', 0, end)
        before = block.rfind(b"\n", 0, opening) + 1
        quotes, end = quotes - block.count(b'"', before, end), before
    while end and block.endswith((b"\n\n", b"\n\r\n"), 0, end):
        end = block.rfind(b"\n", 0, end - 1) + 1
    return 0 if block[:end] in (b"\n", b"\r\n") else end


def _counts(text: bytes, marks: bytes) -> list[int]:
    """How often each mark stands in a text: faster than bytes.count, and other threads can go on."""
    values = np.frombuffer(text, dtype=np.uint8)
    near = [values[at : at + _NEAR] for at in range(0, len(values), _NEAR)]
    # To see that there is none, as is so of quotes mostly, takes a tenth of counting.
    return [
        sum(int(np.count_nonzero(part == mark)) for part in near) if mark in text else 0 for mark in marks
    ]


def _split(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([text], delimiter=delimiter), []))
    except csv.Error:  # longer than any field may be
        return ()


def _delimiters(text: str) -> str:
    """The usual ones, then whatever else stands between words."""
    others = [mark for mark in dict.fromkeys(text) if mark.isascii() and not mark.isalnum()]
    return _DELIMITERS + "".join(mark for mark in others if mark not in _DELIMITERS + '"._-\r\n')


def _is_default_order(values: Sequence[str]) -> bool:
    if len(values) != len(DEFAULT_COLUMNS):
        return False
    return not any(map(value_fault, DEFAULT_COLUMNS, values))


def _no_header(path: Path, text: str, missing: list[str]) -> InputError:
    if re.match(r"\d{10,}\D|\d{2,4}[-/.]\d\d[-/.]\d\d", text):
        return InputError(
            f"{path} has no header line, and not the columns that JMeter writes by default",
            "save it: jmeter.save.saveservice.print_field_names=true",
        )
    if len(missing) == len(REQUIRED):
        return InputError(f"{path} is no JTL: its first line is {shown(text)}", "give a JTL of JMeter")
    return InputError(
        f"{path}: the header lacks {', '.join(missing)}", "save it: see jmeter.save.saveservice.* of JMeter"
    )
