"""What is measured: the vocabulary, and one file a workload."""

from pacemark.errors import InputError
from pacemark.workloads import (
    admin_ui_baseline,
    load_test,
    mcp_jsonrpc_baseline,
    mcp_test_servers_baseline,
    rest_api_baseline,
    soak_test,
    spike_test,
    sse_streaming_baseline,
    stress_test,
    websocket_baseline,
)
from pacemark.workloads.model import Workload

WORKLOADS: dict[str, Workload] = {
    module.WORKLOAD.name: module.WORKLOAD
    for module in (
        rest_api_baseline,
        mcp_jsonrpc_baseline,
        mcp_test_servers_baseline,
        load_test,
        stress_test,
        spike_test,
        soak_test,
        sse_streaming_baseline,
        websocket_baseline,
        admin_ui_baseline,
    )
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
