"""Soak test: a day of steady load, and what grows in it."""

from pacemark.workloads.load import Load
from pacemark.workloads.mixed import REQUESTS
from pacemark.workloads.model import Mix
from pacemark.workloads.objective import Objective

WORKLOAD = Mix(
    name="soak_test",
    title="Soak test",
    protocol="HTTP, JSON-RPC",
    summary="REST and MCP mixed, a steady rate for a day: does the gateway's memory grow, does it slow down?",
    requests=REQUESTS,
    objectives=(
        Objective.parse("growth < 10%"),
        # The request gives no limit on the latency here: that of its load test, which is the same mix.
        Objective.parse("response p95 < 300ms"),
        Objective.parse("errors < 0.1%"),
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=400, ramp_up_s=60, duration_s=86_400, rate_per_s=2_000),
        "ci": Load(threads=10, ramp_up_s=10, duration_s=300, rate_per_s=10),
        "local": Load(threads=10, ramp_up_s=10, duration_s=600, rate_per_s=10),
        "smoke": Load(threads=5, ramp_up_s=3, duration_s=15, rate_per_s=10),
    },
    calls_mcp=True,
    measurements=("leak",),
)
