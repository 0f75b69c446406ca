"""JMeter's live figures, scraped from the real one while it works, against what it wrote down."""

import csv
import itertools
import socket
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from fake_gateway import FakeGateway, true_answer
from loopback_server import Answer
from prometheus_client.parser import text_string_to_metric_families

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.health import log_errors
from pacemark.jmeter.live import Progress
from pacemark.jmeter.process import require_free_port
from pacemark.jmeter.run import execute
from pacemark.jmx import live
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.telemetry.live import LIVE_METRICS, RESPONSE, THREAD_STATES
from pacemark.workloads import workload
from pacemark.workloads.load import Load

pytestmark = [pytest.mark.jmeter, pytest.mark.patient]

LOAD = Load(threads=6, ramp_up_s=1, duration_s=4, rate_per_s=60)
TURNS = itertools.cycle(("true", "refused", "true", "false", "true", "closed"))


def mixed(method: str, path: str, body: bytes) -> Answer | None:
    if path != "/tools":
        return true_answer(method, path, body)
    match next(TURNS):
        case "refused":
            return 503, {}, b""
        case "false":
            return 200, {"Content-Type": "application/json"}, b'{"error": 1}'
        case "closed":
            return None
    return true_answer(method, path, body)


class Scraped:
    """Every answer of the endpoint, as samples by their name and labels."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.kinds: dict[str, str] = {}
        self.looks: list[dict[tuple[str, frozenset[tuple[str, str]]], float]] = []

    def look(self, _: Progress) -> None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as answer:
                text = answer.read().decode()
        except OSError:
            return  # not there yet, or no more
        families = list(text_string_to_metric_families(text))
        self.kinds |= {one.name: one.type for one in families}
        samples = (sample for family in families for sample in family.samples)
        self.looks.append({(one.name, frozenset(one.labels.items())): one.value for one in samples})

    def last(self, name: str) -> Counter[tuple[str, ...]]:
        """By the values of its labels, in the order of their names."""
        found = {labels: value for (one, labels), value in self.looks[-1].items() if one == name}
        return Counter({tuple(dict(sorted(labels)).values()): value for labels, value in found.items()})


def outcome(row: dict[str, str]) -> str:
    if row["success"] == "true":
        return "ok"
    return {"503": "HTTP 503", "200": "check failed"}.get(row["responseCode"], "no answer")


def test_the_endpoint_counts_what_stands_in_the_jtl(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LINGER_S", 2)
    plan, scraped = tmp_path / "plan.jmx", Scraped()
    plan.write_bytes(render(workload("rest_api_baseline"), live=True))
    with FakeGateway(mixed) as gateway:
        properties = {
            **JMETER_SETTINGS,
            **load_properties(LOAD),
            **live.live_properties(scraped.port),
            "GATEWAY_URL": gateway.url,
            "TOKEN": "none",
        }
        execute(engine, plan, properties, LOAD, tmp_path, heap_mb=256, on_progress=scraped.look)
    with (tmp_path / "samples.jtl").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert log_errors(tmp_path / "jmeter.log") == []
    assert len(rows) == sum(stage.slots for stage in LOAD.stages)

    assert scraped.last("jmeter_samples_total") == Counter((row["label"], outcome(row)) for row in rows)
    assert {name for _, name in scraped.last("jmeter_samples_total")} == {
        *("ok", "HTTP 503", "check failed", "no answer")
    }
    waited_s: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        waited_s[(row["label"],)] += (int(row["elapsed"]) + int(row["late_ms"])) / 1000  # type: ignore[assignment]
    assert scraped.last("jmeter_response_seconds_sum") == pytest.approx(waited_s)
    assert scraped.last("jmeter_response_seconds_count") == Counter((row["label"],) for row in rows)
    assert scraped.last("jmeter_slots_due_total")[()] == len(rows)

    # Under way it counts up, and the names are those that the dashboards ask for.
    counts = [
        sum(v for (name, _), v in look.items() if name == "jmeter_samples_total") for look in scraped.looks
    ]
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4
    assert max(look[("jmeter_threads", frozenset({("state", "active")}))] for look in scraped.looks) == 6
    assert {state for (state,) in scraped.last("jmeter_threads")} == set(THREAD_STATES)
    assert {
        one.name.removesuffix("_total"): one.kind for one in LIVE_METRICS
    }.items() <= scraped.kinds.items()
    bounds = {bound for _, bound in scraped.last(f"{RESPONSE.name}_bucket")}
    assert bounds == {*(str(float(bound)) for bound in live.BUCKETS_S), "+Inf"}
    require_free_port(scraped.port)
