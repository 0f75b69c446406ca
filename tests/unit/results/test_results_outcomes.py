"""The outcome of a failed sample, one row for each kind."""

import polars as pl
import pytest

from pacemark.results.outcomes import MOST, bounded, classify

NON_HTTP = "Non HTTP response code: "
SAID = "Non HTTP response message: "
RPC = (
    "Value in json path '$['jsonrpc','id','error']' "
    """expected to be '{"jsonrpc":"2.0","id":"a1"}', but found """
)
TOOL = "Value in json path '$.result[?(@.isError == true || !@.content[0])]' expected to be '[]', but found "

LIST = (
    "Value in json path "
    "'$[?(@.error || ($.jsonrpc == '2.0' && @.result.tools[0:]))]['jsonrpc','id','error']' "
    """expected to be '{"jsonrpc":"2.0","id":"a1"}', but found """
)
NOT_TEXT = 'Test failed: text expected not to contain /"isError"\\s*:\\s*true/'

ROWS = [
    ("200", "OK", LIST + "'[]'", "check failed: result.tools[0:]"),
    ("200", "OK", LIST + '\'[{"jsonrpc":"2.0","id":"b2"}]\'', "wrong id"),
    (
        "200",
        "OK",
        LIST + '\'[{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"it\'s \\"x\\"\\n"}}]\'',
        "json-rpc error -32601",
    ),
    ("200", "OK", NOT_TEXT, "tool error"),
    (NON_HTTP + "java.net.ConnectException", SAID + "Connection refused", "", "connect"),
    (NON_HTTP + "org.apache.http.conn.HttpHostConnectException", SAID + "refused", "", "connect"),
    (NON_HTTP + "org.apache.http.conn.ConnectTimeoutException", SAID + "timed out", "", "connect"),
    (NON_HTTP + "java.net.http.HttpConnectTimeoutException", SAID + "timed out", "", "connect"),
    (NON_HTTP + "java.net.NoRouteToHostException", SAID + "No route to host", "", "connect"),
    (NON_HTTP + "java.net.UnknownHostException", SAID + "gateway", "", "connect"),
    (NON_HTTP + "java.net.SocketTimeoutException", SAID + "connect timed out", "", "connect"),
    (NON_HTTP + "java.net.SocketTimeoutException", SAID + "Read timed out", "", "timeout"),
    (NON_HTTP + "java.net.http.HttpTimeoutException", SAID + "request timed out", "", "timeout"),
    (NON_HTTP + "java.net.SocketException", SAID + "Connection reset", "", "reset"),
    (NON_HTTP + "javax.net.ssl.SSLException", SAID + "Connection reset", "", "reset"),
    (NON_HTTP + "org.apache.http.NoHttpResponseException", SAID + "failed to respond", "", "reset"),
    (NON_HTTP + "org.apache.http.ConnectionClosedException", SAID + "closed", "", "reset"),
    (NON_HTTP + "java.net.BindException", SAID + "Address already in use", "", "bind"),
    (NON_HTTP + "java.net.NoRouteToHostException", SAID + "Cannot assign requested address", "", "bind"),
    (NON_HTTP + "javax.net.ssl.SSLHandshakeException", SAID + "expired", "", "error: SSLHandshakeException"),
    ("503", "Service Unavailable", "", "HTTP 503"),
    ("404", "Not Found", "No results for path: $['result']", "HTTP 404"),
    ("303", "See Other", "", "HTTP 303"),
    ("303", "See Other", "Test failed: code expected to equal /200/", "HTTP 303"),
    ("303", "See Other", "Location is the login page", "check failed: Location is the login page"),
    (
        "200",
        "OK",
        RPC + '\'{"id":"a1","error":{"data":{"code":1},"message":"it\'s\\nno \'tool\'","code":-32601}}\'',
        "json-rpc error -32601",
    ),
    ("200", "OK", RPC + '\'{"jsonrpc":"2.0","id":"a1","error":{}}\'', "json-rpc error without a code"),
    ("200", "OK", RPC + '\'{"jsonrpc":"2.0","id":"b2"}\'', "wrong id"),
    ("200", "OK", RPC + '\'{"jsonrpc":"2.0"}\'', "wrong id"),
    ("200", "OK", RPC + "'{}'", "check failed: $['jsonrpc','id','error']"),
    ("200", "OK", RPC + "'not JSON {'", "check failed: $['jsonrpc','id','error']"),
    (
        "200",
        "OK",
        "Value in json path '$.error' expected to be null, but found '{code=-32000, message=x}'",
        "json-rpc error -32000",
    ),
    ("200", "OK", TOOL + '\'[{"content":[{"text":"a,\\"b\\""}],"isError":true}]\'', "tool error"),
    (
        "200",
        "OK",
        TOOL + '\'[{"content":[],"note":"\\"isError\\":true"}]\'',
        "check failed: $.result[?(@.isError == true || !@.content[0])]",
    ),
    (
        "200",
        "OK",
        "Value in json path '$.status' expected to match regexp 'up', but it did not match: 'not\nup'",
        "check failed: $.status",
    ),
    ("200", "OK", "No results for path: $['result']['tools']", "check failed: $['result']['tools']"),
    ("200", "OK", "Missing property in path $['result']", "check failed: $['result']"),
    (
        "200",
        "OK",
        "Expected to find an object with property ['id'] in path $ but found 'java.lang.String'. This is",
        "check failed: $['id']",
    ),
    (
        "200",
        "OK",
        "Filter: [0:][?] can only be applied to arrays. Current context is: {detail=no}",
        "check failed: Filter: [0:][?] can only be applied to arrays",
    ),
    ("200", "OK", "Failed that JSONPath not exists: $.error", "check failed: $.error"),
    ("200", "OK", "Response was null", "check failed: empty answer"),
    (
        "200",
        "OK",
        "Test failed: text expected to contain /session 12 of 123e4567-e89b-12d3-a456-426614174000/\n\nmore",
        "check failed: Test failed: text expected to contain /session # of <id>/",
    ),
    ("200", "OK", "beep \x1b[31m" + "x" * 100, "check failed: beep  [#m" + "x" * 71),
    ("200", "OK", "", "check failed"),
    ("", "", "", "error: no code"),
    ("", "", "a check's own words", "check failed: a check's own words"),
    ("Websocket error 7", "", "", "error: Websocket error #"),
]


def _classified(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    return classify(pl.DataFrame(rows, schema=["code", "message", "failure"], orient="row"))


@pytest.mark.parametrize(("code", "message", "failure", "outcome"), ROWS)
def test_a_failed_sample_has_this_outcome(code: str, message: str, failure: str, outcome: str) -> None:
    assert _classified([(code, message, failure)])["outcome"].to_list() == [outcome]


def test_rows_do_not_disturb_each_other() -> None:
    table = _classified([row[:3] for row in ROWS])
    assert table["outcome"].to_list() == [row[3] for row in ROWS]


def test_names_beyond_the_most_are_pooled_by_kind() -> None:
    words = [f"{a}{b}" for a in "abcdefghijklmnop" for b in "qrstuvwxyzabcdef"]
    rows = [("200", "OK", f"no {word}") for word in words]
    rows += [("200", "OK", RPC + f'\'{{"error":{{"code":{code}}}}}\'') for code in range(3)]
    known = {"ok"}
    names = bounded(_classified(rows)["outcome"].to_list(), known)
    assert len(known) == MOST
    assert names[: MOST - 1] == [f"check failed: no {word}" for word in words[: MOST - 1]]
    assert set(names[MOST - 1 :]) == {"check failed: (other)", "json-rpc error (other)"}
    again = bounded(_classified([rows[0], ("503", "", "")])["outcome"].to_list(), known)
    assert again == ["check failed: no aq", "HTTP 503"]
