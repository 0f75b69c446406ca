"""``summary.json``."""

from typing import Any

from pacemark.results.omission import Corrected
from pacemark.results.statistics import Summary


def summary_document(summary: Summary, corrected: Corrected | None) -> dict[str, Any]:
    """``summary.json``, which ``stats --json`` prints too; with ``corrected`` where that was asked for."""
    more = {"corrected": corrected.model_dump(mode="json")} if corrected else {}
    return summary.model_dump(mode="json") | more
