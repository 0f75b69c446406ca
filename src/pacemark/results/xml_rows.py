"""XML as JMeter writes it (testResults, version 1.2): its elements as the rows of a CSV."""

from collections.abc import Iterator
from typing import IO, cast

import polars as pl
from lxml import etree

from pacemark.results.columns import PARENT, REQUIRED, TEXTS, VARIABLES, value_fault

ATTRIBUTES = {
    "ts": "timeStamp",
    "t": "elapsed",
    "lb": "label",
    "s": "success",
    "rc": "responseCode",
    "rm": "responseMessage",
    "by": "bytes",
    "ct": "Connect",
    "na": "allThreads",
    **{name: name for name in VARIABLES},
}
_COLUMNS = (*ATTRIBUTES.values(), "failureMessage")
_SAMPLES = ("sample", "httpSample")
_OPTIONAL = {"bytes": "0", "Connect": "0", "allThreads": "0"}
_AT_ONCE = 20_000
_BLOCK_BYTES = 1 << 18


class XmlFaultError(Exception):
    """What is wrong, and in which line."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


class XmlRows:
    """Reads an XML JTL as tables of text, some thousand rows at a time.

    What is nested in a sample (a redirect, an embedded resource) is part of it and no row of its own. What
    is nested in a transaction is: the transaction only sums up. What was seen of both, and whether the file
    ends before its end, stands in the attributes after reading.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.nested = self.transactions = 0
        self.is_cut = False
        self.seen: set[str] = set()
        """The columns that any sample had."""
        self._rows: list[dict[str, str]] = []
        self._is_root_known = False

    def tables(self) -> Iterator[pl.DataFrame]:
        """Tables of text with JMeter's columns.

        Raises:
            XmlFaultError: it is no such XML, or not well-formed before its end, or a value cannot be read.
        """
        parser = etree.XMLPullParser(
            events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
        )
        lines = last = 1
        while block := self._file.read(_BLOCK_BYTES):
            if text := block.rstrip():
                last = lines + text.count(b"\n")
            lines += block.count(b"\n")
            try:
                parser.feed(block)
            except etree.XMLSyntaxError as error:
                raise XmlFaultError(error.lineno or 1, f"is no XML: {error.msg}") from None
            self._take(parser)
            if len(self._rows) >= _AT_ONCE:
                yield self._table()
        try:
            parser.close()
        except etree.XMLSyntaxError as error:
            # The parser waits for the end of what a torn quote began, be it to the file's end.
            if error.lineno and error.lineno < last:
                raise XmlFaultError(error.lineno, f"is no XML: {error.msg}") from None
            self.is_cut = True
        if self._rows:
            yield self._table()

    def _take(self, parser: etree.XMLPullParser) -> None:
        for event, found in parser.read_events():
            element = cast(etree._Element, found)
            if event == "start":
                if not self._is_root_known:
                    self._is_root_known = True
                    _require_test_results(element)
                continue
            parent = element.getparent()
            if parent is not None and parent.getparent() is None:
                if element.tag in _SAMPLES:
                    self._add(element)
                element.clear()
                while element.getprevious() is not None:
                    del parent[0]

    def _add(self, sample: etree._Element) -> None:
        children = [child for child in sample if child.tag in _SAMPLES]
        if (sample.get("rm") or "").startswith(PARENT):
            self.transactions += 1
            for child in children:
                self._add(child)
            return
        self.nested += sum(1 for child in sample.iterdescendants(*_SAMPLES))
        given = {column: sample.get(name) for name, column in ATTRIBUTES.items()}
        row = {column: value for column, value in given.items() if value is not None}
        self.seen.update(row)
        row["failureMessage"] = _failure(sample)
        _require_values(row, _line(sample))
        self._rows.append(_OPTIONAL | row)

    def _table(self) -> pl.DataFrame:
        table = pl.DataFrame(self._rows, schema=dict.fromkeys(_COLUMNS, pl.String))
        self._rows = []
        return table


def _require_test_results(root: etree._Element) -> None:
    if root.tag != "testResults":
        raise XmlFaultError(_line(root), f"<{root.tag}> is not JMeter's <testResults>")
    if (version := root.get("version")) != "1.2":
        raise XmlFaultError(_line(root), f"testResults of version {version}, not 1.2")


def _require_values(row: dict[str, str], line: int) -> None:
    for name, column in ATTRIBUTES.items():
        if column in REQUIRED and column not in row:
            raise XmlFaultError(line, f"a sample lacks {name} ({column})")
        if column in row and column not in (*TEXTS, "label") and (fault := value_fault(column, row[column])):
            raise XmlFaultError(line, fault)


def _line(element: etree._Element) -> int:
    return cast(int | None, element.sourceline) or 1


def _failure(sample: etree._Element) -> str:
    """The message of the first assertion that failed, as JMeter's CSV has it."""
    for result in sample.iterchildren("assertionResult"):
        if "true" in (result.findtext("failure"), result.findtext("error")):
            return result.findtext("failureMessage") or ""
    return ""
