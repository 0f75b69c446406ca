"""Write docs/baselines.md from the runs in folders of results."""

import argparse
import sys
from pathlib import Path

from pacemark.errors import PacemarkError
from pacemark.report.atomic import write_text
from pacemark.report.documented import baselines_page, runs_in

PAGE = Path(__file__).parents[1] / "docs" / "baselines.md"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="what --out was given")
    parser.add_argument("--out", type=Path, default=PAGE, help="[default: %(default)s]")
    asked = parser.parse_args()
    try:
        write_text(asked.out, baselines_page(runs_in(asked.results)))
    except PacemarkError as error:
        sys.exit(f"baselines: {error}")
    print(asked.out)
