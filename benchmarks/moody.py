"""A server of ours in a process of its own: it answers as the gateway does, until it is told to misbehave.

Its clock is the load's own: the instant of the first request. So a benchmark knows to the millisecond what
the server does when. As a program it serves until it is ended; as a module it starts itself.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from typing import Self

from loopback import _RESULTS, ROWS, _free_port

from pacemark.jmeter.process import bound_to_parent

PAGE = 65_536


class Moody:
    """The server as a child process, ended with the ``with`` block. Options are those of the program."""

    def __init__(self, **options: float) -> None:
        self.port = _free_port()
        words = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self._command = [sys.executable, __file__, f"--port={self.port}", *words]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(bound_to_parent(self._command))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.05)
        raise SystemExit("the server did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


class Server:
    """What it does at each second since the first request."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.first: float | None = None
        self.kept: list[bytearray] = []

    @property
    def at_s(self) -> float:
        now = time.monotonic()
        if self.first is None:
            self.first = now
        return now - self.first

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                body = await reader.readexactly(_length(head))
                status = await self.act()
                content = _answer(path, body)
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(content)) + content
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def act(self) -> int:
        """Wait, grow, and choose the status."""
        asked, at = self.asked, self.at_s
        since = at - asked.step_s
        self.grow(at)
        if 0 <= since < asked.stall_s:
            await asyncio.sleep(asked.stall_s - since)
        elif -asked.spike_s <= since < asked.slow_s:
            await asyncio.sleep(asked.slow_ms / 1000)
        elif asked.base_ms:
            await asyncio.sleep(asked.base_ms / 1000)
        return 500 if 0 <= since < asked.fail_s else 200

    def grow(self, at: float) -> None:
        """Take what it should have taken by now: the leak, what it settles to, a sawtooth."""
        asked = self.asked
        settles = asked.settle_mb * min(1.0, at / asked.settle_s) if asked.settle_s else 0.0
        tooth = asked.tooth_mb * (at / asked.tooth_s % 1) if asked.tooth_s else 0.0
        due = int((asked.leak_mb_per_s * at + settles + tooth) * 1e6 / PAGE)
        while len(self.kept) < due:
            self.kept.append(bytearray(b"\x01" * PAGE))
        del self.kept[due:]


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def _answer(path: bytes, body: bytes) -> bytes:
    if path == b"/health":
        return b'{"status":"healthy"}'
    if path != b"/rpc":
        return ROWS.encode()
    call = json.loads(body)
    return f'{{"jsonrpc":"2.0","id":"{call["id"]}","result":{_RESULTS[call["method"]]}}}'.encode()


async def _serve(asked: argparse.Namespace) -> None:
    server = Server(asked)
    # Taken at the start, so that a leak is a share of something that does not move.
    ballast = bytearray(b"\x01" * int(asked.base_mb * 1e6))
    listening = await asyncio.start_server(server.client, "127.0.0.1", asked.port, backlog=4096)
    async with listening:
        await listening.serve_forever()
    del ballast


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--base-ms", type=float, default=0, help="what an answer takes")
    parser.add_argument("--step-s", type=float, default=0, help="when the load steps down")
    parser.add_argument("--spike-s", type=float, default=0, help="slow for so long before it")
    parser.add_argument("--slow-s", type=float, default=0, help="slow for so long after it")
    parser.add_argument("--slow-ms", type=float, default=100)
    parser.add_argument("--stall-s", type=float, default=0, help="no answer for so long after it")
    parser.add_argument("--fail-s", type=float, default=0, help="HTTP 500 for so long after it")
    parser.add_argument("--base-mb", type=float, default=0)
    parser.add_argument("--leak-mb-per-s", type=float, default=0)
    parser.add_argument("--settle-mb", type=float, default=0, help="gained within the first settle-s")
    parser.add_argument("--settle-s", type=float, default=0)
    parser.add_argument("--tooth-mb", type=float, default=0, help="a sawtooth, tooth-s long")
    parser.add_argument("--tooth-s", type=float, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
