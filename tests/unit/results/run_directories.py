"""Directories of runs, with what is read of one again: run.json, summary.json, samples.jtl."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pacemark.results.digest import Digest
from pacemark.results.record import GatewayFacts, Reason, RunRecord, Verdict, Window
from pacemark.results.statistics import summarize
from pacemark.workloads.load import Load

START = datetime(2026, 1, 30, 10, tzinfo=UTC)


def run_directory(
    folder: Path,
    number: int,
    *,
    ms: int = 20,
    verdict: Verdict = "pass",
    gateway: str = "1.0",
    rate: int = 20,
) -> Path:
    """A run's directory with what the history reads of one."""
    directory = folder / "rest_api_baseline" / f"run{number:03}"
    directory.mkdir(parents=True)
    rows = [f"{1_769_767_200_000 + i * 50},{ms},GET /tools,OK,true" for i in range(200)]
    jtl = directory / "samples.jtl"
    jtl.write_text("\n".join(["timeStamp,elapsed,label,responseMessage,success", *rows, ""]))
    window = Window(from_s=0, to_s=10)
    started = START + timedelta(hours=number)
    RunRecord(
        pacemark="0",
        workload="rest_api_baseline",
        title="REST",
        scale="smoke",
        started=started,
        ended=started,
        load=Load(threads=1, ramp_up_s=0, duration_s=10, rate_per_s=rate),
        window=window,
        verdict=verdict,
        exit_status=0,
        reasons=[Reason(level="invalid", text="JMeter was the limit")] if verdict == "invalid" else [],
        gateway=GatewayFacts(url="http://gateway", version=gateway),
        fingerprint={"load": str(rate)},
    ).save_to(directory)
    summary = summarize(Digest.from_jtl(jtl), window=window)
    (directory / "summary.json").write_text(summary.model_dump_json())
    return directory
