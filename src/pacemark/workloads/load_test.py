"""Load test: REST and MCP mixed at 4,000 requests a second, as in production.

Measured is the steady state: the ramp-up is the warm-up, and no figure of the summary has a sample of it.
"""

from pacemark.workloads.load import Load
from pacemark.workloads.mixed import REQUESTS
from pacemark.workloads.model import Mix
from pacemark.workloads.objective import Objective

WORKLOAD = Mix(
    name="load_test",
    title="Load test",
    protocol="HTTP, JSON-RPC",
    summary="REST and MCP, half of each, at production's rate, measured after the ramp-up.",
    requests=REQUESTS,
    objectives=(
        Objective.parse("response p95 < 300ms"),
        Objective.parse("errors < 0.1%"),
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=400, ramp_up_s=120, duration_s=1800, rate_per_s=4000),
        "ci": Load(threads=20, ramp_up_s=10, duration_s=70, rate_per_s=15),
        "local": Load(threads=20, ramp_up_s=10, duration_s=70, rate_per_s=15),
        "smoke": Load(threads=5, ramp_up_s=2, duration_s=15, rate_per_s=10),
    },
    calls_mcp=True,
)
