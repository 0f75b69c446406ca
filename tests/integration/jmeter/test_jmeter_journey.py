"""The Admin UI's plan in the real JMeter, against a server that keeps books of its sessions."""

import threading
import time
from collections import Counter
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
SHORT = Load(threads=USERS, ramp_up_s=1, duration_s=5, think_s=(0.05, 0.15))
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
    """The plan against one server; ``meanwhile`` is called once, as soon as so many samples are there."""

    def __init__(self, engine: Engine, directory: Path, ui: FakeAdminUi) -> None:
        self.engine, self.directory, self.ui = engine, directory, ui
        self.password = PASSWORD
        self.meanwhile = lambda: None
        self.after_samples = 10**9

    def run(self) -> Execution:
        plan = self.directory / "plan.jmx"
        plan.write_bytes(render(WORKLOAD))
        properties = {
            **JMETER_SETTINGS,
            **load_properties(SHORT),
            "GATEWAY_URL": self.ui.url,
            "ADMIN_EMAIL": EMAIL,
            "ADMIN_PASSWORD": self.password,
        }
        return execute(
            self.engine, plan, properties, SHORT, self.directory, heap_mb=512, on_progress=self._look
        )

    def _look(self, progress: Progress) -> None:
        if progress.samples >= self.after_samples:
            self.after_samples = 10**9
            threading.Thread(target=self.meanwhile).start()

    @property
    def digest(self) -> Digest:
        return Digest.from_jtl(self.directory / "samples.jtl")

    def outcomes(self, label: str) -> dict[str, int]:
        return figures(self.digest.only(label)).outcomes


@pytest.fixture
def runner(engine: Engine, tmp_path: Path) -> Runner:
    with FakeAdminUi() as ui:
        yield Runner(engine, tmp_path, ui)


def test_each_user_has_one_session_from_login_to_logout(runner: Runner) -> None:
    execution = runner.run()
    ui, digest = runner.ui, runner.digest
    assert (execution.exit_code, execution.stopped) == (0, "")
    assert figures(digest).outcomes == {"ok": digest.count}
    assert set(digest.labels) == set(WORKLOAD.labels)
    assert runner.outcomes("Admin login") == runner.outcomes("Admin logout") == {"ok": USERS}
    assert len(ui.sessions) == USERS
    assert all(session.signed_out for session in ui.sessions)
    assert (ui.strangers, ui.forged, ui.refused) == ([], [], 0)
    # One refresh a session; and request for request what the server has in its books.
    refreshes = [sum(n for path, n in one.requests.items() if "refresh" in path) for one in ui.sessions]
    assert refreshes == [1] * USERS
    for label, handler in HANDLERS.items():
        assert digest.only(label).count == ui.asked[handler], label
    # Nobody's connection carried another's cookies.
    addresses = [address for session in ui.sessions for address in session.addresses]
    assert len(addresses) == len(set(addresses)) == USERS
    # The rows are chosen at random.
    assert len({path for path in ui.asked if path.startswith("GET /admin/tools/0")}) > 1
    # Think time ends soon after the load, and the logout comes after it.
    assert digest.end_ms - digest.start_ms < (SHORT.duration_s + 5) * 1000
    last = digest.cells.filter(digest.cells["label"].cast(str) == "Admin logout")["slice"].min()
    assert last >= SHORT.duration_s - 1


def test_a_session_that_is_taken_away_is_a_failure_on_every_page(runner: Runner) -> None:
    runner.after_samples, runner.meanwhile = 60, runner.ui.sign_everyone_out
    runner.run()
    assert runner.ui.strangers
    outcomes = figures(runner.digest).outcomes
    failed = Counter(outcomes) - Counter(ok=outcomes["ok"])
    assert failed.total() == len(runner.ui.strangers)
    # Pages and their parts are sent to the login page, what a script fetches is refused with a status.
    assert set(failed) == {"signed out", "HTTP 401", "check failed: the session cookie stayed"}
    assert runner.outcomes("Admin logout") == {"check failed: the session cookie stayed": USERS}
    assert runner.outcomes("Admin dashboard")["signed out"] > 0
    assert runner.outcomes("Admin tools partial")["signed out"] > 0


def test_a_wrong_password_is_a_failure_and_no_page_is_asked_for(runner: Runner) -> None:
    runner.password = "wrong"
    runner.run()
    assert set(runner.digest.labels) == {"Admin login", "Admin login page"}
    assert runner.outcomes("Admin login") == {"check failed: login refused": runner.ui.refused}
    assert (runner.ui.sessions, runner.ui.strangers) == ([], [])


def test_a_server_that_goes_away_costs_what_was_asked_after_it(runner: Runner) -> None:
    runner.after_samples, runner.meanwhile = 60, runner.ui.off
    began = time.monotonic()
    execution = runner.run()
    digest, outcomes = runner.digest, figures(runner.digest).outcomes
    assert (execution.exit_code, execution.stopped) == (0, "")
    assert time.monotonic() - began < SHORT.duration_s + 40
    assert digest.end_ms - digest.start_ms < (SHORT.duration_s + 5) * 1000
    # Every answer that was given was counted, and all else is a failure with its reason.
    assert set(outcomes) <= {"ok", "connect", "reset"}
    assert outcomes["connect"] > USERS
    assert set(runner.outcomes("Admin logout")) == {"connect"}
    assert psutil.Process().children(recursive=True) == []
