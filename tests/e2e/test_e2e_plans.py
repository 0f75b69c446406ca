"""The committed plans as a QA engineer has them: plain ``jmeter -n`` from anywhere, and JMeter's window."""

import contextlib
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from e2e_command import PLANS, Pacemark, write_rows
from waiting import until

from pacemark.gateway.stack import Stack
from pacemark.jmeter.health import slots_taken
from pacemark.workloads import WORKLOADS, workload

pytestmark = pytest.mark.jmeter

NAMES = ("rest_api_baseline", "mcp_jsonrpc_baseline")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Pacemark:
    return Pacemark(tmp_path_factory.mktemp("elsewhere"))


@pytest.mark.gateway
@pytest.mark.parametrize("name", NAMES)
def test_a_plain_jmeter_runs_it(embedded_stack: Stack, elsewhere: Pacemark, name: str) -> None:
    samples = elsewhere.plain_jmeter(
        name, f"{name}.jtl", embedded_stack, THREADS=8, RAMP_UP=1, DURATION=5, TARGET_RPS=10
    )
    assert {row["success"] for row in samples} == {"true"}
    counted = Counter(row["label"] for row in samples)
    for request in workload(name).requests:
        assert abs(counted[request.label] - len(samples) * request.weight / 100) < 2
    stages = slots_taken(elsewhere.folder / "jmeter.log")
    assert [slots for slots, _ in stages] == [5, 40]
    assert sum(taken for _, taken in stages) == len(samples)
    judged = elsewhere("stats", f"{name}.jtl", "--objectives", name)
    assert judged.status == 0
    assert "errors" not in " ".join(judged.errors)


@pytest.mark.gateway
def test_it_runs_with_the_properties_of_a_scale(embedded_stack: Stack, elsewhere: Pacemark) -> None:
    ci = ("-q", PLANS / "properties" / "ci.properties")
    samples = elsewhere.plain_jmeter(
        "rest_api_baseline", "ci.jtl", embedded_stack, *ci, RAMP_UP=2, DURATION=4
    )
    # 15 requests a second and ten threads, as the file says, over the seconds that the command line says.
    stages = slots_taken(elsewhere.folder / "jmeter.log")
    assert [slots for slots, _ in stages] == [15, 30]
    assert sum(taken for _, taken in stages) == len(samples)
    assert {row["allThreads"] for row in samples} >= {"10"}
    assert {row["success"] for row in samples} == {"true"}
    assert list(samples[0])[-3:] == ["late_ms", "trace_id", "waited"]
    stats = elsewhere("stats", "ci.jtl", "--json").json
    assert stats["total"]["response"]["count"] == len(samples)


@pytest.mark.gateway
def test_a_wrong_token_fails_every_sample_and_the_objectives(
    embedded_stack: Stack, elsewhere: Pacemark
) -> None:
    """JMeter itself exits with 0."""
    name = "mcp_jsonrpc_baseline"
    load = {"TOKEN": "wrong", "THREADS": 2, "RAMP_UP": 0, "DURATION": 2, "TARGET_RPS": 10}
    elsewhere.plain_jmeter(name, "wrong.jtl", embedded_stack, **load)
    judged = elsewhere("stats", "wrong.jtl", "--objectives", name)
    assert judged.status == 1
    assert any("errors 100 %, limit < 0.1 % (all samples)" in line for line in judged.errors)
    total = elsewhere("stats", "wrong.jtl", "--json").json["total"]
    assert total["outcomes"] == {"HTTP 401": total["count"]}


def test_objectives_on_nothing_are_no_pass(elsewhere: Pacemark) -> None:
    row = {"timeStamp": "1769767200000", "elapsed": "12", "label": "GET /tools", "success": "true"}
    write_rows(elsewhere.folder / "gap.jtl", [row, {**row, "timeStamp": "1769767260000"}])
    ask = ("stats", "gap.jtl", "--objectives", "rest_api_baseline")
    assert elsewhere(*ask).status == 0
    ended = elsewhere(*ask, "--from", "10", "--to", "20")
    assert ended.status == 3
    assert ["not judged" in line for line in ended.errors] == [True] * 3


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """A display of its own on a virtual framebuffer; its name."""
    reader, writer = os.pipe()
    command = ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(writer,), stderr=subprocess.DEVNULL)
    os.close(writer)
    try:
        with os.fdopen(reader) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


def windows(display: str) -> str:
    """All windows; it is asked again where one went while they were listed, which is an error to xwininfo."""
    command = ["xwininfo", "-root", "-tree", "-display", display]
    for _ in range(4):
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        if shown.returncode == 0:
            return shown.stdout
        time.sleep(0.2)
    raise AssertionError(shown.stderr)


def press(display: str, *keys: str) -> None:
    subprocess.run(["xdotool", *keys], env={**os.environ, "DISPLAY": display}, check=True)


def title(name: str) -> re.Pattern[str]:
    return re.compile(rf'"{name}\.jmx \(.*\) - Apache JMeter \(5\.6\.3\)".*\+(\d+)\+(\d+)\n')


def open_plan(display: str, path: Path) -> None:
    """By the Open dialog of a JMeter that shows another plan."""
    press(display, "key", "ctrl+o")
    assert until(lambda: '"Open": (' in windows(display), 20), windows(display)
    press(display, "sleep", "0.5", "type", "--delay", "5", str(path))
    press(display, "key", "Return")
    # It takes a plan that was only looked at for changed, and asks; alt+n is "No".
    assert until(lambda: bool(title(path.stem).search(windows(display))) or not _answer(display), 20)


def _answer(display: str) -> bool:
    press(display, "sleep", "0.5", "key", "alt+n")
    return True


def walk(display: str, name: str, elements: int) -> None:
    """Open everything below the root of the tree, and go down to its last element: the View Results Tree."""
    found = title(name).search(windows(display))
    assert found
    left, top = map(int, found.groups())
    root = (str(left + 100), str(top + 65))
    press(display, "mousemove", *root, "click", "1", "sleep", "0.5", "key", "ctrl+shift+minus")
    if folder := os.environ.get("PACEMARK_PICTURES"):
        picture = ["import", "-display", display, "-window", "root", f"{folder}/{name}.png"]
        subprocess.run(["sleep", "1"], check=True)
        subprocess.run(picture, check=True)
    press(display, "key", "--delay", "40", *["Down"] * elements)


@pytest.mark.display
@pytest.mark.patient
def test_each_plan_opens_in_the_window_of_jmeter_and_so_does_each_element(tmp_path: Path) -> None:
    """With PACEMARK_PICTURES=FOLDER it leaves a picture of each plan there, to look at."""
    first, *others = sorted(WORKLOADS)
    log, splash = tmp_path / "jmeter.log", "541x201"
    with screen() as display, Pacemark(
        tmp_path, DISPLAY=display, MCPGATEWAY_BEARER_TOKEN="a-token-of-no-meaning"
    ).started("gui", first, "--gateway", "http://127.0.0.1:4444") as running:  # fmt: skip
        assert until(lambda: bool(title(first).search(windows(display))), 60), windows(display)
        assert until(lambda: splash not in windows(display), 30), windows(display)
        assert "a-token-of-no-meaning" not in " ".join(psutil.Process(running.popen.pid).cmdline())
        for name in (first, *others):
            if name != first:
                open_plan(display, PLANS / f"{name}.jmx")
            walk(display, name, len(list(ElementTree.parse(PLANS / f"{name}.jmx").iter("hashTree"))) - 1)
        assert until(lambda: "org.apache.jmeter.visualizers.RequestView" in log.read_text(), 20)
        assert running.popen.poll() is None
    assert re.findall(r".* (?:ERROR|FATAL) .*", log.read_text(encoding="utf-8")) == []
    assert "Exception" not in running.stdout + running.stderr
