"""What this machine must have for a load: file descriptors, ports, room on disk. Nothing is sent."""

import contextlib
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from pacemark.results.record import Finding

_FILES_BESIDES = 512
"""Descriptors that JMeter needs besides its connections: some 150 jars, logs, the JVM's own."""
_BYTES_A_SAMPLE = 200
_BYTES_BESIDES = 100_000_000
"""Room for logs, the digest, the report and JMeter's dashboard."""


def machine_findings(*, threads: int, seconds: float, rate_per_s: float, out_dir: Path) -> list[Finding]:
    """Whether ``threads`` connections fit, and the samples of ``seconds`` at ``rate_per_s`` too."""
    return [_files(threads), _ports(threads), _disk(int(seconds * rate_per_s), out_dir)]


def _files(threads: int) -> Finding:
    """The hard limit counts: the JVM raises its own soft limit up to it."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = threads + _FILES_BESIDES
    if limit != resource.RLIM_INFINITY and limit < needed:
        return Finding(
            name="file descriptors",
            level="error",
            detail=f"{limit} allowed, {needed} needed for {threads} threads",
            remedy=f"raise the hard limit (`ulimit -Hn {needed}`), or use fewer threads",
        )
    allowed = "unlimited" if limit == resource.RLIM_INFINITY else f"{limit} allowed"
    return Finding(name="file descriptors", level="ok", detail=f"{allowed}, {needed} needed")


def _ports(threads: int) -> Finding:
    ports = _outgoing_ports()
    if ports is None:
        return Finding(
            name="outgoing ports",
            level="warning",
            detail="the range of ports for outgoing connections is not known on this system",
        )
    if ports < 2 * threads:
        return Finding(
            name="outgoing ports",
            level="error",
            detail=f"{ports} for outgoing connections, too few for {threads} threads that may reconnect",
            remedy="widen net.ipv4.ip_local_port_range (macOS: net.inet.ip.portrange), or use fewer threads",
        )
    return Finding(name="outgoing ports", level="ok", detail=f"{ports} ports for {threads} connections")


def _outgoing_ports() -> int | None:
    """How many ports the system gives to outgoing connections; None when it does not say."""
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        if sys.platform == "linux":
            text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
        else:
            names = ["net.inet.ip.portrange.first", "net.inet.ip.portrange.last"]
            text = subprocess.run(
                ["sysctl", "-n", *names], capture_output=True, text=True, timeout=5, check=True
            ).stdout
        first, last = map(int, text.split())
        return last - first + 1
    return None


def _disk(samples: int, out_dir: Path) -> Finding:
    place = next(path for path in (out_dir.absolute(), *out_dir.absolute().parents) if path.is_dir())
    needed = samples * _BYTES_A_SAMPLE + _BYTES_BESIDES
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free in {place}, {needed / 1e9:.1f} GB needed for {samples:,} samples"
    if free < needed:
        return Finding(name="disk", level="error", detail=detail, remedy="make room, or name another --out")
    return Finding(name="disk", level="ok", detail=detail)
