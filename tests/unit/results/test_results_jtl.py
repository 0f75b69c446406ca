"""JTLs as they come: read right, or refused with one line."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from pacemark.errors import Exit, InputError
from pacemark.results import columns, jtl
from pacemark.results.digest import Digest
from pacemark.results.jtl import Jtl

COLUMNS = (
    "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage,bytes,allThreads,Connect"
)
T0 = 1_769_767_200_000
ROW = "1769767201000,12,GET /tools,200,OK,true,,420,4,0"
LATER = "1769767201500,30,GET /tools,503,Busy,false,,99,5,1"


def _write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "samples.jtl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def _lines(tmp_path: Path, *lines: str, end: str = "\n") -> Path:
    return _write(tmp_path, "".join(f"{line}{end}" for line in (COLUMNS, *lines)))


def _samples(path: Path) -> pl.DataFrame:
    return pl.concat(Jtl(path).samples()).sort("start_ms")


def _refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        Digest.from_jtl(path)
    assert caught.value.exit_status == Exit.USAGE
    assert "\n" not in str(caught.value)
    assert str(path) in caught.value.message
    return str(caught.value).replace(str(path), "FILE")


def test_a_row_is_read_whole(tmp_path: Path) -> None:
    assert _samples(_lines(tmp_path, LATER)).to_dicts() == [
        {
            "label": "GET /tools",
            "start_ms": 1769767201500,
            "elapsed_ms": 30,
            "bytes": 99,
            "connect_ms": 1,
            "all_threads": 5,
            "late_ms": None,
            "waited": None,
            "outcome": "HTTP 503",
        }
    ]


@pytest.mark.parametrize("delimiter", list(",\t;|"))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    lines = [line.replace(",", delimiter) for line in (COLUMNS, ROW, LATER)]
    path = _write(tmp_path, b"\xef\xbb\xbf" + "".join(line + end for line in lines).encode())
    assert _samples(path)["connect_ms"].to_list() == [0, 1]


def test_other_column_orders_and_the_fewest_columns(tmp_path: Path) -> None:
    path = _write(
        tmp_path, "label,success,URL,elapsed,timeStamp\nA,TRUE,,7,1769767200005\n,false,x,8,1769767200006\n"
    )
    digest = Digest.from_jtl(path)
    assert digest.labels == ("", "A")
    assert digest.absent == ("bytes", "connect_ms", "all_threads")
    assert digest.notes == (
        "without a responseMessage column, rows of Transaction Controllers count as samples",
    )
    assert set(digest.cells["outcome"]) == {"ok", "error: no code"}


def test_sample_variables_of_our_plans(tmp_path: Path) -> None:
    header = COLUMNS + ',"late_ms","waited"'
    path = _write(tmp_path, f"{header}\n{ROW},35,0\n{LATER},null,null\n{LATER},,\n")
    table = _samples(path)
    assert table["late_ms"].to_list() == [35, None, None]
    assert table["waited"].to_list() == [0, None, None]


def _csv(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("stretch_bytes", [40, 64, 100, 1 << 20])
def test_quotes_commas_and_newlines_in_messages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch_bytes: int
) -> None:
    monkeypatch.setattr(jtl, "STRETCH_BYTES", stretch_bytes)
    message = 'it said "no,\n1769767201000,1,GET /tools,200,OK,true,,1,1,0\n" twice, ""\r\n'
    rows = [[str(T0 + i), "5", 'a "b", c', "200", "OK", "false", message, "1", "1", "0"] for i in range(50)]
    table = _samples(_write(tmp_path, COLUMNS + "\n" + _csv(rows)))
    assert table["start_ms"].to_list() == list(range(T0, T0 + 50))
    assert set(table["label"]) == {'a "b", c'}
    assert set(table["outcome"]) == {'check failed: it said "no,'}


@pytest.mark.parametrize(
    "tail",
    ["1700,4", "1700,40,GET /tools,200,OK,true,,420,4,", '1700,40,A,200,OK,false,"Value in\njson', '1,"a""'],
)
def test_a_partial_last_line_is_left_out_and_noted(tmp_path: Path, tail: str) -> None:
    path = _write(tmp_path, f"{COLUMNS}\n{ROW}\n{LATER}\n{tail}")
    digest = Digest.from_jtl(path)
    assert digest.count == 2
    assert len(digest.notes) == 1
    assert digest.notes[0].startswith("a partial last line was left out: '1")


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_last_line_cut_within_a_character_is_partial(tmp_path: Path, missing: int) -> None:
    cut = f"{COLUMNS}\n{ROW}\n1769767201700,40,GET /\N{ROCKET}".encode()[:-missing]
    assert Digest.from_jtl(_write(tmp_path, cut)).notes == (
        "a partial last line was left out: '1769767201700,40,GET /'",
    )


def test_a_last_line_cut_within_the_character_that_ends_it_is_partial(tmp_path: Path) -> None:
    header = "timeStamp,elapsed,label,success,responseMessage"
    cut = f"{header}\n1769767200001,1,A,true,OK\n1769767200002,2,A,true,zażó".encode()[:-1]
    digest = Digest.from_jtl(_write(tmp_path, cut))
    assert digest.count == 1
    assert digest.notes == ("a partial last line was left out: '1769767200002,2,A,true,zaż'",)


def test_a_last_line_that_is_no_text_is_refused(tmp_path: Path) -> None:
    tail = b'1769767201700,40,"GET\n/caf' + b"\xe9,2"
    assert "line 4: is not UTF-8" in _refusal(_write(tmp_path, f"{COLUMNS}\n{ROW}\n".encode() + tail))


def test_a_last_line_that_only_lacks_its_end_counts(tmp_path: Path) -> None:
    digest = Digest.from_jtl(_write(tmp_path, f"{COLUMNS}\n{ROW}\n{LATER}"))
    assert (digest.count, digest.notes) == (2, ())


def test_empty_lines_at_the_end_are_nothing(tmp_path: Path) -> None:
    digest = Digest.from_jtl(_write(tmp_path, f"{COLUMNS}\r\n{ROW}\r\n\r\n\r\n"))
    assert (digest.count, digest.notes) == (1, ())


def test_repeated_headers_are_left_out_and_noted(tmp_path: Path) -> None:
    digest = Digest.from_jtl(_lines(tmp_path, ROW, COLUMNS, LATER, COLUMNS))
    assert (digest.count, digest.notes) == (2, ("2 repeated header lines left out",))


def test_a_header_within_a_message_is_no_header(tmp_path: Path) -> None:
    message = f'1769767201000,5,"A\n{COLUMNS}\nB",200,OK,true,,1,1,0'
    digest = Digest.from_jtl(_lines(tmp_path, ROW, COLUMNS, message, COLUMNS, LATER))
    assert digest.labels == (f"A\n{COLUMNS}\nB", "GET /tools")
    assert (digest.count, digest.notes) == (3, ("2 repeated header lines left out",))


def test_transaction_parents_are_left_out_and_noted(tmp_path: Path) -> None:
    said = '"Number of samples in transaction : 2, number of failing samples : 1"'
    parent = f"1769767201000,42,all,,{said},false,,0,4,0"
    digest = Digest.from_jtl(_lines(tmp_path, ROW, LATER, parent))
    assert (digest.count, digest.parents, digest.labels) == (2, 1, ("GET /tools",))
    assert digest.notes == ("1 rows of Transaction Controllers left out: they sum up other rows",)


def test_a_short_row_of_a_transaction_does_not_make_up_for_a_long_one(tmp_path: Path) -> None:
    header = COLUMNS.replace("allThreads", "URL,allThreads")
    row, parent = ROW.replace(",4,0", ",,4,0"), f"1769767201000,42,all,,{columns.PARENT}2,false"
    lines = [header, row, f"{parent},,0,,4,0,5,6", row, f"{parent},,0,", row, ""]
    refusal = _refusal(_write(tmp_path, "\n".join(lines)))
    assert "line 3: 13 fields where the header has 11" in refusal


@pytest.mark.parametrize("stretch_bytes", [130, 1 << 20])
def test_transactions_whose_samples_are_not_in_the_file_are_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch_bytes: int
) -> None:
    monkeypatch.setattr(jtl, "STRETCH_BYTES", stretch_bytes)
    said = '"Number of samples in transaction : 2, number of failing samples : 1"'
    inner, outer = (f"1769767201000,42,{label},,{said},false,,0,4,0" for label in ("inner", "outer"))
    nested = _lines(tmp_path, ROW, LATER, inner, outer)
    assert Digest.from_jtl(nested).notes[0].endswith("they sum up other rows")
    (note,) = Digest.from_jtl(_lines(tmp_path, ROW, LATER, inner, outer, outer)).notes
    assert note == (
        "3 rows of Transaction Controllers left out: they sum up 4 samples and more, but only 2 are in the "
        "file (untick 'Generate parent sample', or save as XML)"
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "abc,12,A,200,OK,true,,1,1,0",
            "line 3: timeStamp is 'abc', neither milliseconds since 1970 nor a time such",
        ),
        (
            "30/01/2026 10:00:00,1,A,200,OK,true,,1,1,0",
            "line 3: timeStamp is '30/01/2026 10:00:00', a time of another form than those that are read: "
            "save with jmeter.save.saveservice.timestamp_format=ms, or write all times as milliseconds or as",
        ),
        ("30/01/26 10:00:00,1,A,200,OK,true,,1,1,0", "line 3: timeStamp is '30/01/26 10:00:00', a time of"),
        ("2026-01-30 10:00:00.٣٣٣,1,A,200,OK,true,,1,1,0", "timeStamp is '2026-01-30 10:00:00.٣٣٣', a time"),
        ("30.02.2026 10:00:00,1,A,200,OK,true,,1,1,0", "timeStamp is '30.02.2026 10:00:00', neither"),
        ("2026/02/30 10:00:00,1,A,200,OK,true,,1,1,0", "line 3: timeStamp is '2026/02/30 10:00:00', neither"),
        ("20260130100000123,1,A,200,OK,true,,1,1,0", "line 3: timeStamp is '20260130100000123', neither"),
        (",12,A,200,OK,true,,1,1,0", "line 3: timeStamp is '', neither"),
        (
            "0,12,A,200,OK,true,,1,1,0",
            "line 3: timeStamp is '0', before 2001: seconds take three zeros to be",
        ),
        ("1769767200,12,A,200,OK,true,,1,1,0", "line 3: timeStamp is '1769767200', before 2001: "),
        ("1970-01-02 10:00:00,1,A,200,OK,true,,1,1,0", "timeStamp is '1970-01-02 10:00:00', before 2001: "),
        ("1769767201000,1.5,A,200,OK,true,,1,1,0", "line 3: elapsed is '1.5', not a whole number in range"),
        ("1769767201000,-5,A,200,OK,true,,1,1,0", "line 3: elapsed is '-5', not"),
        ("1769767201000,99999999999,A,200,OK,true,,1,1,0", "line 3: elapsed is '99999999999', not"),
        ("1769767201000,5,A,200,OK,yes,,1,1,0", "line 3: success is 'yes', neither true nor false"),
        ("1769767201000,5,A,200,OK,,,1,1,0", "line 3: success is '', neither"),
        ("1769767201000,5,A,200,OK,true,,many,1,0", "line 3: bytes is 'many', not"),
        (
            "1769767201000,5,A,200,OK,true",
            "line 3: 6 fields where the header has 10: '1769767201000,5,A,200,OK,true'",
        ),
        ("1769767201000,5,A,200,OK,true,,1,1,0,7", "line 3: 11 fields where the header has 10"),
        ('1769767201000,5,A"B,200,OK,true,,1,1,0', "line 3: a quote is out of place"),
        ('1769767201000,5,"A"B,200,OK,true,,1,1,0', "line 3: a quote is out of place"),
        ("", "line 3: 1 fields where the header has 10: ''"),
        ("timeStamp,elapsed,label,success", "line 3: another header, with other columns than the first"),
        (COLUMNS.replace("bytes,allThreads", "allThreads,bytes"), "line 3: another header"),
        ("1769767201000,5,A,200,OK,true,,1,1timeStamp,elapsed", "line 3: "),
    ],
)
@pytest.mark.parametrize("stretch_bytes", [130, 1 << 20])
def test_a_row_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, complaint: str, stretch_bytes: int
) -> None:
    monkeypatch.setattr(jtl, "STRETCH_BYTES", stretch_bytes)
    assert complaint in _refusal(_lines(tmp_path, ROW, line, LATER, LATER))


@pytest.mark.parametrize(
    ("text", "start_ms", "notes"),
    [
        ("2026-01-30 10:00:01", T0 + 1000, (columns.NO_ZONE,)),
        ("2026/01/30T10:00:01,123", T0 + 1123, (columns.NO_ZONE,)),
        ("2026-01-30 10:00:01.123+0200", T0 + 1123 - 7_200_000, ()),
        ("30.01.2026 10:00:01", T0 + 1000, (columns.NO_ZONE,)),
        ("30.01.2026 10:00:01.123", T0 + 1123, (columns.NO_ZONE,)),
        ("01/30/26 10:00:01", T0 + 1000, (columns.NO_ZONE, columns.MONTH_FIRST)),
    ],
)
def test_times_of_these_forms_are_read(
    tmp_path: Path, text: str, start_ms: int, notes: tuple[str, ...]
) -> None:
    form = f'"{text}"' if "," in text else text
    digest = Digest.from_jtl(_lines(tmp_path, ROW.replace("1769767201000", form)))
    assert (digest.start_ms, digest.notes) == (start_ms, notes)


def test_a_code_of_another_script_s_digits_is_no_status(tmp_path: Path) -> None:
    digest = Digest.from_jtl(_lines(tmp_path, ROW, LATER.replace("503", "٥٠٣")))
    assert digest.cells["outcome"].to_list() == ["ok", "error: #"]


def test_the_line_is_right_after_messages_of_several_lines(tmp_path: Path) -> None:
    message = '1769767200001,5,A,200,OK,false,"two\nlines",1,1,0'
    assert "line 7: elapsed is 'x'" in _refusal(
        _lines(tmp_path, message, message, COLUMNS, "1769767200001,x,A,200,OK,true,,1,1,0")
    )


def test_short_rows_are_found_where_the_last_column_may_be_empty(tmp_path: Path) -> None:
    header = "timeStamp,elapsed,label,success,failureMessage"
    whole = '1769767200001,1,A,true,\n1769767200002,2,A,false,"a, b"\n1769767200003,3,A,true,\n'
    assert Digest.from_jtl(_write(tmp_path, f"{header}\n{whole}")).count == 3
    assert "line 5: 4 fields" in _refusal(_write(tmp_path, f"{header}\n{whole}4,4,A,true\n"))


@pytest.mark.parametrize("more", [",", ",7", ',"7"'])
def test_long_rows_are_found_where_columns_are_not_read(tmp_path: Path, more: str) -> None:
    row = "1769767200001,1,A,true,x"
    lines = ["timeStamp,elapsed,label,success,URL", row, row + more, row, ""]
    refusal = _refusal(_write(tmp_path, "\n".join(lines)))
    assert "line 3: 6 fields where the header has 5" in refusal


@pytest.mark.parametrize("last", ["", "17697672015"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_quote_that_swallows_rows_is_refused(tmp_path: Path, end: str, last: str) -> None:
    torn = f'1769767200001,5,A,200,OK,false,"Value in{COLUMNS}'
    refusal = _refusal(_write(tmp_path, end.join((COLUMNS, ROW, torn, ROW, LATER, last))))
    assert "line 3: a quote is out of place, or a quoted field never ends" in refusal


TORN = """timeStamp;elapsed;label;responseCode;responseMessage;success;failureMessage;bytes
1769767200000;5;A;200;OK;true;;1
1769767200100;5;A;503;Busy;false;"Value in
1769767200200;5;"GET x, y";200;OK;true;;1
1769767200300;5;A;200;OK;true;;1
json";1
1769767200400;5;A;200;OK;true;;1
"""


def test_a_quote_that_opens_in_one_row_and_closes_in_another_is_refused(tmp_path: Path) -> None:
    assert "line 3: a quote is out of place" in _refusal(_write(tmp_path, TORN))
    whole = TORN.replace('"GET x, y"', "GET x, y")
    assert Digest.from_jtl(_write(tmp_path, whole)).count == 3


@pytest.mark.parametrize("message", ['a "b" c', '"a" b', 'a""b', 'a "', '"a"b"'])
def test_quotes_within_a_text_are_refused(tmp_path: Path, message: str) -> None:
    row = f"1769767201000,5,A,500,{message},false,,1,1,0"
    assert "line 3: a quote is out of place" in _refusal(_lines(tmp_path, ROW, row, LATER, LATER))


def test_a_carriage_return_within_a_line_is_refused_but_not_within_quotes(tmp_path: Path) -> None:
    row = "1769767201000,5,A\rB,200,OK,true,,1,1,0"
    refusal = _refusal(_lines(tmp_path, ROW, row, LATER))
    assert "line 3: a carriage return stands within a line" in refusal
    quoted = _lines(tmp_path, ROW, row.replace("A\rB", '"A\rB"'), LATER, end="\r\n")
    assert Digest.from_jtl(quoted).labels == ("A\rB", "GET /tools")


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    row = b"1769767200001,5,caf\xe9,200,OK,true,,1,1,0\n"
    assert "line 2: is not UTF-8" in _refusal(_write(tmp_path, COLUMNS.encode() + b"\n" + row))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "FILE is empty"),
        (b"\n", "FILE is empty"),
        (b"\x7fELF\x00\x01", "FILE is a binary file"),
        (b"\x1f\x8b\x08\x00", "cannot read FILE: Compressed file ended"),
        (b"PK\x03\x04", "FILE is a zip archive"),
        (b'<?xml version="1.0"?>\n<testResults>', "FILE, line 2: testResults of version None, not 1.2"),
        (b'<?xml version="1.0"?>\n<html/>', "FILE, line 2: <html> is not JMeter's <testResults>"),
        (ROW.encode() + b"\n", "FILE has no header line"),
        (b"name,age\nA,1\n", "FILE is no JTL: its first line is 'name,age'"),
        (b"timeStamp,elapsed,label\n1769767200001,2,A\n", "FILE: the header lacks success"),
        (b"timeStamp,elapsed,label,success,elapsed\n1,2,A,true,3\n", "FILE: the header names elapsed twice"),
        (COLUMNS.encode(), "FILE holds no samples"),
        (COLUMNS.encode() + b"\n\r\n\n", "FILE holds no samples"),
        (COLUMNS.encode() + b"\n", "FILE holds no samples"),
        (COLUMNS.encode() + b"\n1769767201000,1", "FILE holds no samples"),
        (b"\xff\xfe\xfd", "FILE is no JTL"),
    ],
)
def test_what_is_no_jtl_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    assert complaint in _refusal(_write(tmp_path, content))


@pytest.mark.parametrize("first", [COLUMNS, ROW])
def test_line_ends_of_another_age_are_refused(tmp_path: Path, first: str) -> None:
    refusal = _refusal(_write(tmp_path, f"{first}\r{ROW}\r{LATER}\r"))
    assert refusal.startswith("FILE, line 1: a carriage return stands within a line")


def test_a_first_line_beyond_what_a_field_may_hold_is_refused(tmp_path: Path) -> None:
    assert "FILE is no JTL: its first line is 'aaa" in _refusal(_write(tmp_path, "a" * 200_000 + "\n1\n"))


def test_rows_that_are_named_as_parts_of_others_are_pointed_at(tmp_path: Path) -> None:
    part = ROW.replace("GET /tools", "GET /tools-0")
    alone = ROW.replace("GET /tools", "GET /v-2")
    assert Digest.from_jtl(_lines(tmp_path, ROW, alone)).notes == ()
    (note,) = Digest.from_jtl(_lines(tmp_path, ROW, part)).notes
    assert note.startswith("rows such as 'GET /tools-0' count as samples: JMeter names sub-results so")


def _on(thread: str, label: str, start_ms: int, elapsed_ms: int) -> str:
    return f"{T0 + start_ms},{elapsed_ms},{label},200,OK,{thread},true,,420,4,0"


THREADED = COLUMNS.replace("responseMessage", "responseMessage,threadName")


@pytest.mark.parametrize("stretch_bytes", [100, 1 << 20])
@pytest.mark.parametrize("parts_first", [False, True])
def test_what_ran_within_another_sample_of_its_thread_is_a_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch_bytes: int, parts_first: bool
) -> None:
    monkeypatch.setattr(jtl, "STRETCH_BYTES", stretch_bytes)
    rows = []
    for at_ms in range(0, 1000, 100):
        for thread in ("users 1-1", "users 1-2"):
            group = [
                _on(thread, "GET /x", at_ms, 20),
                # By a clock that is a millisecond off.
                _on(thread, "GET /x-0", at_ms - 1, 5),
                _on(thread, "GET /x-1", at_ms + 5, 16),
                _on(thread, "GET /x-1-0", at_ms + 20, 0),
            ]
            rows += reversed(group) if parts_first else group
            rows += [_on(thread, "GET /v", at_ms + 20, 1), _on(thread, "GET /v-2", at_ms + 21, 0)]
    digest = Digest.from_jtl(_write(tmp_path, "\n".join([THREADED, *rows, ""])))
    # Samples of 0 ms at the end of another may have followed it.
    assert digest.labels == ("GET /v", "GET /v-2", "GET /x", "GET /x-1-0")
    assert digest.count == 80
    counting, left_out = digest.notes
    assert counting.startswith("rows such as 'GET /v-2' count as samples")
    assert left_out.startswith("40 sub-results left out")


def test_what_a_transaction_holds_is_no_part_where_nothing_tells_of_transactions(tmp_path: Path) -> None:
    head = THREADED.replace("responseMessage,", "")
    rows = [
        _on("users 1-1", label, at_ms, ms).replace(",OK,", ",")
        for at_ms in (0, 100)
        for label, at_ms, ms in (("Buy", at_ms, 60), ("Buy-1", at_ms, 30), ("Buy-2", at_ms + 30, 30))
    ]
    assert Digest.from_jtl(_write(tmp_path, "\n".join([head, *rows, ""]))).labels == ("Buy", "Buy-1", "Buy-2")


def test_where_threads_share_a_name_or_have_none_nothing_is_a_part(tmp_path: Path) -> None:
    """As in a file that was put together from several engines'."""
    for thread, others in (("users 1-1", [_on("users 1-1", "GET /x", 10, 50)]), ("", [])):
        rows = [_on(thread, "GET /x", 0, 20), _on(thread, "GET /x-0", 5, 5), *others]
        digest = Digest.from_jtl(_write(tmp_path, "\n".join([THREADED, *rows, ""])))
        assert digest.labels == ("GET /x", "GET /x-0")
        assert digest.notes[0].startswith("rows such as 'GET /x-0' count as samples")


def test_what_ran_beside_another_sample_is_no_part_of_it(tmp_path: Path) -> None:
    within = [_on("users 1-1", "GET /x", 0, 20), _on("users 1-1", "GET /x-0", 5, 5)]
    for other in (_on("users 1-2", "GET /x-0", 30, 5), _on("users 1-1", "GET /x-0", 15, 8)):
        digest = Digest.from_jtl(_write(tmp_path, "\n".join([THREADED, *within, other, ""])))
        assert digest.count == 3
        assert digest.notes[0].startswith("rows such as 'GET /x-0' count as samples")


def test_a_million_labels_are_refused_with_a_remedy(tmp_path: Path) -> None:
    rows = "".join(f"1769767201000,1,GET /tools/{number},200,OK,true,,1,1,0\n" for number in range(1_000_000))
    refusal = _refusal(_write(tmp_path, f"{COLUMNS}\n{rows}"))
    assert refusal.startswith("FILE has more than 10000 distinct labels, such as 'GET /tools/")
    assert "give the samplers names without ids or counters" in refusal


def test_ten_thousand_labels_are_read(tmp_path: Path) -> None:
    rows = [f"1769767201000,1,GET /tools/{number},200,OK,true,,1,1,0" for number in range(10_000)]
    assert len(Digest.from_jtl(_lines(tmp_path, *rows, *rows)).labels) == 10_000


XML = """<?xml version="1.0" encoding="UTF-8"?>
<testResults version="1.2">
<sample t="1" ts="1769767200000" lb="A" s="true"/>
<sample t="2" ts="1769767200001" lb="A" s="true"/>
<sample t="3" ts="1769767200002" lb="A" s="true"/>
</testResults>
"""


def test_xml_that_is_damaged_is_not_taken_for_cut(tmp_path: Path) -> None:
    assert "line 4: is no XML: " in _refusal(_write(tmp_path, XML.replace('ts="1769767200001"', 'ts="1')))
    for end in range(XML.index("/>") + 2, len(XML)):
        digest = Digest.from_jtl(_write(tmp_path, XML[:end]))
        assert digest.count == XML[:end].count("/>")
        assert any("there is no </testResults>" in note for note in digest.notes) == (end < len(XML) - 1)


@pytest.mark.parametrize(("message", "samples"), [("Number of samples in transaction : 1", 2), (None, 1)])
def test_xml_without_messages_says_what_it_cannot_tell(
    tmp_path: Path, message: str | None, samples: int
) -> None:
    """With its message a transaction is known for one, and what it holds are samples."""
    said = "" if message is None else f' rm="{message}, number of failing samples : 0"'
    inner = '<httpSample t="2" ts="1769767200001" lb="A" s="true"/>'
    nested = f'<sample t="9" ts="1769767200000" lb="T" s="true"{said}>{inner}{inner}</sample>\n'
    digest = Digest.from_jtl(_write(tmp_path, f'<testResults version="1.2">\n{nested}</testResults>\n'))
    assert digest.count == samples
    told = any("without response messages (rm) a Transaction Controller" in one for one in digest.notes)
    assert told == (message is None)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoted", ["no", 'said ""no"", twice'])
def test_texts_of_few_failures_among_many_rows_are_their_own(
    tmp_path: Path, end: str, quoted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, the last and some in between, more kinds than are remembered."""
    monkeypatch.setattr(columns, "_MOST_KINDS", 3)
    failed = {0, 7, 8, 500, 998, 999}
    rows = ["timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage"]
    for n in range(1000):
        text = f'"{quoted} é"' if n == 500 and quoted != "no" else f"no {'x' * (n % 10)}"
        rows.append(f"{1_769_767_200_000 + n},{n},A,200,,{'false' if n in failed else 'true'},{text}")
    digest = Digest.from_jtl(_write(tmp_path, end.join([*rows, ""])))
    found = digest.cells.filter(pl.col("outcome") != "ok").sort("elapsed_ms")
    said = {n: f"check failed: no {'x' * (n % 10)}".strip() for n in failed}
    if quoted != "no":
        said[500] = 'check failed: said "no", twice é'
    assert dict(found.select("elapsed_ms", pl.col("outcome").cast(pl.String)).iter_rows()) == said


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "cannot read FILE: No such file or directory" in _refusal(tmp_path / "none.jtl")
