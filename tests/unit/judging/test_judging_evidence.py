"""What a run leaves behind becomes the reason it is: each sign of an untrustworthy run is seen, and named."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import polars as pl
import pytest

from pacemark.asked import Apm, Asked
from pacemark.gateway.client import GatewayError, SilentError
from pacemark.gateway.counters import Counters
from pacemark.gateway.preflight import PreflightResult
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import CpuReading
from pacemark.jmeter.java import Java
from pacemark.jmeter.run import Execution
from pacemark.judging import Begun, Carried, Counted, judged, unmeasured
from pacemark.results.compare import differences
from pacemark.results.digest import Digest
from pacemark.results.measurements.model import Subject
from pacemark.results.record import Reason, RunRecord
from pacemark.telemetry.observation import Observed
from pacemark.telemetry.recorder import SCHEMA, Telemetry
from pacemark.workloads import workload
from pacemark.workloads.fixtures import EMBEDDED, Fixtures
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload
from pacemark.workloads.objective import Objective

START_MS = 1_780_000_000_000
REST = workload("rest_api_baseline")
LOAD = Load(threads=10, ramp_up_s=2, duration_s=22, rate_per_s=50)
PLANNED = sum(stage.slots for stage in LOAD.stages)
SECONDS = {"started": START_MS / 1000, "ended": START_MS / 1000 + 22}


@dataclass(frozen=True)
class Run:
    """A healthy run, until one thing about it is changed."""

    elapsed_ms: int = 5
    late_ms: int = 0
    waited: int = 1
    connect_ms: int = 0
    code: str = "200"
    keep: float = 1.0
    """Share of the planned requests that were sent."""
    lasts_s: float = 22
    execution: dict[str, Any] = field(default_factory=dict)
    warm_up_s: int = 2
    objectives: Sequence[str] = ("p50 < 200ms",)
    expires_s: float | None = None
    """When the token does, in seconds from the load's start."""
    before: Counted = None
    after: Counted = None
    gateway: dict[str, Any] = field(default_factory=dict)
    """What is known of it, as ``Asked`` has it."""
    workload: Workload = REST
    load: Load = LOAD
    observed: Observed | None = None
    died: Mapping[str, float] = field(default_factory=dict)
    """Services that ended, and when, in seconds from the first sample."""

    def record(self, folder: Path) -> RunRecord:
        digest = Digest.from_jtl(self._write(folder / "samples.jtl"))
        asked = Asked(
            workload=self.workload,
            scale="smoke",
            load=self.load,
            warm_up_s=self.warm_up_s,
            objectives=tuple(map(Objective.parse, self.objectives)),
            credentials=self._credentials(),
            out=folder,
            **{"url": "http://127.0.0.1:4444", **self.gateway},
        )
        engine = Engine(folder, "5.6.3", Java(Path("java"), "21.0.8", "test"))
        cpu = [CpuReading(SECONDS["started"], 0.0), CpuReading(SECONDS["ended"], 2.0)]
        execution = Execution.model_validate(
            {
                **SECONDS,
                "exit_code": 0,
                "stopped": "",
                "clock_step_s": 0.0,
                "cores": 1,
                "cpu": cpu,
                "gc_log": "",
                "reported": (digest.count, 0),
                **self.execution,
            }
        )
        cut_short = bool(execution.stopped)
        subject = Subject(self.workload, self.load, asked.window, digest, cut_short=cut_short)
        begun = Begun(asked, engine, datetime.now(UTC), PreflightResult(findings=[]))
        return judged(begun, Carried(execution, subject, self.before, self.after, self.observed, self.died))

    def _write(self, path: Path) -> Path:
        chance = random.Random(1)
        columns = "timeStamp,elapsed,label,responseCode,success,Connect,late_ms,waited"
        due = [*(1000 * (n / 12.5) ** 0.5 for n in range(50)), *(2000 + 20 * n for n in range(1000))]
        rows = [
            f"{START_MS + round(at) + self.late_ms},{self.elapsed_ms},{REST.labels[n % len(REST.labels)]},"
            f"{self.code},{str(self.code == '200').lower()},{self.connect_ms},{self.late_ms},{self.waited}"
            for n, at in enumerate(due)
            if (n == 0 or chance.random() < self.keep) and at < 1000 * self.lasts_s
        ]
        path.write_text("\n".join([columns, *rows, ""]))
        return path

    def _credentials(self) -> Credentials | None:
        if self.expires_s is None:
            return None
        payload = {"exp": int(SECONDS["started"] + self.expires_s)}
        return Credentials(jwt.encode(payload, "x" * 32, algorithm="HS256"), "test")


def _reason(record: RunRecord, text: str) -> Reason:
    found = [reason for reason in record.reasons if text in reason.text]
    assert found, [reason.text for reason in record.reasons]
    return found[0]


GC_LOG = "\n".join(
    f"[{datetime.fromtimestamp(SECONDS['started'] + 10 + n, UTC).isoformat(timespec='milliseconds')}] "
    f"GC({n}) Pause Young (Normal) (G1 Evacuation Pause) 50M->20M(1024M) 150.000ms"
    for n in range(3)
)
UP = Counters(requests={}, started=(1.0,), read_at=90.0)
SHARED_COUNT = Counters(requests={"GET /ready": 7}, read_at=90.0)

CASES: dict[str, tuple[Run, str, str]] = {
    "threads busy": (Run(waited=0), "warning", "every thread was busy when 100.0% of the requests came due"),
    "rate of a stage": (Run(keep=0.8), "warning", "stage steady: "),
    "processor": (
        Run(execution={"cpu": [CpuReading(SECONDS["started"], 0), CpuReading(SECONDS["ended"], 21)]}),
        "invalid",
        "JMeter used 95% of the processor time it could get",
    ),
    "garbage collection": (
        Run(execution={"gc_log": GC_LOG}),
        "warning",
        "paused 3 times, 450 ms in all, 150 ms at most",
    ),
    "late wake-ups": (Run(late_ms=30), "invalid", "waiting threads woke 30 ms late at P95"),
    "connection churn": (Run(connect_ms=1), "warning", "100.0% of the requests opened a new connection"),
    "clock": (Run(execution={"clock_step_s": -2.5}), "warning", "the clock was set by -2.5 s"),
    "samples not written": (Run(execution={"reported": (PLANNED + 7, 0)}), "invalid", "7 lost"),
    "too few samples": (Run(objectives=("p50 < 1s", "p99 < 1s")), "warning", "samples lie beyond p99"),
    "warm-up": (Run(warm_up_s=12), "warning", "the warm-up (12 s) is longer than the measured window (10 s)"),
    "rate limiting": (Run(code="429"), "invalid", f"the gateway answered 429 to {PLANNED} of {PLANNED}"),
    "token": (Run(code="401", expires_s=10), "invalid", "the token expired during the run"),
    "gateway restarted": (
        Run(before=UP, after=UP.model_copy(update={"started": (91.0,)})),
        "invalid",
        "the gateway was restarted during the run",
    ),
    "gateway restarted, its start not told": (
        Run(before=SHARED_COUNT, after=SHARED_COUNT.model_copy(update={"requests": {}})),
        "invalid",
        "the gateway was restarted during the run",
    ),
    "gateway restarted without counters": (
        Run(before=UP, after=None),
        "invalid",
        "the gateway was restarted during the run",
    ),
    "no counters": (
        Run(expires_s=60),
        "warning",
        "the gateway does not count its requests",
    ),
    "several gateways": (
        Run(before=UP, after=UP.model_copy(update={"started": (2.0,)})),
        "warning",
        "several gateway processes answer at this URL",
    ),
    "gateway stuck": (
        Run(before=UP, after=SilentError("no answer in time")),
        "warning",
        "the gateway's counters: no answer in time",
    ),
    "gateway gone": (
        Run(before=UP, after=GatewayError("connection refused")),
        "invalid",
        "the gateway did not last",
    ),
}


def test_a_healthy_run_has_no_reasons(tmp_path: Path) -> None:
    record = Run(expires_s=60, before=UP, after=UP).record(tmp_path)
    counted = [reason for reason in record.reasons if "the gateway counted" not in reason.text]
    assert (record.verdict, counted) == ("pass", [])


@pytest.mark.parametrize("case", CASES)
def test_it_is_seen_and_named_with_its_figure_and_remedy(tmp_path: Path, case: str) -> None:
    run, level, text = CASES[case]
    record = run.record(tmp_path)
    reason = _reason(record, text)
    assert reason.level == level
    assert reason.remedy
    assert record.verdict == ("invalid" if level == "invalid" else "pass")


def test_raw_and_corrected_stand_side_by_side_for_the_stage_of_constant_rate(tmp_path: Path) -> None:
    ramp, steady = Run(late_ms=12).record(tmp_path).stages
    assert (ramp.elapsed, ramp.response) == (None, None)
    assert steady.elapsed is not None
    assert steady.response is not None
    assert (steady.elapsed.p95, steady.response.p95, steady.response.count) == (5, 17, steady.elapsed.count)


def test_of_a_service_that_died_the_log_to_look_into_is_named(tmp_path: Path) -> None:
    names = ("gateway-2", "nginx", "nginx-errors")
    logs = {name: tmp_path / f"{name}.log" for name in names}
    died = {"gateway-2": 7.0, "nginx": 8.0, "redis": 9.0}
    record = Run(died=died, gateway={"log_files": logs}).record(tmp_path)
    assert record.verdict == "invalid"
    gateway = _reason(record, "gateway-2 ended 7 s into the run")
    assert gateway.remedy == f"see its log, {logs['gateway-2']}, and run again"
    assert str(logs["nginx-errors"]) in _reason(record, "nginx ended 8 s into the run").remedy
    assert _reason(record, "redis ended 9 s into the run").remedy == "see its log, and run again"


SPIKE = workload("spike_test")


def test_a_spike_is_told_what_the_pools_gauges_said(tmp_path: Path) -> None:
    rows = [(float(at_s), "pool_waiting", "", 0.0) for at_s in range(-10, 25, 5)]
    telemetry = Telemetry(5.0, pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    load = SPIKE.load_at("smoke")
    seen = Run(workload=SPIKE, load=load, observed=Observed(START_MS / 1000, telemetry, ())).record(tmp_path)
    (section,) = [one for one in seen.sections if one.title == "Recovery"]
    assert "Connection pool exhaustion: none, at most 0 clients waited." in section.summary
    assert not [reason for reason in seen.reasons if "pool" in reason.text and "exhaustion" in reason.text]
    unseen = Run(workload=SPIKE, load=load).record(tmp_path)
    assert _reason(unseen, "connection pool exhaustion: not measured").level == "warning"


@dataclass(frozen=True)
class Started:
    failure: str = ""


GATEWAYS: dict[str, dict[str, Any]] = {
    "embedded": {"local": Started(), "gateway_urls": ("http://127.0.0.1:4444",)},
    "stack": {"gateway_urls": ("http://127.0.0.1:4444",), "pids": {"gateway": 1, "fast_time": 2}},
    "full stack, 3 gateways": {
        "gateway_urls": tuple(f"http://127.0.0.1:{port}" for port in (4444, 4445, 4446)),
        "pids": {"gateway-1": 1, "postgres": 2},
    },
    "127.0.0.1:4444": {},
    "gateway.example.com:443": {"url": "https://gateway.example.com/base"},
}


@pytest.mark.parametrize(("kind", "gateway"), GATEWAYS.items())
def test_the_fingerprint_tells_one_kind_of_gateway_from_another(
    tmp_path: Path, kind: str, gateway: dict[str, Any]
) -> None:
    assert Run(gateway=gateway).record(tmp_path).fingerprint["gateway"] == kind


MCP = workload("mcp_jsonrpc_baseline")
OTHER_REQUESTS: dict[str, dict[str, Any]] = {
    "JSON-RPC at": {"rpc_endpoint": "/mcp"},
    "traces": {"traces": False},
    "APM": {"apm": Apm.OTEL},
    "live figures": {"live_port": 9270},
    "jvm": {"heap_mb": 777},
}


@pytest.mark.parametrize(("entry", "asked"), OTHER_REQUESTS.items())
def test_the_fingerprint_tells_other_requests(tmp_path: Path, entry: str, asked: dict[str, Any]) -> None:
    as_ever, other = (_fingerprint(tmp_path, **one) for one in ({}, asked))
    assert [line.partition(":")[0] for line in differences(as_ever, other)] == [entry]


def test_the_fingerprint_tells_which_tools_are_called(tmp_path: Path) -> None:
    fewer = EMBEDDED.model_copy(update={"tools": EMBEDDED.tools[1:]})
    found = differences(_fingerprint(tmp_path), _fingerprint(tmp_path, fixtures=fewer))
    assert [line.partition(":")[0] for line in found] == ["data"]


def _fingerprint(folder: Path, fixtures: Fixtures = EMBEDDED, **asked: Any) -> dict[str, str]:
    given: dict[str, Any] = {"heap_mb": 512, **asked}
    mcp = Asked(
        workload=MCP, scale="smoke", load=LOAD, warm_up_s=2, objectives=(), url="http://127.0.0.1:4444",
        credentials=None, out=folder, **given,
    )  # fmt: skip
    engine = Engine(folder, "5.6.3", Java(Path("java"), "21.0.8", "test"))
    found = PreflightResult(findings=[], fixtures=fixtures)
    return unmeasured(Begun(mcp, engine, datetime.now(UTC), found), []).fingerprint


def test_what_never_came_of_a_run_cut_short_was_not_missed(tmp_path: Path) -> None:
    stopped = {"stopped": "the user ended it"}
    record = Run(lasts_s=9.5, execution=stopped).record(tmp_path)
    steady = record.stages[-1]
    assert (steady.from_s, steady.to_s, steady.due, steady.started, steady.missed) == (2, 9, 350, 350, 0)
    before = Run(lasts_s=1.5, execution=stopped).record(tmp_path)
    assert [stage.to_s for stage in before.stages] == [1]
