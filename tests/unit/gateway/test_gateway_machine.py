from pathlib import Path

from pacemark.gateway.machine import machine_findings


def levels(**load: float) -> dict[str, str]:
    asked = {"threads": 10, "seconds": 60, "rate_per_s": 10, **load}
    found = machine_findings(
        threads=int(asked["threads"]),
        seconds=asked["seconds"],
        rate_per_s=asked["rate_per_s"],
        out_dir=Path("results/not/there/yet"),
    )
    return {finding.name: finding.level for finding in found}


def test_a_small_load_fits() -> None:
    assert levels()["file descriptors"] == "ok"
    assert levels()["disk"] == "ok"


def test_more_threads_than_ports_do_not_fit() -> None:
    assert levels(threads=60_000)["outgoing ports"] == "error"


def test_more_samples_than_the_disk_holds_do_not_fit() -> None:
    assert levels(seconds=1e9, rate_per_s=1e6)["disk"] == "error"
