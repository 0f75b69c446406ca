"""A JMeter that can be started, and the command line that starts it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn, cast, get_args

import psutil

from pacemark.errors import InputError, SetupError
from pacemark.jmeter.java import Java, find_java
from pacemark.jmeter.lock import read_lock
from pacemark.jmeter.process import SECRETS, bound_to_parent, java_properties
from pacemark.jmeter.tree import home_of, is_whole

Asked = Literal["pinned", "home", "path"]

PLUGINS = {
    "jpgc-casutg": "com/blazemeter/jmeter/threads/concurrency/ConcurrencyThreadGroup.class",
    "jpgc-tst": "kg/apc/jmeter/timers/VariableThroughputTimer.class",
    "jpgc-graphs-basic": "kg/apc/jmeter/vizualizers/TransactionsPerSecondGui.class",
    "net.luminis WebSocket samplers": "eu/luminis/jmeter/wssampler/RequestResponseWebSocketSampler.class",
    "Prometheus listener": "com/github/johrstrom/listener/PrometheusListener.class",
}
"""The plugins that the workloads use, each by a class that only it holds."""

# What JMeter 5.6.3's own start script opens.
_OPENED = (
    "java.desktop/sun.awt",
    "java.desktop/sun.swing",
    "java.desktop/javax.swing.text.html",
    "java.desktop/java.awt",
    "java.desktop/java.awt.font",
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/java.text",
    "java.desktop/sun.awt.shell",
)
_MAC = (
    "-Xdock:name=JMeter",
    "-Dapple.laf.useScreenMenuBar=true",
    "-Dapple.eawt.quitStrategy=CLOSE_ALL_WINDOWS",
)


_INSTEAD = "use the pinned engine (unset PACEMARK_JMETER; no 'engine' in pacemark.toml)"


@dataclass(frozen=True)
class Engine:
    """A JMeter directory, its version, and the Java that runs it."""

    home: Path
    version: str
    java: Java

    def command(
        self,
        args: Sequence[str],
        *,
        heap_mb: int,
        work_dir: Path | None = None,
        gc_log: Path | None = None,
    ) -> list[str]:
        """The command line that runs JMeter with ``args``.

        ``work_dir``, when given, takes what the JVM would leave elsewhere: its preferences and the file it
        writes when it crashes. No heap dump is ever written: the token would be in it. ``gc_log`` gets one
        line an event, ``[UTC time][uptime][tag] text``: tagged ``gc``, those with ``Pause`` end in its
        milliseconds; tagged ``safepoint``, every time that the JVM stood still for any reason.
        """
        return [
            str(self.java.path),
            *_opens(),
            f"-Xms{heap_mb}m",
            f"-Xmx{heap_mb}m",
            "-Xss512k",
            "-XX:MaxMetaspaceSize=256m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=100",
            "-XX:G1ReservePercent=20",
            "-XX:-HeapDumpOnOutOfMemoryError",
            "-Djava.security.egd=file:/dev/urandom",
            "-Duser.language=en",
            "-Duser.region=US",
            *(_MAC if sys.platform == "darwin" else ()),
            *(_kept_in(work_dir) if work_dir else ()),
            *(_gc_log(gc_log) if gc_log else ()),
            "-jar",
            str(self.home / "bin" / "ApacheJMeter.jar"),
            *args,
        ]


def _opens() -> list[str]:
    packages = [*_OPENED, *(["java.desktop/sun.awt.X11"] if sys.platform == "linux" else [])]
    return [f"--add-opens={package}=ALL-UNNAMED" for package in packages]


def _kept_in(work_dir: Path) -> list[str]:
    return [f"-Djava.util.prefs.userRoot={work_dir}", f"-XX:ErrorFile={work_dir}/hs_err_pid%p.log"]


def _gc_log(path: Path) -> list[str]:
    # Quoted, or a colon in the path would end it; one file, for whoever reads it wants all of it.
    return [f'-Xlog:gc,safepoint:file="{path}":utctime,uptime,tags:filecount=0']


def default_heap_mb() -> int:
    """A quarter of the memory that this process may use, at least 512 and at most 4096 MB."""
    return max(512, min(4096, _memory_bytes() // 4 >> 20))


def _memory_bytes() -> int:
    limits = [psutil.virtual_memory().total]
    # A container's limit, cgroup 2 and 1; the latter says "none" by a number near 2^63.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = Path("/sys/fs/cgroup", name)
        if limit.is_file() and (text := limit.read_text(encoding="ascii").strip()).isdecimal():
            limits.append(int(text))
    return min(limits)


def asked_engine(setting: Asked = "pinned", environ: Mapping[str, str] | None = None) -> Asked:
    """The engine that the user wants: ``PACEMARK_JMETER`` (``pinned``, ``home``, ``path``), else ``setting``.

    Raises:
        InputError: the variable says something else.
    """
    said = (os.environ if environ is None else environ).get("PACEMARK_JMETER", "")
    if not said:
        return setting
    if said not in get_args(Asked):
        raise InputError(f"PACEMARK_JMETER={said} names no engine", "use pinned, home or path")
    return cast(Asked, said)


def find_engine(
    asked: Asked = "pinned",
    *,
    plugins: Collection[str] = tuple(PLUGINS),
    environ: Mapping[str, str] | None = None,
) -> Engine | None:
    """The engine that was asked for; None when the pinned one is not installed, or not whole.

    Raises:
        SetupError: there is no Java for it, or the JMeter asked for by ``JMETER_HOME`` or on PATH is not
            there, not a 5.6, or lacks one of ``plugins`` (names in ``PLUGINS``).
    """
    environ = os.environ if environ is None else environ
    if asked == "pinned":
        lock = read_lock()
        home = home_of(lock)
        return Engine(home, lock.jmeter, find_java(environ)) if is_whole(home, lock) else None
    home = _home_asked(environ) if asked == "home" else _home_on_path(environ)
    version = version_of(home)
    if re.fullmatch(r"5\.6(\.\d+)?", version) is None:
        raise SetupError(f"{home} is JMeter {version}, not a 5.6", _INSTEAD)
    if missing := missing_plugins(home, plugins):
        raise SetupError(
            f"the JMeter at {home} lacks {', '.join(missing)}", f"install them there, or {_INSTEAD}"
        )
    return Engine(home, version, find_java(environ))


def _home_asked(environ: Mapping[str, str]) -> Path:
    if not (home := environ.get("JMETER_HOME")):
        raise SetupError("JMETER_HOME is to name the JMeter, but is not set", f"set it, or {_INSTEAD}")
    return _checked_home(Path(home).expanduser().absolute(), "JMETER_HOME")


def _home_on_path(environ: Mapping[str, str]) -> Path:
    found = shutil.which("jmeter", path=environ.get("PATH", ""))
    if found is None:
        raise SetupError("there is no jmeter on PATH", f"add its bin directory, or {_INSTEAD}")
    return _checked_home(Path(found).resolve().parent.parent, f"{found} on PATH")


def _checked_home(home: Path, origin: str) -> Path:
    if not (home / "bin" / "ApacheJMeter.jar").is_file():
        raise SetupError(
            f"{origin} leads to {home}, which holds no bin/ApacheJMeter.jar",
            f"set JMETER_HOME to JMeter's directory and PACEMARK_JMETER=home, or {_INSTEAD}",
        )
    return home


def version_of(home: Path) -> str:
    """JMeter's version, from the manifest of its core.

    Raises:
        SetupError: there is no readable ``ApacheJMeter_core`` jar in ``lib/ext``.
    """
    for jar in sorted((home / "lib" / "ext").glob("ApacheJMeter_core*.jar")):
        try:
            with zipfile.ZipFile(jar) as archive:
                manifest = archive.read("META-INF/MANIFEST.MF").decode()
        except (zipfile.BadZipFile, KeyError) as error:
            raise SetupError(f"cannot read {jar}: {error}", "install that JMeter again") from error
        if match := re.search(r"^Implementation-Version: *(\S+)", manifest, re.MULTILINE):
            return match[1]
    raise SetupError(f"{home} has no ApacheJMeter_core in lib/ext", "name a whole JMeter")


def missing_plugins(home: Path, plugins: Collection[str]) -> list[str]:
    """Those of ``plugins`` whose class is in no jar of ``lib/ext``."""
    classes: set[str] = set()
    for jar in (home / "lib" / "ext").glob("*.jar"):
        if zipfile.is_zipfile(jar):
            with zipfile.ZipFile(jar) as archive:
                classes.update(archive.namelist())
    return [name for name in plugins if PLUGINS[name] not in classes]


def run_as_jmeter(engine: Engine, args: Sequence[str]) -> NoReturn:
    """Become JMeter, as its ``jmeter`` script does: same terminal, directory, signals and exit status.

    The script's own variables hold: ``HEAP``, ``JVM_ARGS`` and ``JMETER_OPTS``.
    """
    java, *command = _as_script(engine, args)
    # Python ignores this one, and an ignored signal stays ignored.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(java, [java, *command], os.environ)  # noqa: S606


def open_jmeter(
    engine: Engine, args: Sequence[str], *, properties: Mapping[str, str], system: Mapping[str, str]
) -> int:
    """JMeter as its script starts it, waited for: its exit status, negative for the signal that ended it.

    ``properties`` and ``system``, its Java's own, reach it through pipes, so that a secret among them is in
    no process list. It ends when this process does.
    """
    readers = [_filled_pipe(values) for values in (properties, system)]
    given = [
        item
        for flag, reader in zip(("-q", "-S"), readers, strict=True)
        for item in (flag, f"/dev/fd/{reader}")
    ]
    command = bound_to_parent([*_as_script(engine, args), *given])
    environ = {name: value for name, value in os.environ.items() if name not in SECRETS}
    try:
        # A guard watches this end's input; it closes when this process ends.
        popen = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, pass_fds=readers)
    finally:
        for reader in readers:
            os.close(reader)
    with popen:
        return popen.wait()


def _as_script(engine: Engine, args: Sequence[str]) -> list[str]:
    command = engine.command(args, heap_mb=default_heap_mb())
    jar = command.index("-jar")
    said = " ".join(os.environ.get(name, "") for name in ("HEAP", "JVM_ARGS", "JMETER_OPTS"))
    return [*command[:jar], *shlex.split(said), *command[jar:]]


def _filled_pipe(values: Mapping[str, str]) -> int:
    reader, writer = os.pipe()
    os.write(writer, java_properties(values))
    os.close(writer)
    return reader
