"""What the benchmarks put under load: nginx on loopback, answering as the gateway does, only fast."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Self

from pacemark.errors import SetupError
from pacemark.jmeter.process import bound_to_parent

ROWS = '[{"id":"0a1b2c3d4e5f","name":"row-1"},{"id":"1a1b2c3d4e5f","name":"row-2"}]'
_RESULTS = {
    "tools/call": '{"content":[{"type":"text","text":"here"}],"isError":false}',
    "resources/read": '{"contents":[{"uri":"time://row/1","text":"here"}]}',
    "initialize": '{"protocolVersion":"2025-06-18","serverInfo":{"name":"nginx","version":"1"}}',
    "ping": "{}",
    "tools/list": f'{{"tools":{ROWS}}}',
    "resources/list": '{"resources":[{"uri":"time://row/1","name":"row-1"},{"uri":"time://row/2"}]}',
    "prompts/list": f'{{"prompts":{ROWS}}}',
}

# nginx knows the body of a request only where it passes it on, and has to know it to echo its id: so it
# passes /rpc on to itself, the body in a header. A line in the log is a connection's first request.
_CONFIG = """
daemon off;
master_process off;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  {temp_paths}
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  log_format connection $connection;
  map $connection_requests $is_first {{ 1 1; default 0; }}
  map $http_x_body $id {{ '~"id":(?<found>"[^"]+"|[0-9]+)' $found; }}
  map $http_x_body $method {{ '~"method":"(?<called>[^"]+)"' $called; }}
  map $method $result {{
    {results}
  }}
  {zone}
  upstream answers {{ server 127.0.0.1:{inner}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    access_log {folder}/connections.log connection if=$is_first;
    {rest}
    location = /metrics/prometheus {{ return 404; }}
    location = /status {{ stub_status; access_log off; }}
    location = /rpc {{
      {limit}
      proxy_pass http://answers;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Body $request_body;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_method GET;
    }}
  }}
  server {{
    listen 127.0.0.1:{inner} backlog=1024;
    access_log off;
    location / {{ return 200 '{{"jsonrpc":"2.0","id":$id,"result":$result}}'; }}
  }}
}}
"""
_QUEUE = 1_000_000
"""Requests that may wait: as many as come."""
_REST = """location / {{ return 200 '{rows}'; }}
    location = /health {{ return 200 '{{"status":"healthy"}}'; }}"""
# "return" answers before any limit is looked at; a file does not.
_LIMITED_REST = """root {folder};
    location / {{ {limit} try_files /rows.json =500; }}
    location = /health {{ {limit} try_files /health.json =500; }}"""


class Loopback:
    """nginx as a child process, in a directory of its own, ended with the ``with`` block.

    With ``limit_per_s`` it answers so many requests a second, one after another: what comes faster waits in
    a queue, as at a gateway that has reached its limit.
    """

    def __init__(self, limit_per_s: int | None = None) -> None:
        self._limit_per_s = limit_per_s
        nginx = shutil.which(
            "nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin"
        )
        if nginx is None:
            raise SetupError("the benchmarks need nginx", "install it, then run again")
        self._nginx = nginx
        self._scratch = tempfile.TemporaryDirectory(prefix="pacemark-nginx-")
        self.port = _free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Connections that have sent a request so far."""
        return len(Path(self._scratch.name, "connections.log").read_text(encoding="ascii").splitlines())

    def requests(self) -> int:
        """Requests so far, as nginx itself counts them: this one too, and those to /rpc twice."""
        with urllib.request.urlopen(f"{self.url}/status", timeout=5) as answer:
            return int(answer.read().decode().split("requests")[1].split()[2])

    def __enter__(self) -> Self:
        folder = Path(self._scratch.name)
        config = folder / "nginx.conf"
        config.write_text(_config(folder, self.port, self._limit_per_s), encoding="utf-8")
        (folder / "rows.json").write_text(ROWS, encoding="utf-8")
        (folder / "health.json").write_text('{"status":"healthy"}', encoding="utf-8")
        command = [self._nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)]
        self._process = subprocess.Popen(bound_to_parent(command))
        try:
            self._wait_until_it_listens()
        except SetupError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        self._scratch.cleanup()

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 5
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        said = Path(self._scratch.name, "error.log").read_text(encoding="utf-8")[-300:]
        raise SetupError(f"nginx did not start: {said}", "see its message")


def _config(folder: Path, port: int, limit_per_s: int | None) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    limit = f"limit_req zone=all burst={_QUEUE};" if limit_per_s else ""
    zone = f"limit_req_zone $server_addr zone=all:1m rate={limit_per_s}r/s;" if limit_per_s else ""
    return _CONFIG.format(
        zone=zone,
        limit=limit,
        rest=(_LIMITED_REST if limit_per_s else _REST).format(folder=folder, rows=ROWS, limit=limit),
        folder=folder,
        port=port,
        inner=_free_port(),
        temp_paths=" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
        results=" ".join(f"{method} '{result}';" for method, result in _RESULTS.items()),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
