"""A run as the real thing leaves it: six REST labels, lognormal latencies, a slow patch with a few errors."""

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pacemark.results.digest import Digest
from pacemark.results.history import Line
from pacemark.results.judge import one_line
from pacemark.results.measurements import measure
from pacemark.results.measurements.model import ProcessReading, Subject
from pacemark.results.record import (
    Chart,
    Column,
    Finding,
    GatewayFacts,
    Generator,
    JudgedObjective,
    LatencyFigures,
    Mark,
    Reason,
    Recorded,
    RunRecord,
    Section,
    Series,
    StageFigures,
    Verdict,
    Window,
)
from pacemark.results.statistics import Figures, Summary, summarize
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

START = datetime(2026, 1, 30, 10, 0, 0, 123000, tzinfo=UTC)
LABELS = {  # label: (weight, median in ms, sigma)
    "GET /health": (10, 4, 0.45),
    "GET /tools": (30, 38, 0.40),
    "GET /servers": (20, 27, 0.40),
    "GET /gateways": (15, 31, 0.42),
    "GET /resources": (15, 22, 0.38),
    "GET /prompts": (10, 19, 0.38),
}
HOSTILE = "<script>alert(1)</script>"
COLUMNS = (
    *("timeStamp", "elapsed", "label", "responseCode", "responseMessage", "success", "failureMessage"),
    *("bytes", "Connect", "allThreads", "late_ms", "waited"),
)


class Run(NamedTuple):
    """What a report is made from."""

    record: RunRecord
    digest: Digest
    summary: Summary


def write_jtl(path: Path, load: Load, *, slow: tuple[float, float], extra: tuple[str, ...] = ()) -> Path:
    """Samples at the load's own rate; in ``slow`` seconds six times slower and partly failing."""
    chance = random.Random(7)
    labels = {**LABELS, **dict.fromkeys(extra, (2, 12, 0.3))}
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for at in _due_times(load):
            rows.writerow(_sample(chance, at, labels, slow[0] <= at < slow[1], extra))
    return path


def example(
    directory: Path,
    verdict: Verdict = "pass",
    *,
    seconds: float = 60,
    rate: float = 20,
    extra: tuple[str, ...] = (),
) -> Run:
    """A run with the given verdict, read from a JTL in ``directory``."""
    load = Load(threads=32, ramp_up_s=seconds / 10, duration_s=seconds, rate_per_s=rate)
    slow = (0.55 * seconds, 0.62 * seconds) if verdict == "fail" else (0.55 * seconds, 0.57 * seconds)
    digest = Digest.from_jtl(write_jtl(directory / "samples.jtl", load, slow=slow, extra=extra))
    window = Window(from_s=load.ramp_up_s, to_s=seconds)
    summary = summarize(digest, window=window)
    return Run(_record(verdict, load, window, digest, summary), digest, summary)


FIRST_PICTURE = {
    "mcp_test_servers_baseline": "The gateway's tax",
    "stress_test": "Breaking point",
    "spike_test": "Recovery",
    "soak_test": "Growth",
    "sse_streaming_baseline": "Event streams",
    "websocket_baseline": "Connections",
    "admin_ui_baseline": "Pages",
}
"""Of the others the percentile curve and the rate are the answer."""


def of_workload(name: str, folder: Path, run: Run) -> RunRecord:
    """The record of ``run`` with the sections of that workload, of samples that are all alike."""
    one = workload(name)
    load = one.scales["ci"]
    labels = list(one.labels)
    rows = [
        f"{1_769_767_200_000 + n * 250},20,{labels[n % len(labels)]},200,true,0,1"
        for n in range(4 * load.duration_s)
    ]
    path = folder / "samples.jtl"
    path.write_text("\n".join(["timeStamp,elapsed,label,responseCode,success,late_ms,waited", *rows, ""]))
    window = Window(from_s=load.ramp_up_s, to_s=load.duration_s)
    seconds = range(0, load.duration_s, 5)
    readings = [ProcessReading(float(t), "gateway", 3 * 10**8, 9, t / 2) for t in seconds]
    subject = Subject(one, load, window, Digest.from_jtl(path), processes=readings)
    return run.record.model_copy(update={"sections": measure(subject).sections})


def history_lines(count: int, newer: str) -> list[Line]:
    """Runs of two versions of a gateway, from the thirteenth on of the ``newer``, slower by a third."""
    return [
        Line(
            run=f"rest_api_baseline/{number}",
            workload="rest_api_baseline",
            started=START + timedelta(days=number),
            verdict="pass",
            scale="ci",
            gateway="1.0" if number < 12 else newer,
            kind="k",
            total={"p50": 10.0, "p95": p95, "p99": 300.0, "error": 0.0, "throughput": 20.0},
            labels={},
        )
        for number in range(count)
        for p95 in [(100.0 if number < 12 else 133.0) + number % 3]
    ]


def _due_times(load: Load) -> list[float]:
    due, times, step = 1.0, [], 0.001
    for i in range(int(load.duration_s / step)):
        due += load.rate_at(i * step) * step
        if due >= 1:
            due -= 1
            times.append(i * step)
    return times


def _sample(
    chance: random.Random,
    at: float,
    labels: dict[str, tuple[int, int, float]],
    slow: bool,
    hostile: tuple[str, ...],
) -> list[object]:
    label = chance.choices(list(labels), [weight for weight, _, _ in labels.values()])[0]
    _, median, sigma = labels[label]
    elapsed = int(chance.lognormvariate(0, sigma) * median * (6 if slow else 1))
    late = int(chance.expovariate(1 / 90)) if slow else 0
    code, message, failure = "200", "OK", ""
    if slow and chance.random() < 0.02:
        code, message = "503", "Service Unavailable"
    elif slow and chance.random() < 0.006:
        code, message = "Non HTTP response code: java.net.SocketTimeoutException", "Read timed out"
        elapsed = 5000
    elif label in hostile and chance.random() < 0.3:
        failure = f"Value in json path '$.status' expected to be '{HOSTILE}', but found '</script>|`\n\"&'"
    success = code == "200" and not failure
    start = int(START.timestamp() * 1000 + at * 1000) + late
    opened = 1 if chance.random() < 0.004 else 0
    size = chance.randint(180, 24000)
    return [
        start,
        elapsed,
        label,
        code,
        message,
        str(success).lower(),
        failure,
        size,
        opened,
        32,
        late,
        int(not late),
    ]


def _judge(text: str, summary: Summary) -> JudgedObjective:
    objective = Objective.parse(text)
    figures: Figures = summary.total
    if objective.metric == "errors":
        value = figures.error_rate * 100
    elif objective.metric == "rate":
        value = figures.throughput
    else:
        assert figures.response is not None
        value = getattr(figures.response, objective.metric)
    outcome = "met" if objective.allows(value) else "missed"
    return JudgedObjective(
        objective=objective, value=value, outcome=outcome, basis="response" if objective.is_latency else None
    )


def _record(verdict: Verdict, load: Load, window: Window, digest: Digest, summary: Summary) -> RunRecord:
    limits = {
        "pass": ("p95 < 2000ms", "errors < 5%", f"rate >= {0.9 * load.rate_per_s:g}/s"),
        "fail": ("p95 < 60ms", "errors < 0.1%", f"rate >= {0.9 * load.rate_per_s:g}/s"),
        "invalid": ("p95 < 2000ms", "errors < 5%"),
    }[verdict]
    objectives = [_judge(text, summary) for text in limits]
    objectives.append(
        JudgedObjective(
            objective=Objective.parse("GET /prompts: p999 < 500ms"),
            value=summary.labels["GET /prompts"].p999 if "GET /prompts" in summary.labels else None,
            outcome="not judged",
            basis="response",
            why="5 samples lie beyond it, 20 are needed",
        )
    )
    count = digest.count
    due = round(load.due_between(window.from_s, window.to_s))
    return RunRecord(
        pacemark="0.1.0",
        workload="rest_api_baseline",
        title="REST API baseline",
        scale="local",
        started=START,
        ended=START + timedelta(seconds=load.duration_s + 4),
        load=load,
        window=window,
        recorded=Recorded(count=count, errors=digest.errors),
        verdict=verdict,
        exit_status={"pass": 0, "fail": 1, "invalid": 3}[verdict],
        reasons=_reasons(verdict, objectives),
        objectives=objectives,
        stages=[
            StageFigures(
                name="ramp-up",
                from_s=0,
                to_s=load.ramp_up_s,
                due=round(load.due_between(0, load.ramp_up_s)),
                started=count - summary.total.count,
                missed=0,
            ),
            StageFigures(
                name="steady",
                from_s=load.ramp_up_s,
                to_s=load.duration_s,
                due=due,
                started=summary.total.count,
                missed=max(0, due - summary.total.count),
                elapsed=_latencies(summary.total),
                response=summary.total.response,
            ),
        ],
        sections=[
            Section(
                title="Streams",
                summary="23 of 24 streams were held to the end.",
                note="Streams by how they ended",
                columns=[
                    Column(name="Ended"),
                    Column(name="Streams"),
                    Column(name="p95", unit="ms"),
                    Column(name="Why"),
                ],
                rows=[["by us", 23, 1234.5, None], ["dropped", 1, 0.26, HOSTILE]],
                charts=[
                    Chart(
                        title="Open streams",
                        note="At the end of each second.",
                        unit="streams",
                        at=[float(second) for second in range(20)],
                        series=[
                            Series(name="open", values=[min(24.0, 2.0 * second) for second in range(20)]),
                            Series(
                                name=HOSTILE, values=[None if second < 5 else 3.5 for second in range(20)]
                            ),
                        ],
                    ),
                    Chart(
                        title="Response time by offered rate",
                        unit="response, ms",
                        axis="rate",
                        at=[100.0, 200.0, 400.0],
                        series=[Series(name="P95", values=[20.0, 30.0, 900.0])],
                        marks=[Mark(from_at=200, to_at=400, text=f"breaking point {HOSTILE}")],
                    ),
                    Chart(
                        title="By percentile",
                        unit="elapsed, ms",
                        axis="percentile",
                        at=[0.0, 50.0, 75.0, 90.0, 100.0],
                        series=[Series(name="directly", values=[1.0, 2.0, 3.0, 8.0, 40.0])],
                    ),
                ],
            )
        ],
        gateway=GatewayFacts(
            url="http://127.0.0.1:4444",
            version="1.0.7.post20260921",
            embedded=True,
            counted={"/health": (620, 620), "/tools": (1780, 1780), "/servers": (1201, 1198)},
        ),
        generator=Generator(
            jmeter="5.6.3",
            java="21.0.8",
            heap_mb=1024,
            cpu_seconds=83.4,
            cpu_share=0.97 if verdict == "invalid" else 0.118,
            gc_pauses=41,
            gc_pause_ms=212.4,
            gc_pause_max_ms=14.2,
            late_wake_up_p95_ms=38.5 if verdict == "invalid" else 0.4,
            all_busy_share=0.013,
            new_connection_share=0.0041,
            reported_count=count,
            reported_errors=digest.errors,
            exit_code=0,
        ),
        preflight=[
            Finding(name="Reachable", level="ok", detail="http://127.0.0.1:4444 answers"),
            Finding(name="Healthy", level="ok", detail="status healthy, database connected"),
            Finding(name="Token", level="ok", detail="accepted, valid for 119 minutes more"),
            Finding(
                name="File descriptors",
                level="warning",
                detail="1,024 may be open, 32 threads need about 400",
                remedy="ulimit -n 65535 before the full scale",
            ),
        ],
        machine={
            "Operating system": "Debian GNU/Linux 12, Linux 6.1",
            "Processor": "AMD EPYC 7763, 2 cores",
            "Memory": "7.8 GB",
            "Python": "3.11.7",
        },
        fingerprint={"plan": "sha256 5d0c3f7a91be", "scale": "local", "rate": f"{load.rate_per_s:g}/s"},
    )


def _latencies(figures: Figures) -> LatencyFigures:
    return LatencyFigures.model_validate(figures.model_dump(include=set(LatencyFigures.model_fields)))


def _reasons(verdict: Verdict, objectives: list[JudgedObjective]) -> list[Reason]:
    busy = Reason(
        level="warning",
        text="New connections: 0.41 % of samples opened one.",
        remedy="Keep connections alive between loops when the share grows.",
    )
    if verdict == "pass":
        return [busy]
    if verdict == "fail":
        missed = [each for each in objectives if each.outcome == "missed"]
        return [
            *(Reason(level="fail", text=one_line(each)) for each in missed),
            busy,
        ]
    return [
        busy,
        Reason(
            level="invalid",
            text="JMeter's own processor use was 97 % of what it could get, above the limit of 90 %.",
            remedy="Use fewer threads, a lower rate, or a machine with more cores.",
        ),
        Reason(
            level="invalid",
            text="Late wake-ups: p95 was 38.5 ms with idle threads, above the limit of 20 ms.",
            remedy="Give the generator cores of its own.",
        ),
    ]
