"""The slowest samples of a run one by one, with the traces by which the gateway's logs know them."""

from pathlib import Path
from typing import NamedTuple

import polars as pl

from pacemark.results.columns import PARENT
from pacemark.results.digest import LIFETIME
from pacemark.results.record import Column, Section, Window

MOST = 20
ANCHOR = "log-{}"
"""Where on the page a trace's log lines are."""
_NUMBERS = ("timeStamp", "elapsed", "late_ms")
_TEXTS = ("label", "responseCode", "responseMessage", "success", "trace_id")


class SlowSample(NamedTuple):
    """One of the slowest. ``at_s`` is its start, in seconds from the first sample."""

    at_s: float
    label: str
    response_ms: int
    """Elapsed, and how late it started."""
    elapsed_ms: int
    code: str
    is_ok: bool
    trace_id: str
    """Empty where it was sent without a trace, or with none of its own."""


def slowest(path: Path, start_ms: int, window: Window) -> list[SlowSample]:
    """The slowest of a JTL that JMeter wrote for Pacemark, the slowest first and, of equals, the earliest.

    One pass over the file in flat memory. Lifetimes and parents are left out, and a row that was cut off.
    """
    table = pl.scan_csv(path, infer_schema=False, truncate_ragged_lines=True, ignore_errors=True)
    given = table.collect_schema().names()
    if not {"timeStamp", "elapsed", "label"} <= set(given):
        return []
    numbers = {name: _number(name, given) for name in _NUMBERS}
    texts = {name: pl.col(name).fill_null("") if name in given else pl.lit("") for name in _TEXTS}
    rows = table.select(**numbers, **texts).with_columns(
        response=pl.col("elapsed") + pl.col("late_ms").fill_null(0).clip(0),
        at_s=(pl.col("timeStamp") - start_ms) / 1000,
    )
    rows = rows.filter(
        pl.col("at_s") >= window.from_s,
        pl.col("at_s") < window.to_s,
        pl.col("response").is_not_null(),
        ~pl.col("label").str.ends_with(LIFETIME),
        ~pl.col("responseMessage").str.starts_with(PARENT),
    )
    found = rows.top_k(MOST, by=["response", -pl.col("timeStamp")]).collect(engine="streaming")
    found = found.sort(["response", "timeStamp"], descending=[True, False])
    return [
        SlowSample(
            at_s=round(row["at_s"], 3),
            label=row["label"],
            response_ms=row["response"],
            elapsed_ms=row["elapsed"],
            code=row["responseCode"],
            is_ok=row["success"] == "true",
            trace_id=row["trace_id"] if len(row["trace_id"]) == 32 else "",
        )
        for row in found.iter_rows(named=True)
    ]


def section(
    samples: list[SlowSample], lines: dict[str, int] | None, trace_url: str = "", *, has_all: bool = True
) -> Section | None:
    """A row a sample; its trace leads to its log lines on the page: ``lines`` tells how many each has, None
    that there are no logs; ``has_all`` whether one that has none there was not logged.

    ``trace_url`` has ``{trace_id}`` where a tracing system wants the id; empty: there is none.
    """
    if not samples:
        return None
    has_logs, lines = lines is not None, lines or {}
    has_traces = any(one.trace_id for one in samples)
    traced = sum(one.trace_id in lines for one in samples)
    logs = "The gateway's logs have" if has_all else "What was read of the gateway's logs has"
    known = f" {logs} lines of {traced} of them." if has_logs and has_traces else ""
    links = [Column(name="Trace at", link=trace_url.replace("{trace_id}", "{}"))] if trace_url else []
    return Section(
        title="Slowest samples",
        summary=f"The slowest took {samples[0].response_ms:,} ms ({samples[0].label}, "
        f"at {samples[0].at_s:.0f} s).{known}",
        note="Of the measured window, by response. The trace is the X-Correlation-ID that was sent, and the "
        "trace id of its traceparent.",
        columns=[
            Column(name="Request"),
            Column(name="At", unit="s"),
            Column(name="Response", unit="ms"),
            Column(name="Elapsed", unit="ms"),
            Column(name="Code"),
            Column(name="Log lines"),
            Column(name="Trace", link="#" + ANCHOR, linked_where="Log lines"),
            *links,
        ],
        rows=[
            [
                one.label,
                one.at_s,
                one.response_ms,
                one.elapsed_ms,
                one.code if one.is_ok else f"{one.code} failed",
                lines.get(one.trace_id) if one.trace_id else None,
                one.trace_id or None,
                *([one.trace_id or None] if links else []),
            ]
            for one in samples
        ],
        is_background=True,
    )


def _number(name: str, given: list[str]) -> pl.Expr:
    return pl.col(name).cast(pl.Int64, strict=False) if name in given else pl.lit(None, dtype=pl.Int64)
