"""What became of a sample: ``ok``, or the kind of its failure, from what JMeter wrote about it."""

import re
from collections.abc import Sequence

import polars as pl

from pacemark.workloads.journey import SIGNED_OUT

OK = "ok"
MOST = 200
"""Distinct outcomes that one file keeps by name: a server that never fails alike must not fill the digest."""

_MANY = re.compile(r"^(check failed:|json-rpc error|error:).*$", re.DOTALL)
_LONGEST = 80
_READ = 400
"""Characters of a text that are looked at to make 80: enough for ids to be blanked."""
_NON_HTTP = r"^Non HTTP response code: *(\S*)"

# By the exception's class, or by what it said, in this order: Linux reports used-up ports under several
# classes, and a connection that is cut under TLS comes as an SSLException.
_EXCEPTIONS = (
    ("bind", r"BindException$", r"(?i)cannot assign requested address|address already in use"),
    (
        "connect",
        r"(^|\.|Http|Host)Connect(Timeout)?Exception$|NoRouteToHost|UnknownHost|UnresolvedAddress",
        r"(?i)connect timed out",
    ),
    ("timeout", r"TimeoutException$", r"(?i)read timed out"),
    (
        "reset",
        r"(^|\.)SocketException$|NoHttpResponse|ConnectionClosed|ClosedChannel",
        r"(?i)connection reset|broken pipe|EOF reached while reading|received no bytes",
    ),
)

# The WebSocket samplers of net.luminis write a code of their own, and only the message says what happened.
_WS_IO = "Websocket I/O error"
_WS_MESSAGE = r"(?s)^WebSocket I/O error: (.*)$"
_WS_EXCEPTIONS = (
    ("bind", r"(?i)cannot assign requested address|address already in use"),
    ("connect", r"(?i)connect(ion)? timed out|connection refused|no route to host|network is unreachable"),
    ("timeout", r"(?i)read timed out"),
    (
        "reset",
        r"(?i)connection reset|broken pipe|end of stream|can only read \d+ bytes|connection closed"
        r"|socket (is )?closed|remote host terminated|closed inbound before receiving peer's close_notify",
    ),
)
_WS_CLOSED = r"unexpected frame type \(close\)"
_WS_FRAME = r"unexpected frame type \((.*?)\)"

# The texts of JMeter's JSONPath Assertion and of the Jayway library beneath it.
_PATHS = (
    # Our JSON-RPC checks: what must hold of the answer, without the filter around it.
    r"(?s)^Value in json path '\$\[\?\(@\.error \|\| \(\$\.jsonrpc == '2\.0' && @\.(.*?)\)\)\]\['jsonrpc',",
    r"(?s)^Value in json path '(.*?)' expected to ",
    r"(?s)^JSONPath '(.*?)' is indefinite",
    r"(?s)^Failed that JSONPath not exists: (.*)$",
    r"(?s)^Failed that JSONPath (.*?) not matches ",
    r"(?:No results for path:|[Mm]issing property in path|in path) (\$(?:\[[^\]]*\]|[^\s\[])*)",
)
_NO_OBJECT = r"(?s)^Expected to find an object with property (\[[^\]]*\]) in path (\$\S*) .*$"
# What such a message goes on to show is the whole answer: left out, or every answer had its own outcome.
_FILTER = r"^(Filter: .*? (?:can not|can only) be applied to \w+)\. Current context"
_EXPECTED = r"(?s)expected to be '(.*?)', but found '"
_FOUND = r"(?s)but (?:found|it did not match:) '(.*)'\s*$"
_TOOL_FAILED = r'(?s)"isError"\s*:\s*true|^Test failed: text expected not to contain /"isError"'
# What our own plans already name, of answers that are no plain JSON.
_NAMED = r"^(?:tool error|wrong id|json-rpc error (?:-?\d{1,12}|without a code)|check failed: [^\r\n]*)$"
_EMPTY = r"^Response was null|json string can not be null or empty"


def classify(failed: pl.DataFrame) -> pl.DataFrame:
    """Add ``outcome`` to failed samples given as text columns ``code``, ``message`` and ``failure``.

    These are JMeter's responseCode, responseMessage and failureMessage, empty where it wrote none.
    Transport comes before the status, the status before the checks: a 503 is ``HTTP 503`` whatever the
    check made of its body. A redirect is one only when no check had a finding of its own.
    """
    parts = failed.lazy().with_columns(
        exception=pl.col("code").str.extract(_NON_HTTP),
        status=pl.col("code").str.extract(r"^([0-9]{3})$").cast(pl.Int32),
        path=pl.coalesce(
            pl.col("failure").str.replace(_NO_OBJECT, "${2}${1}").str.extract(r"^(\$.*)$"),
            *(pl.col("failure").str.extract(pattern) for pattern in _PATHS),
        ),
        expected=pl.col("failure").str.extract(_EXPECTED),
        # A filter finds a list of one.
        found=pl.col("failure").str.extract(_FOUND).str.replace(r"(?s)^\[(\{.*\})\]$", "${1}"),
    )
    outcome = pl.coalesce(_transport(), _websocket(), _status(), _check(), _strange_code(), _plain())
    return parts.select(*failed.columns, outcome=outcome).collect()


def bounded(names: Sequence[str], known: set[str]) -> list[str]:
    """Outcomes with at most ``MOST`` names over all calls that share ``known``, which this adds to.

    Outcomes keep their names in the order they come; later ones become ``check failed: (other)`` and alike.
    Those that are few by nature (``HTTP 429``, ``timeout``) always keep theirs.
    """
    kept = {}
    for name in dict.fromkeys(names):
        if len(known) < MOST:
            known.add(name)
        kept[name] = name if name in known else _MANY.sub(r"\1 (other)", name)
    return [kept[name] for name in names]


def _transport() -> pl.Expr:
    exception, message = pl.col("exception"), pl.col("message")
    kind = pl.coalesce(
        pl.when(exception.str.contains(by_class) | message.str.contains(by_text)).then(pl.lit(name))
        for name, by_class, by_text in _EXCEPTIONS
    )
    other = pl.lit("error: ") + _tidy(exception.str.extract(r"([^.$]*)$"))
    return pl.when(exception.is_not_null()).then(pl.coalesce(kind, other))


def _websocket() -> pl.Expr:
    code, message = pl.col("code"), pl.col("message")
    said = message.str.extract(_WS_MESSAGE)
    kind = pl.coalesce(pl.when(said.str.contains(text)).then(pl.lit(name)) for name, text in _WS_EXCEPTIONS)
    other = pl.lit("error: ") + _tidy(pl.coalesce(said, code), numbers=False)
    # By the server: in place of a reply, or before our own close frame, whose code it then has not sent back.
    closed_with = pl.coalesce(message.str.extract(r"with status code (\d+)"), code.str.extract(r"^(\d{4})$"))
    return (
        pl.when(code == _WS_IO)
        .then(pl.coalesce(kind, other))
        .when(code.str.contains(_WS_CLOSED) | code.str.contains(r"^\d{4}$"))
        .then(pl.coalesce(pl.format("closed {}", closed_with), pl.lit("closed")))
        .when(code.str.contains(_WS_FRAME))
        .then(pl.format("error: {} frame", code.str.extract(_WS_FRAME)))
        .when(code.str.contains(r"^WebSocket error: unsuccess?ful close"))
        .then(pl.lit("error: close not answered"))
        .when(code.str.contains(r"(?i)^sampler error$"))
        .then(pl.lit("error: ") + _tidy(message.str.replace(r"^Sampler error: *", ""), numbers=False))
        .when(message.str.contains(r"^Server response (should|header)"))
        .then(pl.lit("error: no WebSocket: ") + _tidy(message))
        .when(
            message.str.contains(r"unexpected status|Upgrade failed with status")
            & pl.col("status").is_not_null()
        )
        .then(pl.format("HTTP {}", "status"))
    )


def _status() -> pl.Expr:
    status = pl.col("status")
    checked = pl.col("failure").str.contains(r"^Test failed: code ").not_() & (pl.col("failure") != "")
    refused = (status >= 400) | (~status.is_between(200, 299) & ~checked)
    return pl.when(refused).then(pl.format("HTTP {}", status))


def _check() -> pl.Expr:
    failure, found, path = pl.col("failure"), pl.col("found"), pl.col("path")
    by_path = pl.lit("check failed: ") + _tidy(path)
    by_filter = pl.lit("check failed: ") + _tidy(failure.str.extract(_FILTER))
    by_text = pl.lit("check failed: ") + _tidy(failure.str.extract(r"^\s*([^\r\n]*)"), numbers=False)
    return (
        pl.when(failure == "")
        .then(None)
        .when(failure.str.contains(_NAMED))
        .then(_tidy(failure))
        .when(failure.str.contains(_EMPTY))
        .then(pl.lit("check failed: empty answer"))
        .when(pl.coalesce(found, failure).str.contains(_TOOL_FAILED))
        .then(pl.lit("tool error"))
        .when(failure == SIGNED_OUT)
        .then(pl.lit(SIGNED_OUT))
        .otherwise(pl.coalesce(_json_rpc_error(), _wrong_id(), by_path, by_filter, by_text))
    )


def _json_rpc_error() -> pl.Expr:
    found, path = pl.col("found"), pl.col("path")
    on_error = path.str.contains(r"error['\"]?\]?$")
    # A check that expects null prints the object as Java does: {code=-32601, message=...}.
    code = pl.coalesce(
        found.str.json_path_match("$.error.code"),
        pl.when(on_error).then(
            pl.coalesce(found.str.json_path_match("$.code"), found.str.extract(r"[{ ]code=(-?\d+)"))
        ),
    )
    error = found.str.json_path_match("$.error")
    named = pl.lit("json-rpc error ") + code.str.slice(0, 12)
    return pl.coalesce(
        named,
        pl.when(error.is_not_null() & (error != "null")).then(pl.lit("json-rpc error without a code")),
    )


def _wrong_id() -> pl.Expr:
    expected, found = pl.col("expected"), pl.col("found")
    same_protocol = expected.str.json_path_match("$.jsonrpc").eq_missing(
        found.str.json_path_match("$.jsonrpc")
    )
    expected_id, found_id = expected.str.json_path_match("$.id"), found.str.json_path_match("$.id")
    differs = expected_id.is_not_null() & found_id.ne_missing(expected_id)
    return pl.when(differs & same_protocol).then(pl.lit("wrong id"))


def _strange_code() -> pl.Expr:
    strange = pl.col("status").is_null() & (pl.col("code") != "")
    return pl.when(strange).then(pl.lit("error: ") + _tidy(pl.col("code"), numbers=False))


def _plain() -> pl.Expr:
    return pl.when(pl.col("code") == "").then(pl.lit("error: no code")).otherwise(pl.lit("check failed"))


def _tidy(text: pl.Expr, *, numbers: bool = True) -> pl.Expr:
    """At most 80 characters without control characters; without ``numbers``, ids and digits are blanked."""
    text = text.str.slice(0, _READ).str.replace_all(r"[\x00-\x1f\x7f-\x9f]+", " ")
    if not numbers:
        text = text.str.replace_all(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "<id>")
        text = text.str.replace_all(r"\b[0-9a-fA-F]{16,}\b", "<id>").str.replace_all(r"\d+", "#")
    return text.str.strip_chars().str.slice(0, _LONGEST).str.strip_chars_end()
