"""What a run ran on, as a reader is told it."""

import platform
from contextlib import suppress
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
"""Of version 2, as a container sees its own."""


def machine() -> dict[str, str]:
    """Operating system, processor, cores, memory and Python of this machine."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": str(psutil.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "python": platform.python_version(),
    }


def usable_cores(process: psutil.Process | None = None) -> float:
    """Processors that a process (None: this one) may use: its affinity, and the container's quota where there
    is one."""
    asked = process or psutil.Process()
    try:
        allowed = len(asked.cpu_affinity()) if hasattr(asked, "cpu_affinity") else 0
    except psutil.Error:
        allowed = 0
    return min(allowed or psutil.cpu_count() or 1, _cpu_quota())


def _cpu_quota() -> float:
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        return float(quota) / float(period)
    return float("inf")


def usable_memory() -> int:
    """Bytes of memory: the machine's, or what the container may use of it."""
    whole = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):
        return min(whole, int((_CGROUP / "memory.max").read_text(encoding="ascii")))
    return whole


def processor() -> str:
    """The processor's model, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
