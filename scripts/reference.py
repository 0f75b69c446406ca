"""Write docs/reference/ from the code: ``make reference``."""

from pathlib import Path

from pacemark.cli import helps
from pacemark.report.reference import commands_page, telemetry_page, workloads_page
from pacemark.telemetry.queries import QUERIES
from pacemark.workloads import WORKLOADS

FOLDER = Path(__file__).parents[1] / "docs" / "reference"

if __name__ == "__main__":
    (FOLDER / "commands.md").write_text(commands_page(helps()), encoding="utf-8")
    (FOLDER / "workloads.md").write_text(workloads_page(WORKLOADS.values()), encoding="utf-8")
    (FOLDER / "telemetry.md").write_text(telemetry_page(QUERIES), encoding="utf-8")
