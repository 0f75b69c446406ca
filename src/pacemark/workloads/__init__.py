"""What is measured: the vocabulary, and one file a workload."""

from pacemark.errors import InputError
from pacemark.workloads import mcp_jsonrpc_baseline, rest_api_baseline, sse_streaming_baseline
from pacemark.workloads.model import Workload

WORKLOADS: dict[str, Workload] = {
    module.WORKLOAD.name: module.WORKLOAD
    for module in (rest_api_baseline, mcp_jsonrpc_baseline, sse_streaming_baseline)
}


def workload(name: str) -> Workload:
    """The workload of that name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    try:
        return WORKLOADS[name]
    except KeyError:
        raise InputError(f"there is no workload '{name}'", f"use one of {', '.join(WORKLOADS)}") from None
