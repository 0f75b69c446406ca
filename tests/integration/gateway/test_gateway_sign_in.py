"""The journey tried before the load, against a server with the Admin UI's manners."""

from collections.abc import Iterator

import pytest
from fake_admin_ui import EMAIL, PASSWORD, FakeAdminUi

from pacemark.errors import InputError
from pacemark.gateway.sign_in import Administrator, admin_url, try_journey
from pacemark.results.record import Finding
from pacemark.workloads.admin_ui_baseline import WORKLOAD

WHO = Administrator(EMAIL, PASSWORD)


@pytest.fixture
def ui() -> Iterator[FakeAdminUi]:
    with FakeAdminUi() as ui:
        yield ui


def tried(ui: FakeAdminUi, who: Administrator | None = WHO) -> Finding:
    (finding,) = try_journey(WORKLOAD, ui.url, f"{ui.url}/admin", who)
    return finding


def test_every_page_is_opened_once_in_one_session_that_is_signed_out(ui: FakeAdminUi) -> None:
    assert tried(ui).level == "ok"
    (session,) = ui.sessions
    assert session.signed_out
    assert session.requests.total() == 13
    assert (ui.strangers, ui.forged) == ([], [])


def test_nobody_to_sign_in_is_an_error_with_the_remedy(ui: FakeAdminUi) -> None:
    finding = tried(ui, None)
    assert (finding.level, finding.detail) == ("error", "there is no administrator to sign in")
    assert "PLATFORM_ADMIN_PASSWORD" in finding.remedy


def test_a_wrong_password_is_tried_once(ui: FakeAdminUi) -> None:
    finding = tried(ui, Administrator(EMAIL, "wrong"))
    assert (finding.level, finding.detail) == ("error", "Admin login: login refused (HTTP 303)")
    assert "PLATFORM_ADMIN_EMAIL" in finding.remedy
    assert ui.refused == 1


def test_an_admin_ui_that_is_switched_off_is_told_apart(ui: FakeAdminUi) -> None:
    ui.switched_off = True
    finding = tried(ui)
    assert "the Admin UI is switched off" in finding.detail
    assert "MCPGATEWAY_UI_ENABLED=true" in finding.remedy


@pytest.mark.parametrize(
    ("kind", "remedy"), [("tool", "MCP server"), ("server", "virtual server"), ("gateway", "MCP server")]
)
def test_an_empty_table_is_an_error_and_the_session_is_signed_out(
    ui: FakeAdminUi, kind: str, remedy: str
) -> None:
    ui.rows[kind] = {}
    finding = tried(ui)
    assert finding.detail == f"Admin {kind}s partial: nothing in it to go on with ({kind}_id)"
    assert remedy in finding.remedy
    assert [session.signed_out for session in ui.sessions] == [True]


def test_a_change_that_the_gateway_takes_for_forged_names_the_setting(
    ui: FakeAdminUi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeAdminUi, "url", f"http://localhost:{ui.url.rsplit(':', 1)[1]}")
    address = ui.url.replace("localhost", "127.0.0.1")
    (finding,) = try_journey(WORKLOAD, address, f"{address}/admin", WHO)
    assert finding.detail == "Admin gateway refresh: refresh refused (HTTP 403)"
    assert "APP_DOMAIN" in finding.remedy


def test_a_gateway_of_another_base_path_than_its_url_s_names_the_setting(ui: FakeAdminUi) -> None:
    ui.dashboard = "/team/gateway/admin"
    finding = tried(ui)
    assert finding.level == "error"
    assert finding.detail == (
        "Admin login: sent to /team/gateway/admin, but by the gateway's URL it is /admin"
    )
    assert "APP_ROOT_PATH" in finding.remedy
    assert [session.signed_out for session in ui.sessions] == [True]


def test_a_gateway_that_is_gone_is_one_line() -> None:
    (finding,) = try_journey(WORKLOAD, "http://127.0.0.1:9", "http://127.0.0.1:9/admin", WHO)
    assert finding.detail.startswith("Admin login page: no answer: ")


def test_the_password_is_not_shown() -> None:
    assert PASSWORD not in repr(WHO)


@pytest.mark.parametrize(
    ("given", "is_at"),
    [
        ("", "http://gateway:8080/base/admin"),
        ("http://gateway:8080/console/admin/", "http://gateway:8080/console/admin"),
    ],
)
def test_the_admin_ui_is_below_the_gateway_unless_said_otherwise(given: str, is_at: str) -> None:
    assert admin_url("http://gateway:8080/base", {"GATEWAY_ADMIN_URL": given}) == is_at


def test_an_admin_ui_on_another_host_is_refused() -> None:
    with pytest.raises(InputError, match="not on the gateway's host"):
        admin_url("http://gateway:8080", {"GATEWAY_ADMIN_URL": "http://elsewhere/admin"})
