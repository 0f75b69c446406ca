"""A real Loki, with our configuration and what our Promtail's sends it, where both programs are on the PATH.

Debian has neither, so `make test` leaves this out by itself: deploy/README.md has how they are made. One
question needs neither, and is put to the Loki of LOKI_URL where that is set.
"""

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml
from waiting import until

from pacemark.gateway.spec import free_ports
from pacemark.telemetry.log_lines import LogLine
from pacemark.telemetry.loki import Loki, LokiError, NotAllError

DEPLOY = Path(__file__).parents[3] / "deploy"
JSON_LINES, OTHERS = 12_000, 50
"""More than twice as many as Loki gives at once."""
GATEWAY = '{job="gateway"}'

pytestmark = pytest.mark.skipif(
    not ("LOKI_URL" in os.environ or (shutil.which("loki") and shutil.which("promtail"))),
    reason="LOKI_URL names no Loki, and loki and promtail are not both on the PATH",
)


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def began() -> float:
    return time.time()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, began: float) -> Iterator[str]:
    """Of a Loki that has got the lines."""
    if "LOKI_URL" in os.environ:
        yield os.environ["LOKI_URL"]
        return
    folder = tmp_path_factory.mktemp("loki")
    log = folder / "gateway.log"
    lines = [
        {
            "levelname": "ERROR" if n % 100 == 0 else "INFO",
            "message": f"request {n}",
            "correlation_id": f"{n:032x}",
        }
        for n in range(JSON_LINES)
    ]
    text = [json.dumps({"@timestamp": datetime.now(UTC).isoformat(), **line}) for line in lines]
    log.write_text("\n".join([*text, *["  File x.py"] * OTHERS, ""]), encoding="utf-8")
    loki_port, grpc_port, promtail_port = free_ports(3)
    config = (DEPLOY / "loki/loki.yaml").read_text(encoding="utf-8")
    config = config.replace("/loki", str(folder / "data")).replace("3100", str(loki_port))
    (folder / "loki.yaml").write_text(config, encoding="utf-8")
    loki = ["loki", f"-config.file={folder / 'loki.yaml'}", f"-server.grpc-listen-port={grpc_port}"]
    shipping = yaml.safe_load((DEPLOY / "promtail/promtail.yaml").read_text(encoding="utf-8"))
    (job,) = shipping["scrape_configs"]
    # What Docker would tell of the container.
    del job["docker_sd_configs"], job["relabel_configs"]
    job["static_configs"] = [{"targets": ["localhost"], "labels": {"job": "gateway", "__path__": str(log)}}]
    shipping["server"]["http_listen_port"] = promtail_port
    shipping["positions"]["filename"] = str(folder / "positions.yaml")
    url = f"http://127.0.0.1:{loki_port}"
    shipping["clients"] = [{"url": f"{url}/loki/api/v1/push"}]
    (folder / "promtail.yaml").write_text(json.dumps(shipping), encoding="utf-8")
    promtail = ["promtail", f"-config.file={folder / 'promtail.yaml'}"]
    with running(loki, folder / "loki.log"), running(promtail, folder / "promtail.log"):
        assert until(lambda: counted(url, GATEWAY) == JSON_LINES + OTHERS, 90), (
            folder / "loki.log"
        ).read_text()
        yield url


def counted(url: str, streams: str, until_s: float | None = None) -> int:
    """By Loki itself, of ten minutes up to now or another time."""
    token = os.environ.get("LOKI_TOKEN")
    try:
        answer = httpx.get(
            f"{url}/loki/api/v1/query",
            params={"query": f"sum(count_over_time({streams}[600s]))", "time": until_s or time.time()},
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        (sample,) = answer.json()["data"]["result"]
    except (httpx.HTTPError, ValueError, KeyError):
        return 0
    return int(sample["value"][1])


ours = pytest.mark.skipif("LOKI_URL" in os.environ, reason="the Loki of LOKI_URL has other lines")


@ours
def test_every_line_comes_once_with_its_level(url: str, began: float) -> None:
    with Loki(url) as loki:
        assert {"job", "level"} <= set(loki.labels(began))
        lines = list(loki.lines(GATEWAY, began - 1, time.time() + 1))
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    by_message = Counter(line.message for line in lines)
    assert by_message == {**{f"request {n}": 1 for n in range(JSON_LINES)}, "  File x.py": OTHERS}
    levels = Counter(line.level for line in lines if line.message.startswith("request"))
    assert levels == {"ERROR": JSON_LINES // 100, "INFO": JSON_LINES - JSON_LINES // 100}
    assert {line.trace_id for line in lines if line.message == "request 77"} == {f"{77:032x}"}


@ours
def test_what_promtail_makes_a_label_can_be_asked_for(url: str, began: float) -> None:
    with Loki(url) as loki:
        lines = list(loki.lines('{job="gateway", level="ERROR"}', began - 1, time.time() + 1))
    assert len(lines) == JSON_LINES // 100


@ours
def test_of_too_many_lines_what_matters_comes_first(
    url: str, began: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacemark.telemetry.loki.MOST_LINES", 1000)
    read: list[LogLine] = []
    samples = {f"{77:032x}": (began - 1, time.time())}
    with Loki(url) as loki, pytest.raises(NotAllError, match="worse all, the others up to") as told:
        read.extend(loki.lines(GATEWAY, began - 1, time.time() + 1, samples))
    assert told.value.message.endswith(f"and {JSON_LINES + OTHERS - 1000:,} were not")
    errors = JSON_LINES // 100
    assert [line.message for line in read[:2]] == ["request 77", "request 0"]
    assert {line.level for line in read[1 : errors + 1]} == {"ERROR"}
    assert len({line.message for line in read}) == 1000


@ours
def test_a_query_that_is_none_is_refused_in_lokis_own_words(url: str, began: float) -> None:
    with Loki(url) as loki, pytest.raises(LokiError, match="HTTP 400: parse error"):
        list(loki.lines("{job=", began, began + 1))


def test_every_line_of_a_range_comes_page_by_page(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It must have lines of the last ten minutes."""
    monkeypatch.setattr("pacemark.telemetry.loki.PAGE", 300)
    end = int(time.time()) + (-5 if "LOKI_URL" in os.environ else 2)
    with Loki(url, os.environ.get("LOKI_TOKEN", "")) as loki:
        labels = loki.labels(end - 600)
        streams = f'{{{labels[0]}=~".+"}}'
        lines = list(loki.lines(streams, end - 600, end))
    assert len(lines) > 3
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert len(lines) == counted(url, streams, end)
