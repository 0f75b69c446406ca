"""REST and MCP together, half of each: what load, stress, spike and soak put on the gateway."""

from pacemark.workloads import mcp_jsonrpc_baseline, rest_api_baseline
from pacemark.workloads.model import Request

REQUESTS: tuple[Request, ...] = tuple(
    request.model_copy(update={"weight": request.weight / 2})
    for workload in (rest_api_baseline.WORKLOAD, mcp_jsonrpc_baseline.WORKLOAD)
    for request in workload.requests
)
