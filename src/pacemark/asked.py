"""What a run was asked to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from pacemark.gateway.connection import DIRECT, Connection
from pacemark.gateway.fixtures import Listed
from pacemark.gateway.identities import Identities
from pacemark.gateway.sign_in import Administrator
from pacemark.gateway.token import Credentials
from pacemark.jmeter.engine import default_heap_mb
from pacemark.jmeter.workers.address import Address
from pacemark.jmx.live import HOST
from pacemark.results.record import Window
from pacemark.telemetry.logs import LokiAsked
from pacemark.workloads.load import Load
from pacemark.workloads.model import Workload
from pacemark.workloads.objective import Objective


class Local(Protocol):
    """A gateway that Pacemark itself started, as far as a run needs to know it."""

    @property
    def failure(self) -> str: ...


class Apm(StrEnum):
    """An APM that tells the requests of a test from others by what they carry."""

    DYNATRACE = "dynatrace"
    NEWRELIC = "newrelic"
    APPDYNAMICS = "appdynamics"
    OTEL = "otel"


@dataclass(frozen=True)
class Asked:
    """What the user wants to be run, against what."""

    workload: Workload
    scale: str
    load: Load
    warm_up_s: int
    objectives: tuple[Objective, ...]
    url: str
    credentials: Credentials | None
    out: Path
    local: Local | None = None
    pids: Mapping[str, int] = field(default_factory=dict)
    """The processes behind the gateway, by service, where Pacemark started them: for this run or before."""
    heap_mb: int = field(default_factory=default_heap_mb)
    properties: Mapping[str, str] = field(default_factory=dict)
    """Properties of the plan that are only this workload's, such as a test server's URL."""
    admin_url: str = ""
    administrator: Administrator | None = None
    """Where the Admin UI is and who signs in, for a workload whose users do."""
    server_urls: Mapping[str, str] = field(default_factory=dict)
    """The MCP test servers' own URLs, by name."""
    rpc_endpoint: str = "/rpc"
    listed_tools: Listed = field(default_factory=dict)
    connection: Connection = DIRECT
    identities: Identities | None = None
    """One token a thread, instead of the one in ``credentials``."""
    gateway_urls: tuple[str, ...] = ()
    """The own URL of each gateway process behind ``url``, where Pacemark knows it."""
    prometheus_url: str = ""
    """Where the telemetry comes from; empty: there is none."""
    prometheus_token: str = field(default="", repr=False)
    log_files: Mapping[str, Path] = field(default_factory=dict)
    """The logs of the stack, by service, where Pacemark started it on this machine."""
    loki: LokiAsked | None = None
    """The Loki that has the logs; goes before the files."""
    grafana_url: str = ""
    """The Grafana that is told of start, stages, end and verdict; empty: none is."""
    grafana_token: str = field(default="", repr=False)
    trace_url: str = ""
    """Where a tracing system shows a trace, with ``{trace_id}`` for its id."""
    traces: bool = True
    """Whether requests carry one."""
    apm: Apm | None = None
    """Whose tags the requests carry."""
    live_port: int | None = None
    """Of the endpoint with JMeter's live figures; None: there is none."""
    live_host: str = HOST
    """This machine's address on which that endpoint listens."""
    workers: tuple[Address, ...] = ()
    """The machines that make the load; none: this one does."""

    @property
    def window(self) -> Window:
        """The planned window, after warm-up."""
        return Window(from_s=self.warm_up_s, to_s=self.load.duration_s)

    @property
    def gateway_kind(self) -> str:
        """What of the gateway must be equal for runs to compare: the stack that Pacemark started, by how much
        it is made of, or where another's gateway is, since nothing else tells one from another."""
        if self.local is not None:
            return "embedded"
        if not self.gateway_urls:
            where = urlsplit(self.url)
            port = where.port or (443 if where.scheme == "https" else 80)
            return f"{where.hostname}:{port}"
        gateways = len(self.gateway_urls)
        return f"full stack, {gateways} gateways" if "postgres" in self.pids or gateways > 1 else "stack"
