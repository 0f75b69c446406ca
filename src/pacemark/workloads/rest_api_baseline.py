"""REST API baseline: the gateway's read endpoints at 1,000 requests a second."""

from pacemark.workloads.load import Load
from pacemark.workloads.model import Check, Mix, Request
from pacemark.workloads.objective import Objective

# [0:] can be applied to arrays only; what the filter finds are the rows without an id.
ROWS = Check(name="a JSON array whose rows have an id", path="$[0:][?(!@.id)]", expect="[]")
# The gateway answers 200 with "unhealthy" when its database fails.
HEALTHY = Check(name="status is healthy", path="$.status", expect='"healthy"')


def get(path: str, weight: float, check: Check = ROWS) -> Request:
    return Request(label=f"GET {path}", weight=weight, method="GET", path=path, check=check)


WORKLOAD = Mix(
    name="rest_api_baseline",
    title="REST API baseline",
    protocol="HTTP",
    summary="The gateway's read endpoints at a constant rate: what a regression is measured against.",
    requests=(
        get("/health", 20, HEALTHY),
        get("/tools", 25),
        get("/servers", 20),
        get("/gateways", 15),
        get("/resources", 10),
        get("/prompts", 10),
    ),
    objectives=(
        Objective.parse("response p95 < 200ms"),
        Objective.parse("errors < 0.1%"),
        Objective.parse("rate >= 95%"),
    ),
    scales={
        "full": Load(threads=100, ramp_up_s=60, duration_s=600, rate_per_s=1000),
        "ci": Load(threads=10, ramp_up_s=10, duration_s=70, rate_per_s=15),
        "local": Load(threads=10, ramp_up_s=10, duration_s=60, rate_per_s=15),
        "smoke": Load(threads=5, ramp_up_s=3, duration_s=15, rate_per_s=10),
    },
)
