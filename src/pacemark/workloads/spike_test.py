"""Spike test: a tenfold surge for two minutes and a half, and how fast the gateway is back afterwards."""

from pacemark.workloads.load import Load, Stage
from pacemark.workloads.mixed import REQUESTS
from pacemark.workloads.model import Mix
from pacemark.workloads.objective import Objective

SHAPE = (
    Stage(name="Baseline", seconds=120, from_per_s=1_000, to_per_s=1_000, threads=200),
    Stage(name="Spike", seconds=30, from_per_s=1_000, to_per_s=10_000, threads=2_000),
    Stage(name="Sustain", seconds=120, from_per_s=10_000, to_per_s=10_000, threads=2_000),
    Stage(name="Recovery", seconds=120, from_per_s=1_000, to_per_s=1_000, threads=200),
    Stage(name="Verify", seconds=120, from_per_s=1_000, to_per_s=1_000, threads=200),
)

WORKLOAD = Mix(
    name="spike_test",
    title="Spike test",
    protocol="HTTP, JSON-RPC",
    summary="REST and MCP mixed: ten times the load, held, and gone again. How long until all is well?",
    requests=REQUESTS,
    objectives=(
        Objective.parse("recovery < 30s"),
        Objective.parse("clearance < 60s"),
        # A recovery from less than the spike that was asked for shows nothing.
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=2_000, ramp_up_s=30, duration_s=510, rate_per_s=10_000, shape=SHAPE),
        "ci": Load(threads=40, ramp_up_s=5, duration_s=170, rate_per_s=40, shape=SHAPE),
        "local": Load(threads=40, ramp_up_s=5, duration_s=255, rate_per_s=40, shape=SHAPE),
        "smoke": Load(threads=20, ramp_up_s=1, duration_s=15, rate_per_s=30, shape=SHAPE),
    },
    calls_mcp=True,
    measurements=("recovery",),
)
