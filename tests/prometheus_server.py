"""A real Prometheus on loopback, and an exporter whose figures a test sets."""

import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
from prometheus_client import CollectorRegistry, Gauge, Histogram, start_http_server

from pacemark.gateway.spec import free_ports

_CONFIG = """
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: prometheus
    static_configs: [{{ targets: ['127.0.0.1:{own}'] }}]
  - job_name: exporter
    static_configs: [{{ targets: ['127.0.0.1:{exporter}'] }}]
  - job_name: of_others
    scrape_interval: 2s
    static_configs: [{{ targets: ['127.0.0.1:{own}'] }}]
"""


class PrometheusServer:
    """Scrapes itself and the exporter every second; may be killed and started again on the same data.

    A third job has nothing that a run asks for, and takes longer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        port, self._exporter_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self._config = folder / "prometheus.yml"
        self._config.write_text(_CONFIG.format(own=port, exporter=self._exporter_port), encoding="utf-8")
        self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def set(self, name: str, value: float, **labels: str) -> None:
        """What the exporter says from now on."""
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, name, list(labels), registry=self._registry)
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def observe(self, name: str, value: float, times: int = 1) -> None:
        """So often more in the exporter's histogram of that name; of none the histogram is empty."""
        if name not in self._histograms:
            self._histograms[name] = Histogram(name, name, registry=self._registry)
        for _ in range(times):
            self._histograms[name].observe(value)

    def start(self) -> None:
        """Start it, and wait until it has scraped the exporter."""
        command = [shutil.which("prometheus"), f"--config.file={self._config}"]
        command += [f"--storage.tsdb.path={self._folder / 'data'}"]
        command += [f"--web.listen-address={self.url.removeprefix('http://')}"]
        with (self._folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._has_scraped():
            assert self._process.poll() is None, (self._folder / "prometheus.log").read_text("utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.1)

    @property
    def exporter(self) -> str:
        """The exporter's label ``instance``."""
        return f"127.0.0.1:{self._exporter_port}"

    def kill(self) -> None:
        """As an out-of-memory killer would."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def start_exporter(self) -> None:
        """It answers."""
        self._exporter, _ = start_http_server(self._exporter_port, "127.0.0.1", self._registry)

    def stop_exporter(self) -> None:
        """It does not answer any more."""
        self._exporter.shutdown()
        self._exporter.server_close()

    def __enter__(self) -> Self:
        self.start_exporter()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.stop_exporter()

    def _has_scraped(self) -> bool:
        # After a restart the values of before are there at once.
        fresh = {"query": "up == 1 and time() - timestamp(up) < 3"}
        try:
            answer = httpx.get(f"{self.url}/api/v1/query", params=fresh)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and len(answer.json()["data"]["result"]) == 3
