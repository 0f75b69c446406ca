"""Run the benchmarks, all or those named, and write RESULTS.md.

What is not installed is skipped, and the page says so. Sections of benchmarks that were not run this time
stay as they were: each says when, where and by what command it was made. Exits with 1 when a claim does not
hold.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from go_server import GO_PATHS

from pacemark.machine import machine
from pacemark.report.atomic import write_text
from pacemark.report.numerals import duration

HERE = Path(__file__).parent
PAGE = HERE / "RESULTS.md"
PATHS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:{GO_PATHS}"


class Benchmark(NamedTuple):
    """A script, what it cannot do without, and what it leaves out of the comparison where it is missing."""

    name: str
    needs: tuple[str, ...] = ()
    contenders: tuple[str, ...] = ()


BENCHMARKS = (
    Benchmark("digest"),
    Benchmark("questions"),
    Benchmark("verdict"),
    Benchmark("plan_cost", ("nginx",), ("k6", "locust", "wrk", "vegeta")),
    Benchmark("live_cost", ("nginx",)),
    Benchmark("fidelity", ("go",), ("k6", "vegeta", "locust", "wrk")),
    Benchmark("omission"),
    Benchmark("rates", ("nginx",)),
    Benchmark("breaking_point", ("nginx",)),
    Benchmark("recovery"),
    Benchmark("soak"),
    Benchmark("sse_streams"),
    Benchmark("websocket", ("go",)),
    Benchmark("compare"),
    Benchmark("report", ("chromium", "chromedriver")),
)


PEERS = "PEERS_PYTHON"
_PEERS = f"{PEERS}=... "


def run(one: Benchmark) -> tuple[str, bool]:
    """Its section of the page, and whether no claim failed."""
    command = f"{_PEERS if os.environ.get(PEERS) else ''}python benchmarks/{one.name}.py"
    missing = [name for name in one.needs if not shutil.which(name, path=PATHS)]
    if missing:
        return f"Skipped on {_today()}: {' and '.join(missing)} not installed here. `{command}`", True
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, HERE / f"{one.name}.py"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": PATHS},
    )
    took = duration(time.monotonic() - started)
    absent = [name for name in one.contenders if not shutil.which(name, path=PATHS)]
    facts = [f"{_today()}, {_commit()}, took {took}", f"`{command}`"]
    facts += [f"not installed here and left out: {', '.join(absent)}"] if absent else []
    lines = done.stderr.strip().splitlines()
    if done.returncode:
        why = f" {lines[-1]}" if lines else ""
        facts.append(f"**ended with {done.returncode}: a claim does not hold, or it could not be run.**{why}")
    return "\n".join([*(f"* {fact}" for fact in facts), "", done.stdout.strip()]), not done.returncode


def _today() -> str:
    where = ", ".join(f"{key} {value}" for key, value in machine().items())
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {where}"


def _commit() -> str:
    def git(*args: str) -> str | None:
        done = subprocess.run(["git", "-C", str(HERE), *args], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    found = git("describe", "--always")
    if found is None:
        return "of no commit"
    # The page itself changes while the benchmarks run.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":(exclude){PAGE.name}")
    return f"commit {found}{' with changes' if changed else ''}"


def sections(page: str) -> dict[str, str]:
    """What the page says of each benchmark."""
    parts = re.split(r"^## (\w+)\n", page, flags=re.MULTILINE)
    return {name: text.strip() for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def written(found: dict[str, str]) -> str:
    parts = [f"## {one.name}\n\n{found[one.name]}" for one in BENCHMARKS if one.name in found]
    return "\n\n".join(["# Results of the benchmarks", "Written by `make bench`.", *parts]) + "\n"


def main(names: Iterable[str]) -> int:
    found = sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    held = []
    for one in BENCHMARKS:
        if one.name in names:
            print(f"{one.name} ...", flush=True)
            found[one.name], holds = run(one)
            held.append(holds)
            write_text(PAGE, written(found))
            print(found[one.name], flush=True)
    return 0 if all(held) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    every = [one.name for one in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(every)} [default: all]")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in every]:
        parser.error(f"there is no benchmark {', '.join(unknown)}: choose of {', '.join(every)}")
    raise SystemExit(main(asked.names or every))
