"""What several rooms' tests share: the real engine, one real gateway a session, and a fast false one."""

import os
import shutil
import signal
from collections.abc import Iterator

import pytest
from fake_gateway import FakeGateway

from pacemark.gateway.stack import Stack
from pacemark.jmeter.engine import Engine, find_engine
from pacemark.jmeter.install import install

PROGRAMS = {
    "browser": ({"chromium": ("chromium", "google-chrome", "chrome"), "chromedriver": ("chromedriver",)},
                "chromium chromium-driver"),
    "display": ({name: (name,) for name in ("Xvfb", "xwininfo", "xdotool")}, "xvfb x11-utils xdotool"),
    "nginx": ({"nginx": ("nginx", "/usr/sbin/nginx")}, "nginx-light"),
    "full": (
        {
            "postgres": tuple(f"/usr/lib/postgresql/{version}/bin/postgres" for version in range(13, 20)),
            **{
                name: (name, f"/usr/sbin/{name}")
                for name in (
                    *("pgbouncer", "redis-server", "nginx", "prometheus"),
                    *("prometheus-postgres-exporter", "prometheus-redis-exporter"),
                    *("prometheus-nginx-exporter", "prometheus-process-exporter"),
                )
            },
        },
        "postgresql pgbouncer redis-server nginx-light prometheus prometheus-postgres-exporter "
        "prometheus-redis-exporter prometheus-nginx-exporter prometheus-process-exporter",
    ),
    "prometheus": ({name: (name,) for name in ("prometheus", "promtool")}, "prometheus"),
}  # fmt: skip
"""By mark: programs that its tests need, each by the names it goes by, and the apt packages with them."""

LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_configure() -> None:
    """Ctrl-C is tested also where a shell has put the tests into the background, with it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this machine has no program for, and say so at the end; in CI that is an error."""
    lines = config.stash[LEFT_OUT] = []
    for mark, (programs, packages) in PROGRAMS.items():
        missing = [name for name, names in programs.items() if not any(map(shutil.which, names))]
        concerned = [item for item in items if item.get_closest_marker(mark)] if missing else []
        if not concerned:
            continue
        line = (
            f"left out {len(concerned)} tests marked '{mark}': no {', '.join(missing)} on PATH "
            f"(apt install {packages})"
        )
        if os.environ.get("CI") == "true":
            raise pytest.UsageError(line)
        lines.append(line)
        items[:] = [item for item in items if item not in concerned]
        config.hook.pytest_deselected(items=concerned)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The pinned JMeter: from the user's cache when it is whole, else installed into it."""
    return find_engine() or install()


@pytest.fixture(scope="session")
def embedded_stack() -> Iterator[Stack]:
    """The real gateway with its test servers, as ``pacemark run --embedded`` has it."""
    with Stack.up() as stack:
        yield stack


@pytest.fixture
def fake_gateway() -> Iterator[FakeGateway]:
    """A server that answers as the gateway does, and misbehaves when told to."""
    with FakeGateway() as gateway:
        yield gateway
