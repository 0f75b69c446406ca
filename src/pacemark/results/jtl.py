"""JMeter's sample file (JTL) as tables of samples: every sample counts once, or the file is refused.

The file is read in stretches of whole records, so that memory does not grow with the file, and several of
them at once.
"""

import gzip
import os
import zlib
from collections import Counter, deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple, cast

import polars as pl

from pacemark.errors import InputError
from pacemark.results import outcomes
from pacemark.results.columns import (
    ANOTHER_FORM,
    FORMS,
    NUMBERS,
    THREAD,
    Read,
    UnreadableError,
    read_columns,
    shown,
)
from pacemark.results.csv_rows import STRAY_QUOTE, CsvRows, FaultError, Header, end_of_records, whole_text
from pacemark.results.notes import parts_note
from pacemark.results.sub_results import sub_results
from pacemark.results.xml_rows import XmlFaultError, XmlRows

MOST_LABELS = 10_000
"""Distinct labels above which there is something in them that differs with every request, such as an id."""
STRETCH_BYTES = 4 << 20
_NEAR_BYTES = 4096
_LONGEST_RECORD_BYTES = 64 << 20
_LONGEST_HEADER_BYTES = 1 << 20
_AT_ONCE = min(4, (os.cpu_count() or 1) + 1)
"""Stretches that are read at the same time; each takes some 20 MB."""
_AHEAD = 6
"""Stretches whose samples wait, some 3 MB each, while the caller works on the last."""
_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_XML = (b"<?xml", b"<testResults")
_BROKEN = (OSError, EOFError, zlib.error)
"""What reading a file may raise, above all one that gzip made and that is cut or damaged."""
_MEND = "mend or remove that line"
_CONVERT = (
    f"save with jmeter.save.saveservice.timestamp_format=ms, or write all times as milliseconds or as {FORMS}"
)


class Stretch(NamedTuple):
    """Whole records of a JTL as they stand, and where in the file they begin."""

    at_byte: int
    text: bytes


class Jtl:
    """A JTL, known by its beginning: CSV of any columns, XML, each also packed by gzip.

    ``samples`` reads it, as often as wanted; ``more`` reads what one that still grows has got meanwhile.
    ``notes`` says what was left out and how values were taken, ``parents`` how many rows of transactions.
    """

    def __init__(self, path: Path, also: Collection[str] = ()) -> None:
        """Open ``path`` and read its first line.

        Args:
            also: columns of a CSV that are read too; ``THREAD`` comes as ``thread``.

        Raises:
            InputError: the file cannot be read, or is no JTL.
        """
        self.path = path
        start = self._read_at(0, 4096)
        _refuse_other_kinds(path, start)
        self.is_xml = start.removeprefix(_BOM).lstrip().startswith(_XML)
        if not self.is_xml:
            raw = self._read_at(0, _LONGEST_HEADER_BYTES).partition(b"\n")[0]
            first_line = len(raw) + 1
            self.header = Header.parse(raw.removeprefix(_BOM).rstrip(b"\r"), path)
            self._rows = CsvRows(self.header, also)
            self._first_byte = first_line if self.header.raw else len(raw) - len(raw.removeprefix(_BOM))
        self._start_over()

    @property
    def absent(self) -> tuple[str, ...]:
        """Which of ``bytes``, ``connect_ms`` and ``all_threads`` the file does not have."""
        seen = self._xml_columns if self.is_xml else self.header.columns
        return tuple(name for column, (name, _) in NUMBERS.items() if column not in seen)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures should know of how the samples were read so far."""
        return tuple(self._told())

    def samples(self) -> Iterator[pl.DataFrame]:
        """All samples, a stretch of the file at a time, none of the tables empty.

        Columns: ``label``, ``start_ms`` (since 1970), ``elapsed_ms``, ``bytes``, ``connect_ms`` and
        ``all_threads`` (0 where absent), ``late_ms`` and ``waited`` (null where unknown), ``outcome``.
        Parent rows of Transaction Controllers are left out.

        Raises:
            InputError: a row cannot be read; the message names its line and the text. Or there are more than
                ``MOST_LABELS`` labels.
        """
        self._start_over()
        return self.more(ended=True)

    def more(self, *, ended: bool) -> Iterator[pl.DataFrame]:
        """As ``samples``, what came since the last call; ``ended`` when nothing more will come.

        Before that, a last record stays for the next call while its end has not been written.

        Raises:
            InputError: as ``samples``.
        """
        for read in self._xml_reads() if self.is_xml else self._csv_reads(ended):
            self.parents += read.parents
            self._in_parents.update(dict(read.in_parents))
            self._headers += read.headers
            self._remarks |= dict.fromkeys(read.remarks)
            samples = read.samples(self._outcomes)
            self._samples += samples.height
            if samples.height:
                self._see(read.labels)
                yield samples

    def stretches(self) -> Iterator[bytes]:
        """The whole records of a CSV as they stand, a stretch at a time.

        Neither the header nor a partial last line is among them.

        Raises:
            InputError: the file cannot be read, or a quoted field never ends.
        """
        self._start_over()
        for stretch in self._stretches(ended=True):
            yield stretch.text

    def sub_results(self) -> set[str]:
        """The labels that are sub-results: what ``samples`` of a CSV cannot tell, and has counted.

        Where labels look like it the file is read again.

        Raises:
            InputError: as ``samples``.
        """
        # Without messages a Transaction Controller looks like a sample, and what it holds ran within it.
        tells = not self.is_xml and {THREAD, "responseMessage"} <= set(self.header.columns)
        if tells and (numbered := self._numbered()):
            self._parts = sub_results(Jtl(self.path, also=[THREAD]).samples(), numbered)
        return self._parts

    def _start_over(self) -> None:
        self.parents = self._headers = self._nested = self._samples = 0
        self._in_parents: Counter[str] = Counter()
        self._at_byte = 0 if self.is_xml else self._first_byte
        self._partial = ""
        self._outcomes: set[str] = {outcomes.OK}
        self._labels: set[str] = set()
        self._parts = set()
        self._remarks: dict[str, None] = {}
        self._xml_columns: set[str] = set()

    def _see(self, labels: list[str]) -> None:
        self._labels.update(labels)
        if len(self._labels) > MOST_LABELS:
            raise InputError(
                f"{self.path} has more than {MOST_LABELS} distinct labels, such as {shown(max(labels))}",
                "give the samplers names without ids or counters",
            )

    def _told(self) -> Iterator[str]:
        if self._partial:
            yield f"a partial last line was left out: {self._partial}"
        if self._headers:
            yield f"{self._headers} repeated header line{'s' * (self._headers > 1)} left out"
        if self.parents:
            yield f"{self.parents} rows of Transaction Controllers left out: {self._summed_up()}"
        if self._nested:
            yield parts_note(self._nested)
            if "responseMessage" not in self._xml_columns:
                yield (
                    "without response messages (rm) a Transaction Controller cannot be told from a sample: "
                    "where there are any, they count as samples, and what they hold as their sub-results"
                )
        if not self.is_xml and not self.header.raw:
            yield "no header line: read in the order that JMeter writes by default"
        if not self.is_xml and "responseMessage" not in self.header.columns:
            yield "without a responseMessage column, rows of Transaction Controllers count as samples"
        if not self.is_xml and (numbered := self._numbered().keys() - self._parts):
            yield (
                f"rows such as {shown(min(numbered))} count as samples: JMeter names sub-results so (save "
                "with jmeter.save.saveservice.subresults=false, or as XML)"
            )
        yield from self._remarks

    def _summed_up(self) -> str:
        """What the rows of transactions stand for. A sample of nested ones is in several of them, but hardly
        in two of the same label."""
        _, named = max(self._in_parents.items(), key=lambda one: one[1], default=("", 0))
        if self.is_xml or named <= self._samples:
            return "they sum up other rows"
        return (
            f"they sum up {named} samples and more, but only {self._samples} are in the file (untick "
            "'Generate parent sample', or save as XML)"
        )

    def _numbered(self) -> dict[str, str]:
        """Labels that are another's with a number, as JMeter names sub-results, and that other."""
        split = {label: label.rpartition("-") for label in self._labels}
        return {
            label: whole
            for label, (whole, _, number) in split.items()
            if whole and number.isdecimal() and whole in self._labels
        }

    def _csv_reads(self, ended: bool) -> Iterator[Read]:
        """The stretches as samples, in order; some are read ahead, while the caller works on the last."""
        stretches = self._stretches(ended)
        with ThreadPoolExecutor(_AT_ONCE + 1) as pool:
            ahead: deque[tuple[int, Future[Read]]] = deque()
            coming = pool.submit(next, stretches, None)
            while (stretch := coming.result()) is not None:
                coming = pool.submit(next, stretches, None)
                ahead.append((stretch.at_byte, pool.submit(self._rows.read, stretch.text)))
                if len(ahead) > _AHEAD:
                    yield self._result(*ahead.popleft())
            while ahead:
                yield self._result(*ahead.popleft())

    def _result(self, at_byte: int, read: Future[Read]) -> Read:
        try:
            return read.result()
        except FaultError as fault:
            raise self._at(self._line_at(at_byte) + fault.line, fault.what) from None

    def _stretches(self, ended: bool) -> Iterator[Stretch]:
        rest = b""
        for block in self._blocks():
            text = rest + block
            end = end_of_records(text)
            rest = text[end:]
            if end:
                self._at_byte += end
                yield Stretch(self._at_byte - end, text[:end])
            if len(rest) > _LONGEST_RECORD_BYTES:
                raise self._at(self._line_at(self._at_byte), STRAY_QUOTE)
        tail = rest.rstrip(b"\r\n")
        if ended and tail and self._is_whole(tail):
            yield Stretch(self._at_byte, tail + b"\n")

    def _is_whole(self, tail: bytes) -> bool:
        """Whether the last line, which has no end, has all its fields; keeps it for the notes when not."""
        try:
            if self._rows.is_whole(tail):
                return True
        except FaultError as fault:
            raise self._at(self._line_at(self._at_byte) + fault.line, fault.what) from None
        others = (line.removesuffix(b"\r") for line in tail.split(b"\n")[1:])
        if not self._rows.is_record(tail) and any(map(self._rows.is_sample, others)):
            raise self._at(self._line_at(self._at_byte), STRAY_QUOTE)
        self._partial = shown(whole_text(tail))
        return False

    def _xml_reads(self) -> Iterator[Read]:
        with self._opened() as file:
            rows = XmlRows(file)
            try:
                for table in rows.tables():
                    yield read_columns(table)
            except XmlFaultError as fault:
                raise self._at(fault.line, fault.what) from None
            except UnreadableError:
                raise InputError(f"{self.path} has a value that cannot be read", _MEND) from None
            except _BROKEN as error:
                raise self._broken(error) from error
        self.parents, self._nested, self._xml_columns = rows.transactions, rows.nested, rows.seen
        if rows.is_cut:
            self._partial = "there is no </testResults>"

    def _blocks(self) -> Iterator[bytes]:
        """Blocks that end with a line, where that is near: what need not be put together is not copied."""
        with self._opened() as file:
            try:
                if isinstance(file, gzip.GzipFile):
                    file.seek(self._at_byte)
                    while block := file.read(STRETCH_BYTES):
                        yield block
                    return
                at = self._at_byte
                while True:
                    more = os.pread(file.fileno(), _NEAR_BYTES, at + STRETCH_BYTES).find(b"\n") + 1
                    if not (block := os.pread(file.fileno(), STRETCH_BYTES + more, at)):
                        return
                    at += len(block)
                    yield block
            except _BROKEN as error:
                raise self._broken(error) from error

    def _read_at(self, offset: int, most: int) -> bytes:
        with self._opened() as file:
            try:
                file.seek(offset)
                return file.read(most)
            except _BROKEN as error:
                raise self._broken(error) from error

    def _opened(self) -> IO[bytes]:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise InputError(
                f"cannot read {self.path}: {error.strerror}", "give a JMeter results file"
            ) from error
        is_packed = file.read(len(_GZIP)) == _GZIP if self.path.is_file() else False
        file.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_packed else file

    def _broken(self, error: Exception) -> InputError:
        return InputError(f"cannot read {self.path}: {error}"[:300], "give a whole JMeter results file")

    def _line_at(self, offset: int) -> int:
        line = 1
        with self._opened() as file:
            while offset and (block := file.read(min(offset, STRETCH_BYTES))):
                line, offset = line + block.count(b"\n"), offset - len(block)
        return line

    def _at(self, line: int, what: str) -> InputError:
        return InputError(f"{self.path}, line {line}: {what}", _CONVERT if ANOTHER_FORM in what else _MEND)


def _refuse_other_kinds(path: Path, start: bytes) -> None:
    if not start.strip():
        raise InputError(f"{path} is empty", "give the file that `jmeter -l` wrote")
    if start.startswith(b"PK\x03\x04"):
        raise InputError(f"{path} is a zip archive", "unpack it first")
    if b"\0" in start:
        raise InputError(f"{path} is a binary file, not a JMeter results file", "give a CSV or XML JTL")
