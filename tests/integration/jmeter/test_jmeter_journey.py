"""The Admin UI's plan in the real JMeter, against a server that keeps books of its sessions."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from fake_admin_ui import EMAIL, PASSWORD, FakeAdminUi

from pacemark.jmeter.engine import Engine
from pacemark.jmeter.live import Progress
from pacemark.jmeter.run import Execution, execute
from pacemark.jmx.files import JMETER_SETTINGS
from pacemark.jmx.plan import load_properties, render
from pacemark.results.digest import Digest
from pacemark.results.statistics import figures
from pacemark.workloads.admin_ui_baseline import WORKLOAD
from pacemark.workloads.load import Load

pytestmark = pytest.mark.jmeter

USERS = 4
SHORT = Load(threads=USERS, ramp_up_s=1, duration_s=4, think_s=(0.05, 0.15))
HANDLERS = {
    "Admin dashboard": "GET /admin/",
    "Admin tools partial": "GET /admin/tools/partial",
    "Admin search": "GET /admin/search",
    "Admin servers partial": "GET /admin/servers/partial",
    "Admin gateways partial": "GET /admin/gateways/partial",
    "Admin metrics": "GET /admin/metrics",
    "Admin logout": "POST /admin/logout",
}


class Runner:
    """The plan against one server. What is to happen ``meanwhile`` does, in turn, when its time has come."""

    def __init__(self, engine: Engine, directory: Path, ui: FakeAdminUi) -> None:
        self.engine, self.directory, self.ui = engine, directory, ui
        self.meanwhile: list[tuple[Callable[[], bool], Callable[[], None]]] = []

    def run(self) -> Execution:
        plan = self.directory / "plan.jmx"
        plan.write_bytes(render(WORKLOAD))
        properties = {
            **JMETER_SETTINGS,
            **load_properties(SHORT),
            "GATEWAY_URL": self.ui.url,
            "ADMIN_EMAIL": EMAIL,
            "ADMIN_PASSWORD": PASSWORD,
            "APM": "dynatrace",
            "TEST_NAME": "a run",
        }
        return execute(
            self.engine, plan, properties, SHORT, self.directory, heap_mb=512, on_progress=self._look
        )

    def _look(self, _: Progress) -> None:
        while self.meanwhile and self.meanwhile[0][0]():
            self.meanwhile.pop(0)[1]()

    @property
    def digest(self) -> Digest:
        return Digest.from_jtl(self.directory / "samples.jtl")

    def outcomes(self, label: str) -> dict[str, int]:
        return figures(self.digest.only(label)).outcomes


@pytest.fixture
def runner(engine: Engine, tmp_path: Path) -> Iterator[Runner]:
    with FakeAdminUi() as ui:
        yield Runner(engine, tmp_path, ui)


def test_each_user_has_one_session_from_login_to_logout(runner: Runner) -> None:
    """One of them is told that the password is wrong: a failure, and no page comes before another login."""
    runner.ui.refuses, runner.ui.busy = 1, 1
    execution = runner.run()
    ui, digest = runner.ui, runner.digest
    assert (execution.exit_code, execution.stopped) == (0, "")
    assert figures(digest).outcomes == {"ok": digest.count - 1, "check failed: login refused": 1}
    assert set(digest.labels) == set(WORKLOAD.labels)
    assert runner.outcomes("Admin login") == {"ok": USERS, "check failed: login refused": 1}
    assert runner.outcomes("Admin logout") == {"ok": USERS}
    assert len(ui.sessions) == USERS
    assert all(session.signed_out for session in ui.sessions)
    assert (ui.strangers, ui.forged, ui.refused) == ([], [], 1)
    # One refresh a session; that another one was under way is a true answer too.
    refreshes = [sum(n for path, n in one.requests.items() if "refresh" in path) for one in ui.sessions]
    assert refreshes == [1] * USERS
    # Request for request what the server has in its books.
    for label, handler in HANDLERS.items():
        assert digest.only(label).count == ui.asked[handler], label
    # Nobody's connection carried another's cookies.
    addresses = [address for session in ui.sessions for address in session.addresses]
    assert len(addresses) == len(set(addresses)) == USERS
    # Each request that is a sample says of which step of which user it is.
    with (runner.directory / "samples.jtl").open(encoding="utf-8", newline="") as file:
        told = {
            row["trace_id"]: f"VU={row['threadName'].rpartition('-')[2]};SI=Pacemark;TSN={row['label']};"
            "LSN=admin_ui_baseline;LTN=a run"
            for row in csv.DictReader(file)
            if row["trace_id"]
        }
    assert told.items() <= dict(ui.tagged).items()
    assert len(told) > digest.count / 2
    # The rows are chosen at random.
    assert len({path for path in ui.asked if path.startswith("GET /admin/tools/0")}) > 1
    # Think time ends soon after the load, and the logout comes after it.
    assert digest.end_ms - digest.start_ms < (SHORT.duration_s + 5) * 1000
    last = digest.cells.filter(digest.cells["label"].cast(str) == "Admin logout")["slice"].min()
    assert last >= SHORT.duration_s - 1


def test_what_a_user_loses_is_counted_and_the_end_is_in_time(runner: Runner) -> None:
    """Everybody is signed out in mid-run; then the server is gone."""
    ui = runner.ui
    runner.meanwhile = [
        (lambda: ui.asked.total() >= 40 and len(ui.sessions) == USERS, ui.sign_everyone_out),
        (lambda: len(ui.strangers) >= 40, ui.off),
    ]
    before = psutil.Process().children(recursive=True)
    execution = runner.run()
    digest, outcomes = runner.digest, figures(runner.digest).outcomes
    assert (execution.exit_code, execution.stopped) == (0, "")
    assert digest.end_ms - digest.start_ms < (SHORT.duration_s + 5) * 1000
    assert ui.strangers
    # Pages and their parts are sent to the login page, what a script fetches is refused with a status.
    assert set(outcomes) <= {"ok", "signed out", "HTTP 401", "connect", "reset"}
    refused = outcomes["signed out"] + outcomes["HTTP 401"]
    assert 0 <= len(ui.strangers) - refused <= outcomes.get("reset", 0)
    assert runner.outcomes("Admin tools partial")["signed out"] > 0
    assert runner.outcomes("Admin tool detail")["HTTP 401"] > 0
    # Every answer within a session was counted once; all else is a failure with its reason.
    assert 0 <= ui.asked.total() + 2 * USERS - outcomes["ok"] <= outcomes.get("reset", 0)
    assert set(runner.outcomes("Admin logout")) <= {"connect", "reset"}
    assert runner.digest.only("Admin logout").count == USERS
    assert set(psutil.Process().children(recursive=True)) <= set(before)
