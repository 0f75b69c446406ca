"""What is asked of a day's digest, ten labels at 2,000 requests a second, and how long the answer takes: an
hour, a label, and an hour of a label in under a second each. Exits with 1 where one takes longer.

Time and memory are those of the whole command, from its start.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from digest import interleaved
from harness import row, table_head
from long_digest import NAMES, digest_of

DAY_S, SLICE_S = 86_400, 60
WITHIN_S = 1.0
HOUR, LABEL = ["--from", "12h", "--to", "13h"], ["--label", NAMES[3]]
QUESTIONS = {"an hour": HOUR, "a label": LABEL, "an hour of a label": HOUR + LABEL}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    digest = digest_of(DAY_S, SLICE_S)
    print(f"{digest.count:,} samples in {digest.cells.height:,} cells, medians of {asked.rounds} rounds\n")
    with tempfile.TemporaryDirectory(prefix="pacemark-bench-") as scratch:
        folder = Path(scratch)
        path = folder / "digest.parquet"
        digest.save(path)
        command = [sys.executable, "-m", "pacemark", "stats", str(path), "--json"]
        commands = {what: command + options for what, options in QUESTIONS.items()}
        found = interleaved(commands, asked.rounds, folder)
    print(table_head("asked", "options", "seconds", "peak MB", "holds"))
    held = []
    for what, costs in found.items():
        seconds = statistics.median(one.seconds for one in costs)
        held.append(seconds < WITHIN_S)
        peak_mb = max(one.peak_mb for one in costs)
        options = " ".join(QUESTIONS[what])
        print(row(what, options, f"{seconds:.2f}", f"{peak_mb:.0f}", "yes" if held[-1] else "**no**"))
    raise SystemExit(0 if all(held) else 1)


if __name__ == "__main__":
    main()
