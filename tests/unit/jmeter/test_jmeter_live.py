from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pacemark.jmeter.live import Tail

HEADER = "timeStamp,elapsed,label,success,failureMessage,allThreads\n"


def rows(count: int, start_ms: int = 1_000_000, step_ms: int = 100) -> str:
    return "".join(f"{start_ms + n * step_ms},{n % 100},GET /,true,,4\n" for n in range(count))


def test_a_growing_file_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    tail = Tail(path)
    assert tail.look().samples == 0
    path.write_text(HEADER)
    assert tail.look().p95_ms is None
    path.write_text(HEADER + rows(101))
    seen = tail.look()
    assert (seen.samples, seen.errors, seen.threads, seen.elapsed_s) == (101, 0, 4, 10.0)
    assert seen.p95_ms == 94  # nearest rank 96 of 101: the values are 0, 0, 1 ... 99


def test_rate_and_percentile_are_of_the_last_ten_seconds(tmp_path: Path) -> None:
    path = tmp_path / "samples.jtl"
    slow = "".join(f"{1_000_000 + n * 1000},5000,GET /,false,boom,4\n" for n in range(10))
    path.write_text(HEADER + slow + rows(200, start_ms=1_020_000))
    seen = Tail(path).look()
    assert seen.errors == 10
    assert seen.p95_ms is not None
    assert seen.p95_ms < 100
    assert seen.rate_per_s == 10.1


@given(st.integers(1, 400))
def test_a_file_cut_anywhere_is_counted_to_its_last_whole_row(tmp_path_factory: object, cut: int) -> None:
    text = HEADER + '1000000,5,"a ""label"", of\ntwo lines",false,"it\nbroke, ""so""",1\n' * 4
    path = tmp_path_factory.mktemp("live") / "samples.jtl"  # type: ignore[attr-defined]
    path.write_text(text[:cut])
    tail = Tail(path)
    first = tail.look().samples
    path.write_text(text)
    assert first <= tail.look().samples == 4
