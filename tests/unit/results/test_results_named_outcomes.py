"""Outcomes that a plan's own assertion has named already."""

import polars as pl
import pytest

from pacemark.results.outcomes import classify

ROWS = [
    ("200", "json-rpc error -32603", "json-rpc error -32603"),
    ("200", "json-rpc error without a code", "json-rpc error without a code"),
    ("200", "tool error", "tool error"),
    ("200", "wrong id", "wrong id"),
    ("200", "check failed: result.content[0]", "check failed: result.content[0]"),
    # The status goes before what the check made of the body.
    ("404", "check failed: no answer in it", "HTTP 404"),
    # What only begins like one is a text like any other.
    ("200", "tool error of another kind", "check failed: tool error of another kind"),
]


@pytest.mark.parametrize(("code", "failure", "outcome"), ROWS)
def test_it_keeps_its_name(code: str, failure: str, outcome: str) -> None:
    failed = pl.DataFrame({"code": [code], "message": ["OK"], "failure": [failure]})
    assert classify(failed)["outcome"].to_list() == [outcome]
