"""Damaged JTLs: each is read as an independent reader reads it, or refused with one line.

``PACEMARK_FUZZ=10000`` (``make fuzz``) makes as many files as that, and prints what became of them. A
file that is not read within ``DEADLINE_S`` ends all tests with each thread's traceback, and is kept.
"""

import csv
import faulthandler
import gzip
import io
import os
import random
import re
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacemark.errors import Exit, InputError
from pacemark.results import jtl
from pacemark.results.digest import Digest

FILES = int(os.environ.get("PACEMARK_FUZZ", "200"))
DEADLINE_S = 60
"""Of a file, by the clock, for a deadlock takes no processor time. The slowest takes 1 s, in 240 stretches,
and took more than 10 s at nice 19 beside a load of 11 on 2 cores."""
T0 = 1_769_767_200_000
FIRST_MS, LAST_MS = 10**12, 10**14
PARENT = "Number of samples in transaction : "
COLUMNS = (
    *("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "dataType"),
    *("success", "failureMessage", "bytes", "sentBytes", "grpThreads", "allThreads", "URL", "Latency"),
    *("IdleTime", "Connect"),
)
LABELS = ("GET /tools", 'say "hi", twice', "zażółć", "new\nline", "MCP tools/call", "")
TIMED_OUT = "Non HTTP response code: java.net.SocketTimeoutException"
CODES = ("503", "503", "429", "301", "200", "", TIMED_OUT)
"""Of failed samples."""
CHECKS = {
    "": "check failed",
    "bad, worse": "check failed: bad, worse",
    'expected "x"\nbut found "y"': 'check failed: expected "x"',
    "no": "check failed: no",
}
"""Their failure messages, and what each is called where the code tells nothing."""


# --- files as JMeter writes them --------------------------------------------------------------------------


def _rows(draw: random.Random) -> list[dict[str, str]]:
    """Samples, some of them followed by a part, as JMeter names and writes them."""
    rows, has_parts = [], draw.random() < 0.3
    for number in range(draw.randint(1, 12)):
        ok = draw.random() < 0.7
        start_ms = T0 + number * draw.choice([1, 100, 1000])
        values = [
            *(start_ms, draw.randint(0, 300), draw.choice(LABELS), "200" if ok else draw.choice(CODES)),
            PARENT + "2, number of failing samples : 0" if draw.random() < 0.1 else "OK",
            draw.choice(["tg 1-1", "tg 1-2"]),
            *("text", "true" if ok else "false", "" if ok else draw.choice(tuple(CHECKS))),
            *(draw.randint(0, 999), 5, 1, draw.randint(1, 9), "http://x/?a=1", 3, 0, draw.randint(0, 1)),
        ]
        rows.append(dict(zip(COLUMNS, map(str, values), strict=True)))
        if has_parts and draw.random() < 0.7:
            elapsed_ms = int(rows[-1]["elapsed"])
            part = {"label": f"{rows[-1]['label']}-0", "elapsed": str(draw.randint(0, elapsed_ms))}
            rows.append(rows[-1] | part | {"responseMessage": "OK"})
    return rows


def _dated(rows: list[dict[str, str]], draw: random.Random) -> None:
    forms = ("%Y-%m-%d %H:%M:%S.%f", "%Y/%m/%dT%H:%M:%S", "%m/%d/%y %H:%M:%S", "%d.%m.%Y %H:%M:%S.%f")
    form = draw.choice(forms)
    for row in rows:
        instant = datetime.fromtimestamp(int(row["timeStamp"]) / 1000, UTC)
        row["timeStamp"] = instant.strftime(form)[: 23 if "%f" in form else None]


def _as_csv(rows: list[dict[str, str]], draw: random.Random) -> bytes:
    columns = list(COLUMNS)
    has_header = draw.random() < 0.85
    if has_header and draw.random() < 0.3:
        columns = draw.sample(COLUMNS, k=len(COLUMNS))
    if has_header and draw.random() < 0.2:
        columns = ["timeStamp", "elapsed", "label", "success"]
    if has_header and draw.random() < 0.2:
        columns += ["late_ms", "waited"]
        rows = [row | {"late_ms": draw.choice(["3", "null", ""]), "waited": "1"} for row in rows]
    if draw.random() < 0.1:
        _dated(rows, draw)
    text = io.StringIO()
    writer = csv.DictWriter(
        text,
        columns,
        extrasaction="ignore",
        delimiter=draw.choice(",,,;\t|"),
        lineterminator=draw.choice(["\n", "\r\n"]),
    )
    if has_header:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig" if draw.random() < 0.1 else "utf-8")


def _as_xml(rows: list[dict[str, str]], draw: random.Random) -> bytes:
    names = {"ts": "timeStamp", "t": "elapsed", "lb": "label", "s": "success", "rc": "responseCode"}
    names |= {"rm": "responseMessage", "by": "bytes", "ct": "Connect", "na": "allThreads"}
    text = ['<?xml version="1.0" encoding="UTF-8"?>\n<testResults version="1.2">\n']
    for row in rows:
        given_ = " ".join(f"{name}={quoteattr(row[column])}" for name, column in names.items())
        nested = f'<httpSample {given_}/>\n<sample t="1" ts="{T0}" s="true" lb="in"/>\n' * draw.randint(0, 1)
        text.append(f"<httpSample {given_}>\n{nested}</httpSample>\n")
    return "".join([*text, "</testResults>\n"]).encode()


def original(seed: int) -> bytes:
    draw = random.Random(seed)
    rows = _rows(draw)
    content = _as_xml(rows, draw) if draw.random() < 0.2 else _as_csv(rows, draw)
    return gzip.compress(content) if draw.random() < 0.1 else content


# --- what happens to files --------------------------------------------------------------------------------

INSERTED = (
    *(b'"', b'""', b'","', b",", b";", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xc5", b"-", b" ", b"#"),
    *(b"\\", b"&", b"<", b">", b"<!--", b"]]>", b"99999999999", b"null", b"true", b"+", b"1e5", b"0x1"),
    *(
        b"\xef\xbb\xbf",
        b"\x1f\x8b",
        b"'",
        b"\n\n",
        b"   \n",
        b"\t",
        "ż".encode(),
        "٣".encode(),
        b"\xe2\x80\xa8",
    ),
)
TIMES = (
    *(b"0", b"1", b"-1", b"1769767200", b"1769767200000000", b"2026-01-30 10:00:00", b"01/30/26 10:00:00"),
    *(b"30.01.2026 10:00:00", b"30.01.2026 10:00:00.123", b"30.02.2026 10:00:00", b"30/01/2026 10:00:00"),
    *(b"2026-02-30 10:00:00", b"2026-01-30T10:00:00.123Z", b"2026-01-30 10:00:00,5", b"", b"now", b"1e12"),
)


def _flip(text: bytes, at: int, by: int) -> bytes:
    return text[:at] + bytes([text[at] ^ (by % 255 + 1)]) + text[at + 1 :]


def _lines(change: Callable[[list[bytes], int, int], object]) -> Callable[[bytes, int, int], bytes]:
    def changed(text: bytes, at: int, by: int) -> bytes:
        lines = text.split(b"\n")
        change(lines, text.count(b"\n", 0, at), by)
        return b"\n".join(lines)

    return changed


def _header(text: bytes, at: int, by: int) -> bytes:
    end = text.find(b"\n") + 1 or len(text)
    damages = (
        text[end:],
        text[:end].replace(b"elapsed", b"Elapsed") + text[end:],
        text[:end].replace(b"bytes", b"label") + text[end:],
        text[:end].replace(b"timeStamp", b'"timeStamp"') + text[end:],
        text[:end] + text,
        text[: at % end] + text[end:],
        text[: at % end] + INSERTED[at % len(INSERTED)] + text[at % end :],
        text + text[:end],
    )
    return damages[by % len(damages)]


def _encoding(text: bytes, at: int, by: int) -> bytes:
    encodings = ("utf-16", "utf-16-le", "latin-1", "cp1250", "utf-8-sig", "utf-7")
    return text.decode("utf-8", "replace").encode(encodings[by % len(encodings)], "replace")


def _gzip(text: bytes, at: int, by: int) -> bytes:
    packed = gzip.compress(text)
    damages = (
        packed,
        packed[: at % len(packed)],
        _flip(packed, at % len(packed), at),
        packed + packed,
        packed + text[:40],
        packed[:-4],
        packed + b"\0" * 9,
    )
    return damages[by % len(damages)]


def _time(text: bytes, at: int, by: int) -> bytes:
    found = list(re.finditer(rb"17697672\d{5}", text))
    if not found:
        return text
    one = found[at % len(found)]
    return text[: one.start()] + TIMES[by % len(TIMES)] + text[one.end() :]


def _torn(text: bytes, at: int, by: int) -> bytes:
    quotes = [match.start() for match in re.finditer(b'"', text)]
    if not quotes:
        return text[:at] + b'"' + text[at:]
    one = quotes[by % len(quotes)]
    return text[:one] + (b"" if by % 2 else b'"x"') + text[one + 1 :]


def _swap(text: bytes, at: int, by: int) -> bytes:
    old, new = (b",;", b";,", b",\t", b",|", b"\t,", b"; ")[by % 6].decode()
    return text[:at] + text[at:].replace(old.encode(), new.encode(), 1 + by % 5)


MUTATIONS: dict[str, Callable[[bytes, int, int], bytes]] = {
    "none": lambda text, at, by: text,
    "byte flipped": _flip,
    "stretch cut out": lambda text, at, by: text[:at] + text[at + 1 + by % 40 :],
    "stretch repeated": lambda text, at, by: text[: at + by % 60] + text[at:],
    "something inserted": lambda text, at, by: text[:at] + INSERTED[by % len(INSERTED)] + text[at:],
    "end cut off": lambda text, at, by: text[:at],
    "beginning cut off": lambda text, at, by: text[at:],
    "line lost": _lines(lambda lines, at, by: lines.pop(at)),
    "line repeated": _lines(lambda lines, at, by: lines.insert(by % len(lines), lines[at])),
    "lines shuffled": _lines(lambda lines, at, by: random.Random(by).shuffle(lines)),
    "file repeated": lambda text, at, by: text + text,
    "header damaged": _header,
    "quote torn": _torn,
    "delimiter swapped": _swap,
    "time garbled": _time,
    "encoding changed": _encoding,
    "packed": _gzip,
}


def mutated(seed: int, mutations: list[tuple[str, int, int]]) -> bytes:
    text = original(seed)
    for kind, at, by in mutations:
        if text:
            text = MUTATIONS[kind](text, at % len(text), by)
    return text


# --- an independent reader --------------------------------------------------------------------------------


FAILED = "failed"
"""The outcome of a sample that failed in a way that this reader has no name for."""


class Sample(NamedTuple):
    """What a row tells of a sample; ``None`` where it tells nothing."""

    label: str
    start_ms: int
    elapsed_ms: int
    response_ms: int | None
    waited: int | None
    outcome: str
    bytes: int
    connect_ms: int
    all_threads: int

    @classmethod
    def of(cls, row: dict[str, str]) -> "Sample":
        elapsed, late = int(row["elapsed"]), row.get("late_ms", "").replace("null", "")
        waited = row.get("waited", "").replace("null", "")
        return cls(
            label=row["label"],
            start_ms=int(_instant(row["timeStamp"])),
            elapsed_ms=elapsed,
            response_ms=elapsed + int(late) if late else None,
            waited=int(waited) if waited else None,
            outcome=_outcome(row),
            bytes=int(row.get("bytes", "0")),
            connect_ms=int(row.get("Connect", "0")),
            all_threads=int(row.get("allThreads", "0")),
        )


def _outcome(row: dict[str, str]) -> str:
    """By the rules of docs/measuring.md, for the texts of ``original``; ``FAILED`` for what damage made."""
    code, message, failure = (
        row.get(name, "") for name in ("responseCode", "responseMessage", "failureMessage")
    )
    if row["success"].lower() == "true":
        return "ok"
    if message not in ("", "OK"):
        return FAILED
    if code == TIMED_OUT:
        return "timeout"
    if re.fullmatch("[4-9][0-9]{2}", code) or (re.fullmatch("[013][0-9]{2}", code) and not failure):
        return f"HTTP {int(code)}"
    if code == failure == "":
        return "error: no code"
    if re.fullmatch("([0-3][0-9]{2})?", code):
        return CHECKS.get(failure, FAILED)
    return FAILED


@dataclass
class Books:
    """What a file holds, and how sure its reader is."""

    samples: list[Sample] = field(default_factory=list)
    rows: list[tuple[str, str, int, int]] = field(default_factory=list)
    """Of a CSV that tells parts: label, thread, start and end."""
    parents: int = 0
    fault: str = ""
    """Why it is to be refused; or where its rest may be left out instead, in ``or_cut``."""
    or_cut: bool = False
    is_cut: bool = False
    """Whether the last line is partial."""
    unsure: bool = False
    """Whether it may as well be refused: what is wrong is in no value that counts."""

    def add(self, row: dict[str, str]) -> str:
        """Count a row; answers what is wrong with it."""
        is_parent = row.get("responseMessage", "").startswith(PARENT)
        wrong = _wrong(row)
        numbers = [row.get(name, "") for name in ("elapsed", "timeStamp", *_LIMITS, *_VARIABLES)]
        self.unsure |= any("+" in text or text != text.strip(" \t\ufeff") for text in numbers)
        if is_parent:
            self.parents += 1
            self.unsure |= bool(wrong)
            return ""
        if wrong:
            return wrong
        self.samples.append(one := Sample.of(row))
        if {"threadName", "responseMessage"} <= row.keys():
            self.rows.append((one.label, row["threadName"], one.start_ms, one.start_ms + one.elapsed_ms))
        return ""

    @property
    def labels(self) -> set[str]:
        return {one.label for one in self.samples}

    @property
    def numbered(self) -> dict[str, str]:
        """Labels that are another's with a number, and that other."""
        found = {label: re.fullmatch(r"(.+)-\d+", label, re.DOTALL) for label in self.labels}
        return {label: match[1] for label, match in found.items() if match and match[1] in self.labels}

    def is_part(self, label: str, whole: str) -> bool:
        """Whether each row of the label ran within one of the whole on its thread, and most for over 2 ms."""
        wholes = sorted((start, end, thread) for name, thread, start, end in self.rows if name == whole)
        for thread in {thread for _, _, thread in wholes}:
            mine = [(start, end) for start, end, other in wholes if other == thread]
            if any(later[0] < one[1] - 2 for one, later in pairwise(mine)):
                return False
        shared = []
        for name, thread, start, end in self.rows:
            if name == label:
                before = [one for one in wholes if one[2] == thread and one[0] <= start + 2]
                if not thread or not before or end > before[-1][1] + 2:
                    return False
                shared.append(min(end, before[-1][1]) - max(start, before[-1][0]) > 2)
        return 2 * sum(shared) > len(shared)


_LIMITS = {"bytes": 1 << 40, "Connect": 1 << 31, "allThreads": 1 << 31}
_VARIABLES = {"late_ms": 1 << 30, "waited": 1 << 7}


def _wrong(row: dict[str, str]) -> str:
    if not FIRST_MS <= _instant(row["timeStamp"]) <= LAST_MS:
        return "timeStamp"
    if not 0 <= _number(row["elapsed"]) < 1 << 30:
        return "elapsed"
    if row["success"].lower() not in ("true", "false"):
        return "success"
    if any("\udc80" <= letter <= "\udcff" for letter in row["label"]):
        return "label"
    for name, limit in (_LIMITS | _VARIABLES).items():
        is_null = name in _VARIABLES and row.get(name) in ("", "null")
        if name in row and not is_null and not abs(_number(row[name])) < limit:
            return name
    return ""


def _number(text: str) -> float:
    return int(text) if re.fullmatch(r"[ \t]*[-+]?[0-9]{1,19}[ \t]*", text) else float("nan")


def _instant(text: str) -> float | int:
    text = text.removeprefix("\ufeff")
    if (number := _number(text)) == number:
        return number
    dotted = "%d.%m.%Y %H:%M:%S"
    for length, form in ((19, "%Y-%m-%d %H:%M:%S"), (17, "%m/%d/%y %H:%M:%S"), (19, dotted)):
        day, rest = text[:length], text[length:]
        if length == 19 and form != dotted:
            day = day.replace("/", "-").replace("T", " ", 1)
        found = re.fullmatch(r"(?:[.,](\d{3}))?(Z|[-+]\d\d:?\d\d)?", rest, re.ASCII)
        if not found or (found[2] and form == dotted):
            continue
        if len(day) < length or (length == 17 and rest) or not day.isascii() or "  " in day:
            continue
        try:
            instant = datetime.strptime(day, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        minutes = 0
        if found[2] and found[2] != "Z":
            digits = found[2].replace(":", "")
            minutes = (int(digits[1:3]) * 60 + int(digits[3:5])) * (-1 if digits[0] == "-" else 1)
        return round(instant.timestamp()) * 1000 + int(found[1] or 0) - minutes * 60_000
    return float("nan")


def _records(text: str, delimiter: str) -> Iterator[tuple[str, bool, int]]:
    """Each record, whether its quotes and line ends are in place, and where the next one begins."""
    start, at, is_inside, is_sound = 0, 0, False, True
    while at < len(text):
        letter, after = text[at], text[at + 1 : at + 2]
        if letter == '"' and is_inside and after == '"':
            at += 1
        elif letter == '"':
            before = text[at - 1] if at > start else "\n"
            is_sound &= after in ("", "\n", "\r", delimiter) if is_inside else before in ("\n", delimiter)
            is_inside = not is_inside
        elif letter == "\r" and not is_inside:
            is_sound &= after == "\n"
        elif letter == "\n" and not is_inside:
            yield text[start:at].removesuffix("\r"), is_sound, at + 1
            start, is_sound = at + 1, True
        at += 1
    if start < len(text):
        yield text[start:], is_sound and not is_inside, len(text)


def _header_of(text: str) -> tuple[list[str], str] | None:
    """Columns and delimiter; a file without a header has JMeter's own columns."""
    required = {"timeStamp", "elapsed", "label", "success"}
    first = text.partition("\n")[0].rstrip("\r")
    found = []
    for delimiter in ",;\t|" + "".join(sorted(set(first))):
        if delimiter.isascii() and not delimiter.isalnum() and delimiter not in '"._-\r\n':
            values = next(csv.reader([first], delimiter=delimiter), [])
            found.append((values, delimiter))
            if required <= set(values):
                return values, delimiter
    if any(required & set(values) for values, _ in found):
        return None
    for values, delimiter in found:
        if len(values) == len(COLUMNS) and not _wrong(dict(zip(COLUMNS, values, strict=True))):
            return [], delimiter
    return None


def csv_books(content: bytes) -> Books:
    books = Books()
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    body = text.rstrip("\r\n")
    books.unsure = bool(re.search("\r(?!\n)", text[len(body) :])) or bool(re.search("[\udc80-\udcff]", body))
    header = None if "\r" in text.partition("\n")[0].rstrip("\r") else _header_of(text)
    if header is None:
        return Books(fault="the header")
    columns, delimiter = header
    raw = text.partition("\n")[0].rstrip("\r") if columns else None
    columns = columns or list(COLUMNS)
    used = {"timeStamp", "elapsed", "label", "success", "responseMessage", *_LIMITS, *_VARIABLES}
    used |= {"responseCode", "failureMessage"}
    if any(columns.count(name) > 1 for name in used):
        return Books(fault="a column twice")
    if raw is not None:
        text = text.partition("\n")[2]
    ended = text[len(text.rstrip("\r\n")) :].count("\n") > 0
    text = text.rstrip("\r\n")
    for record, is_sound, end in _records(text, delimiter):
        is_last = end == len(text)
        if not is_sound:
            books.fault, books.is_cut = "quotes", True
            rest = text[end - len(record) if is_last else text.rfind(record, 0, end) :].split("\n")[1:]
            books.or_cut = not any(_is_sample(line, columns, delimiter) for line in rest)
            return books
        if record == raw:
            continue
        values = next(csv.reader([record], delimiter=delimiter, strict=True), [])
        if is_last and not ended and (len(values) != len(columns) or values[-1] in ("", "n", "nu", "nul")):
            books.is_cut = True
            return books
        if is_last and not ended and re.search("[\udc80-\udcff]+\\Z", record):
            books.is_cut = True
            return books
        wrong = "the fields" if len(values) != len(columns) else ""
        if wrong := wrong or books.add(dict(zip(columns, values, strict=True))):
            books.fault = wrong
            rest = [is_sound for _, is_sound, _ in _records(text[end:].lstrip("\r\n"), delimiter)]
            if not record and (not ended or rest == [False]):  # an empty line before a partial or a torn one
                books.is_cut = books.or_cut = not any(
                    _is_sample(line, columns, delimiter) for line in text[end:].split("\n")
                )
            return books
    return books


def _is_sample(line: str, columns: list[str], delimiter: str) -> bool:
    sound = [is_sound for _, is_sound, _ in _records(line, delimiter)]
    if sound != [True] or line.startswith("\ufeff"):
        return False
    values = next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
    return len(values) == len(columns) and not _wrong(dict(zip(columns, values, strict=True)))


XML_NAMES = {"ts": "timeStamp", "t": "elapsed", "lb": "label", "s": "success", "rm": "responseMessage"} | {
    "rc": "responseCode",
    "by": "bytes",
    "ct": "Connect",
    "na": "allThreads",
    "late_ms": "late_ms",
    "waited": "waited",
}


def _add_sample(books: Books, sample: ElementTree.Element) -> None:
    row = {column: sample.get(name, "") for name, column in XML_NAMES.items() if name in sample.attrib}
    if row.get("responseMessage", "").startswith(PARENT):
        books.parents += 1
        for child in sample:
            if child.tag in ("sample", "httpSample"):
                _add_sample(books, child)
    elif {"timeStamp", "elapsed", "label", "success"} <= set(row):
        books.fault = books.fault or books.add(row)
    else:
        books.fault = "an attribute"


BOM = b"\xef\xbb\xbf"
DECLARATION = (
    rb"(\xef\xbb\xbf)?(" + re.escape(b'<?xml version="1.0" encoding="UTF-8"?>') + rb"\n)?\s*<testResults "
)


def xml_books(content: bytes) -> Books:
    parser = ElementTree.XMLPullParser(events=("start", "end"))
    # What may stand in a declaration, one parser takes more strictly than the other.
    books, depth = Books(unsure=not re.match(DECLARATION, content)), 0
    try:
        parser.feed(content)
        for event, element in parser.read_events():
            depth += 1 if event == "start" else -1
            is_root = event == "start" and depth == 1
            if is_root and (element.tag, element.get("version")) != ("testResults", "1.2"):
                return Books(fault="no testResults")
            if event == "end" and depth == 1 and element.tag in ("sample", "httpSample"):
                _add_sample(books, element)
    except ElementTree.ParseError as error:
        if BOM in content[3:]:  # newer editions of XML take it as part of a name
            return xml_books(content[:3] + content[3:].replace(BOM, b"_"))
        if error.position[0] <= content.rstrip().count(b"\n"):
            return Books(fault=str(error))
        books.is_cut = books.unsure = True
        return books
    except (LookupError, ValueError) as error:  # of an encoding that it cannot read
        return Books(fault=str(error))
    try:
        parser.close()
    except ElementTree.ParseError:
        books.is_cut = True
    return books


def books_of(content: bytes) -> Books:
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            return Books(fault=str(error))
    if not content[:4096].strip() or b"\0" in content[:4096] or content.startswith(b"PK\3\4"):
        return Books(fault="no text")
    if content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"<?xml", b"<testResults")):
        return xml_books(content)
    return csv_books(content)


# --- both ---------------------------------------------------------------------------------------------------


def _agree(digest: Digest, books: Books, *, is_one_stretch: bool) -> None:
    parts = books.labels - set(digest.labels)
    numbered = books.numbered if books.rows else {}
    assert parts <= numbered.keys()
    if is_one_stretch:  # in shorter ones a part may be too far from its whole, in a file that was shuffled
        assert parts == {label for label, whole in numbered.items() if books.is_part(label, whole)}
    ends = [one.start_ms + one.elapsed_ms for one in books.samples]
    assert digest.parents == books.parents
    assert (digest.start_ms, digest.end_ms) == (min(one.start_ms for one in books.samples), max(ends))
    assert any(note.startswith("a partial last line") for note in digest.notes) == books.is_cut
    _agree_on_samples(digest, [one for one in books.samples if one.label not in parts])


def _agree_on_samples(digest: Digest, samples: list[Sample]) -> None:
    vague = {one.label for one in samples if one.outcome == FAILED}

    def key(slice_: int, label: str, outcome: str) -> tuple[int, str, str]:
        return slice_, label, FAILED if label in vague and outcome != "ok" else outcome

    counts: Counter[tuple[object, ...]] = Counter()
    sums: dict[tuple[int, str, str], list[int]] = {}
    for one in samples:
        slice_ = (one.start_ms - digest.start_ms) // (1000 * digest.slice_s)
        place = key(slice_, one.label, one.outcome)
        counts[*place, one.elapsed_ms, one.response_ms, one.waited] += 1
        _add(sums, place, one.bytes, int(one.connect_ms > 0), one.all_threads)
    found: Counter[tuple[object, ...]] = Counter()
    for cell in digest.cells.iter_rows(named=True):
        place = key(cell["slice"], cell["label"], cell["outcome"])
        found[*place, cell["elapsed_ms"], cell["response_ms"], cell["waited"]] += cell["count"]
    found_sums: dict[tuple[int, str, str], list[int]] = {}
    for row in digest.sums.iter_rows(named=True):
        place = key(row["slice"], row["label"], row["outcome"])
        _add(found_sums, place, row["bytes"], row["new_connections"], row["all_threads"])
    assert found == counts
    assert found_sums == sums


def _add(sums: dict[tuple[int, str, str], list[int]], at: tuple[int, str, str], *more: int) -> None:
    """Bytes and new connections add up; of threads it is the most at once."""
    so_far = sums.get(at, [0, 0, more[2]])
    sums[at] = [so_far[0] + more[0], so_far[1] + more[1], max(so_far[2], more[2])]


def _read(path: Path) -> Digest | InputError:
    # It watches from outside of Python: a regular expression that never ends lets no signal in.
    faulthandler.dump_traceback_later(DEADLINE_S, exit=True, file=sys.__stderr__ or 2)
    try:
        return Digest.from_jtl(path)
    except InputError as error:
        return error
    finally:
        faulthandler.cancel_dump_traceback_later()


def fate(path: Path, content: bytes, *, is_one_stretch: bool) -> str:
    """Whether the file is ``read`` or ``refused``: rightly, or the test fails."""
    path.write_bytes(content)
    books = books_of(content)
    digest = _read(path)
    if isinstance(digest, InputError):
        assert digest.exit_status == Exit.USAGE
        assert len(str(digest).splitlines()) == 1, str(digest)
        assert books.fault or books.unsure or not books.samples, f"refused: {digest}"
        return "refused"
    assert not books.fault or books.or_cut, f"read, in spite of {books.fault}"
    _agree(digest, books, is_one_stretch=is_one_stretch)
    return "read"


@pytest.mark.timeout(7200)
def test_each_damaged_file_is_read_exactly_or_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fates: Counter[tuple[str, str]] = Counter()
    mutation = st.tuples(st.sampled_from(sorted(MUTATIONS)), st.integers(0, 9999), st.integers(0, 9999))

    @settings(max_examples=FILES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        seed=st.integers(0, 1 << 32),
        mutations=st.lists(mutation, min_size=1, max_size=3),
        stretch_bytes=st.sampled_from([70, 700, 4 << 20]),
    )
    def read_or_refused(seed: int, mutations: list[tuple[str, int, int]], stretch_bytes: int) -> None:
        with patch.object(jtl, "STRETCH_BYTES", stretch_bytes):
            content = mutated(seed, mutations)
            came = fate(tmp_path / "samples.jtl", content, is_one_stretch=stretch_bytes > len(content))
        for kind in {kind for kind, _, _ in mutations}:
            fates[kind, came] += 1
        fates["all", came] += 1

    print(f"\n{tmp_path / 'samples.jtl'} is the file that is read, and stays where that takes {DEADLINE_S} s")
    with capfd.disabled():  # or a traceback at the deadline would be lost
        read_or_refused()
    assert all(fates["all", came] > FILES / 10 for came in ("read", "refused"))
    for kind in ("all", *MUTATIONS):
        print(f"{kind:20} {fates[kind, 'read']:6} read exactly, {fates[kind, 'refused']:6} refused")


def test_an_empty_line_before_a_torn_one_is_left_out_with_it(tmp_path: Path) -> None:
    lines = (b"timeStamp,elapsed,label,success", b"1769767200000,131,,true", b"", b'line",false', b"")
    assert fate(tmp_path / "samples.jtl", b"\n".join(lines), is_one_stretch=False) == "read"


HANGS = """
import re, sys
from pathlib import Path
import test_results_jtl_mutated as fuzz

fuzz.DEADLINE_S = 0.5
fuzz.Digest.from_jtl = lambda path: re.match("(a+)+$", "a" * 64 + "b")
fuzz.fate(Path(sys.argv[1]), b"a file", is_one_stretch=True)
"""


def test_a_file_that_is_never_read_ends_the_tests_and_is_kept(tmp_path: Path) -> None:
    kept = tmp_path / "samples.jtl"
    command = [sys.executable, "-c", HANGS, str(kept)]
    ended = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "Timeout (0:00:00.5" in ended.stderr
    assert "in _read" in ended.stderr
    assert kept.read_bytes() == b"a file"
