"""The installed engine does its work: it starts, runs Groovy and the plugins, and makes its dashboard."""

import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pacemark.jmeter.engine import Engine

pytestmark = [pytest.mark.jmeter, pytest.mark.patient]

PLAN = Path(__file__).with_name("every_plugin.jmx")
AS_JMETER = """
import sys
from pathlib import Path
from pacemark.jmeter.engine import Engine, run_as_jmeter
from pacemark.jmeter.java import Java
run_as_jmeter(Engine(Path(sys.argv[1]), "5.6.3", Java(Path(sys.argv[2]), "", "")), sys.argv[3:])
"""


def _as_jmeter(engine: Engine, *args: str) -> list[str]:
    return [sys.executable, "-c", AS_JMETER, str(engine.home), str(engine.java.path), *args]


@pytest.fixture(scope="module")
def run_dir(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two seconds, its directory's name as awkward as a name can be."""
    work = tmp_path_factory.mktemp("a run 10:00")
    args = ["-n", "-t", str(PLAN), "-l", "samples.jtl", "-j", "jmeter.log", "-e", "-o", "report"]
    args += ["-Jprometheus.port=0", "-Jjmeterengine.nongui.port=0"]
    command = engine.command(args, heap_mb=512, work_dir=work, gc_log=work / "gc.log")
    subprocess.run(command, cwd=work, check=True, capture_output=True, timeout=120)
    return work


def test_the_groovy_sampler_ran_and_its_answer_was_checked(run_dir: Path) -> None:
    with (run_dir / "samples.jtl").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {(row["label"], row["success"]) for row in rows} == {("groovy", "true")}


def test_the_log_has_no_error(run_dir: Path) -> None:
    log = (run_dir / "jmeter.log").read_text(encoding="utf-8")
    assert "Version 5.6.3" in log
    assert [line for line in log.splitlines() if " ERROR " in line] == []


def test_the_dashboard_is_made(run_dir: Path) -> None:
    statistics = json.loads((run_dir / "report/statistics.json").read_text(encoding="utf-8"))
    assert statistics["groovy"]["errorCount"] == 0
    assert (run_dir / "report/index.html").stat().st_size > 5_000


def test_the_gc_log_tells_the_pauses(run_dir: Path) -> None:
    lines = (run_dir / "gc.log").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.search(r"\]\[gc *\] GC\(\d+\) Pause .* \d+\.\d+ms$", line)]


def test_jmeter_is_run_as_its_script_would(engine: Engine, tmp_path: Path) -> None:
    command = _as_jmeter(engine, "--version")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0
    assert "5.6.3" in run.stdout


def test_its_exit_status_and_directory_are_jmeters(engine: Engine, tmp_path: Path) -> None:
    command = _as_jmeter(engine, "-n", "-t", "nowhere.jmx")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "nowhere.jmx" in run.stdout
    assert (tmp_path / "jmeter.log").is_file()


def test_a_signal_reaches_the_jvm_itself(engine: Engine, tmp_path: Path) -> None:
    command = _as_jmeter(engine, "-n", "-t", str(PLAN), "-l", "samples.jtl", "-Jprometheus.port=0")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("Starting standalone test"))
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
    assert process.returncode == 128 + signal.SIGTERM, "the status of a JVM that was told to end"
