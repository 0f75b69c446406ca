"""The outcome of a failed sample of the WebSocket samplers, in the words that they use."""

import polars as pl
import pytest

from pacemark.results.outcomes import classify

IO, SAID = "Websocket I/O error", "WebSocket I/O error: "
FRAME = "Sampler error: unexpected frame type ({})."
STATUS = "Got unexpected status 403 with statusLine:HTTP/1.1 403 Forbidden"
NULL = "Response was null"

ROWS = [
    (IO, SAID + "Read timed out", NULL, "timeout"),
    (IO, SAID + "Connection refused", "", "connect"),
    (IO, SAID + "Connect timed out", "", "connect"),
    (IO, SAID + "No route to host", "", "connect"),
    (IO, SAID + "Cannot assign requested address", "", "bind"),
    (IO, SAID + "end of stream", NULL, "reset"),
    (IO, SAID + "Connection reset", NULL, "reset"),
    (IO, SAID + "Broken pipe", NULL, "reset"),
    (IO, SAID + "Socket closed", NULL, "reset"),
    (IO, SAID + "Empty response; connection closed.", "", "reset"),
    (
        IO,
        SAID + "WebSocket protocol error: expected payload of length 9, but can only read 4 bytes",
        NULL,
        "reset",
    ),
    (IO, SAID + "gateway.example", "", "error: gateway.example"),
    (IO, SAID + "null", "", "error: null"),
    (IO, SAID + "PKIX path building failed: 12", "", "error: PKIX path building failed: #"),
    ("403", STATUS, "", "HTTP 403"),
    ("200", STATUS.replace("403", "200"), "", "HTTP 200"),
    ("502", "Http Upgrade failed with status code 502", "", "HTTP 502"),
    (
        "",
        "Server response should contain 'Sec-WebSocket-Accept' header",
        "",
        "error: no WebSocket: Server response should contain 'Sec-WebSocket-Accept' header",
    ),
    (
        FRAME.format("close"),
        "Received: Close frame with status code 1011 and close reason 'null'",
        NULL,
        "closed 1011",
    ),
    (
        FRAME.format("close"),
        "Received: Close frame with status code null and close reason ''",
        NULL,
        "closed",
    ),
    ("1001", "Connection closed.", "", "closed 1001"),
    (FRAME.format("binary"), "Received: Binary frame, length 3", NULL, "error: binary frame"),
    (
        "WebSocket error: unsuccesful close.",
        "WebSocket error: received not a close frame, but Text frame",
        "",
        "error: close not answered",
    ),
    (
        "Sampler error",
        "Sampler error: java.lang.IllegalStateException: x",
        NULL,
        "error: java.lang.IllegalStateException: x",
    ),
]


@pytest.mark.parametrize(("code", "message", "failure", "outcome"), ROWS)
def test_a_failed_websocket_sample_has_this_outcome(
    code: str, message: str, failure: str, outcome: str
) -> None:
    row = pl.DataFrame([(code, message, failure)], schema=["code", "message", "failure"], orient="row")
    assert classify(row)["outcome"].to_list() == [outcome]
