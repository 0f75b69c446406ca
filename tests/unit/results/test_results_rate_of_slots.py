"""What counts towards the rate that was asked for."""

from pathlib import Path

from pacemark.results.digest import Digest
from pacemark.results.judge import judge
from pacemark.results.record import Window
from pacemark.workloads.objective import Objective


def test_a_session_that_is_opened_anew_does_not_make_up_for_a_missed_slot(tmp_path: Path) -> None:
    rows = [f"{1_769_767_200_000 + n * 100},5,call,200,true,0,1" for n in range(90)]
    rows += [f"{1_769_767_200_000 + n * 100},5,initialize,200,true,,2" for n in range(90)]
    path = tmp_path / "x.jtl"
    path.write_text("timeStamp,elapsed,label,responseCode,success,late_ms,waited\n" + "\n".join(rows) + "\n")
    objectives = [Objective.parse("rate >= 95%"), Objective.parse("rate >= 15/s")]
    share, plain = judge(
        objectives, Digest.from_jtl(path).between(0, 10), window=Window(from_s=0, to_s=10), due=100
    )
    assert (share.value, share.outcome) == (90, "missed")
    assert plain.value == 18
