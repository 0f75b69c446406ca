"""Slots that a thread handed over to others count as taken only when they were sent."""

from pathlib import Path

from pacemark.jmeter.health import slots_taken

LINE = "2026-01-30 10:00:11,123 INFO pacing: {}\n"


def test_what_was_never_sent_is_not_taken(tmp_path: Path) -> None:
    log = tmp_path / "jmeter.log"
    lines = ["stage 1 of 2: 50 slots, 50 taken", "stage 2 of 2: 400 slots, 398 taken"]
    log.write_text("".join(LINE.format(line) for line in lines))
    assert slots_taken(log) == [(50, 50), (400, 398)]
    more = ["3 slots were handed over and never sent", "1 slots were handed over and never sent"]
    log.write_text("".join(LINE.format(line) for line in [more[0], *lines, more[1]]))
    assert slots_taken(log) == [(50, 50), (400, 394)]
