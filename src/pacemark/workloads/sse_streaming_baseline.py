"""SSE streaming baseline: a thousand streams of server-sent events, held open, messages over each."""

from pacemark.workloads.json_rpc import has_array, json_rpc
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective
from pacemark.workloads.streams import Streams

WORKLOAD = Streams(
    name="sse_streaming_baseline",
    title="SSE streaming baseline",
    protocol="SSE",
    summary="Streams of server-sent events held open, with JSON-RPC messages whose replies come over them.",
    # The gateway hands a stream the result of its own call to /rpc, and {} where that was an error: so
    # nothing is asked whose true answer is empty.
    messages=(
        json_rpc("tools/list", 50, has_array("tools")),
        json_rpc("resources/list", 25, has_array("resources")),
        json_rpc("prompts/list", 25, has_array("prompts")),
    ),
    objectives=(
        Objective.parse("drops < 1%"),
        Objective.parse("reconnections >= 99%"),
        Objective.parse("errors < 1%"),
        Objective.parse("rate >= 90%"),
    ),
    scales={
        "full": Load(threads=1000, ramp_up_s=60, duration_s=600, rate_per_s=200),
        # The embedded gateway polls its database for each stream and opens an HTTP client for each reply: it
        # answers some three messages a second, however many streams they come by.
        "ci": Load(threads=20, ramp_up_s=5, duration_s=60, rate_per_s=2),
        "local": Load(threads=30, ramp_up_s=10, duration_s=60, rate_per_s=2),
        "smoke": Load(threads=10, ramp_up_s=3, duration_s=15, rate_per_s=1),
    },
    measurements=("streams",),
)
