"""What the doctor says of loads that this machine has no room for."""

import os
from pathlib import Path

import pytest

from pacemark.doctor import examine
from pacemark.workloads.load import Load

FITS = Load(threads=10, ramp_up_s=1, duration_s=60, rate_per_s=10)
FAST = FITS.model_copy(update={"rate_per_s": 1e5})
LONG = FITS.model_copy(update={"duration_s": 10**6, "rate_per_s": 1})
TOO_MUCH = Load(threads=10, ramp_up_s=1, duration_s=10**9, rate_per_s=1e6)


def disk(*, are_named: bool, **loads: Load) -> dict[str, str]:
    found = examine(
        None,
        loads,
        are_named=are_named,
        engine="pinned",
        environ=os.environ,
        out=Path("results"),
        rpc_endpoint="/rpc",
        listed_tools={},
        loki_query="{}",
    )
    return {one.name: one.level for one in found if one.name.startswith("disk")}


@pytest.mark.parametrize(("are_named", "level"), [(False, "warning"), (True, "error")])
def test_a_load_without_room_is_named_and_an_error_only_where_it_was_asked_for(
    are_named: bool, level: str
) -> None:
    said = disk(are_named=are_named, soak=TOO_MUCH, short=FITS)
    assert said == {"disk": "ok", "disk for soak": level}


def test_the_longest_time_is_not_taken_at_the_highest_rate() -> None:
    assert disk(are_named=True, fast=FAST, long=LONG) == {"disk": "ok"}


def test_a_load_that_is_alone_is_told_once() -> None:
    assert disk(are_named=True, soak=TOO_MUCH) == {"disk": "error"}
