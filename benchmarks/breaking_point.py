"""Is the breaking point found where it was put? Exits with 1 when one is more than 10 % off.

The stress test as ``pacemark run`` carries it out, probes and report included, against an nginx that answers
so many requests a second and lets the others wait.
"""

import argparse
import tempfile
import time
from pathlib import Path

from harness import HEAP_MB, engine, row, table_head, wait_until_quiet
from loopback import Loopback

from pacemark.asked import Asked
from pacemark.gateway.token import Credentials
from pacemark.jmeter.live import Progress
from pacemark.results.record import RunRecord, Section
from pacemark.run import run
from pacemark.workloads.load import Load
from pacemark.workloads.stress_test import SHAPE, WORKLOAD

CLAIM = 0.1
"""How far the highest rate held may be from the limit that was put."""


def stress(limit_per_s: int, load: Load, out: Path) -> RunRecord:
    """The record of a whole run."""
    with Loopback(limit_per_s) as nginx:
        asked = Asked(
            workload=WORKLOAD,
            scale="full",
            load=load,
            warm_up_s=load.ramp_up_s,
            objectives=WORKLOAD.objectives,
            url=nginx.url,
            credentials=Credentials(token="none", source="benchmark"),
            out=out,
            heap_mb=HEAP_MB,
            listed_tools={"row-1": None},
        )
        record, _ = run(asked, engine(), on_progress=_ignore)
    return record


def _ignore(_: Progress) -> None: ...


def section(record: RunRecord, title: str) -> Section:
    """A part of the report."""
    found = [one for one in record.sections if one.title == title]
    if not found:
        raise SystemExit(f"no section '{title}': {'; '.join(reason.text for reason in record.reasons)}")
    return found[0]


def found_per_s(record: RunRecord) -> tuple[float, float] | None:
    """The highest rate held and the lowest not held above it; None where it was not found."""
    judged = next(one for one in record.objectives if one.objective.metric == "breaking_point")
    if judged.value is None:
        return None
    held = judged.value * record.load.rate_per_s / 100
    lines = section(record, "Breaking point").rows
    return held, min(float(line[1] or 0) for line in lines if str(line[-1]).startswith("not held"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limits", type=int, nargs="+", default=[2000])
    parser.add_argument("--highest", type=float, default=2.0, help="rate asked, as a multiple of the limit")
    parser.add_argument("--seconds", type=int, default=180, help="of the main load")
    parser.add_argument("--threads", type=int, default=400)
    parser.add_argument("--report", type=Path, help="keep the runs there")
    asked = parser.parse_args()
    figures = ("held, /s", "not held, /s", "off", "probes", "JMeter's CPU", "verdict", "s", "holds")
    print(table_head("limit, /s", *figures))
    held, said = [], []
    for limit in asked.limits:
        wait_until_quiet()
        rate = limit * asked.highest
        ramp_up_s = max(1, asked.seconds // 60)
        load = Load(
            threads=asked.threads,
            ramp_up_s=ramp_up_s,
            duration_s=asked.seconds,
            rate_per_s=rate,
            shape=SHAPE,
        )
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
            record = stress(limit, load, asked.report or Path(scratch))
        seconds = time.monotonic() - began
        breaking = section(record, "Breaking point")
        rates = found_per_s(record)
        off = None if rates is None else abs(rates[0] - limit) / limit
        held.append(off is not None and off <= CLAIM)
        cpu = max(float(line[5] or 0) for line in breaking.rows)
        print(
            row(
                f"{limit:,}",
                *(f"{one:,.4g}" for one in rates or ()) if rates else ("none", "none"),
                "unknown" if off is None else f"{off:.1%}",
                sum(str(line[0]).startswith("probe") for line in breaking.rows),
                f"{cpu:.0f} %",
                record.verdict,
                f"{seconds:.0f}",
                "yes" if held[-1] else "**no**",
            ),
            flush=True,
        )
        said += [breaking.summary, section(record, "Recovery").summary]
        said += [f"{reason.level}: {reason.text}" for reason in record.reasons]
    print("", *said, sep="\n\n")
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
