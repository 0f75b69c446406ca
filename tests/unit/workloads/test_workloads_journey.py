"""The Admin UI's journey, and loads whose rate comes of think time."""

import re

import polars as pl
import pytest
from lxml import etree
from pydantic import ValidationError

from pacemark.errors import InputError
from pacemark.jmx.plan import load_properties, render
from pacemark.results.outcomes import classify
from pacemark.settings import File, Shape, loads_for
from pacemark.workloads.admin_ui_baseline import WORKLOAD
from pacemark.workloads.journey import SIGNED_OUT
from pacemark.workloads.load import Load

FULL = WORKLOAD.load_at("full")
PLAN = etree.fromstring(render(WORKLOAD))


def test_the_journey_is_what_the_request_states() -> None:
    assert (FULL.threads, FULL.duration_s, FULL.think_s) == (50, 300, (3, 5))
    assert [str(one) for one in WORKLOAD.objectives] == ["elapsed p95 < 500 ms", "errors < 0.1%"]
    opened = [page.name for page in WORKLOAD.pages]
    asked = [
        "Dashboard",
        "Tools",
        "A tool",
        "Servers",
        "A server",
        "Gateways",
        "Refresh a gateway",
        "Metrics",
    ]
    assert [name for name in opened if name in asked] == asked
    assert WORKLOAD.labels[:2] == ("Admin login page", "Admin login")
    assert WORKLOAD.labels[-1] == "Admin logout"


def test_a_refresh_is_not_part_of_every_round() -> None:
    assert "Admin gateway refresh" not in WORKLOAD.round
    assert WORKLOAD.handlers["Admin gateway refresh"] == "POST /gateways/{gateway_id}/tools/refresh"
    assert WORKLOAD.handlers["Admin search"] == "GET /admin/search"


@pytest.mark.parametrize("scale", ["ci", "local"])
def test_enough_is_asked_for_to_judge_a_p95(scale: str) -> None:
    """With pages that take half a second, the limit: fewer than 400 samples do not have a P95."""
    load = WORKLOAD.load_at(scale)
    assert load.think_s is not None
    a_page = sum(load.think_s) / 2 + 0.5
    pages = load.threads * (load.duration_s - load.ramp_up_s) / a_page
    each = len(WORKLOAD.round) / sum(not page.once for page in WORKLOAD.pages)
    assert pages * each >= 400


def test_a_user_gets_round_at_smoke() -> None:
    smoke = WORKLOAD.load_at("smoke")
    assert smoke.think_s is not None
    assert len(WORKLOAD.pages) * smoke.think_s[1] < smoke.duration_s / 2


def test_without_a_rate_nothing_is_due() -> None:
    assert FULL.rate_per_s is None
    assert FULL.stages == ()
    assert FULL.due_between(0, 300) == 0
    assert FULL.rate_at(100) == 0
    assert FULL.highest_per_s == pytest.approx(50 / 3)
    assert FULL.scaled(0.1) == Load(threads=5, ramp_up_s=3, duration_s=30, think_s=(3, 5))
    assert load_properties(FULL) == {
        "THREADS": "50", "RAMP_UP": "30", "DURATION": "300", "THINK_MS": "3000", "THINK_RANGE_MS": "2000",
    }  # fmt: skip


@pytest.mark.parametrize("pace", [{}, {"rate_per_s": 5, "think_s": (1, 2)}, {"think_s": (2, 1)}])
def test_a_load_has_one_pace(pace: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="think time"):
        Load.model_validate({"threads": 1, "ramp_up_s": 0, "duration_s": 9, **pace})


def test_a_rate_for_it_is_refused_but_not_one_that_is_set_for_all_workloads() -> None:
    with pytest.raises(InputError, match="has no rate"):
        loads_for([WORKLOAD], scale="smoke", typed=Shape(rate=5), environ={}, file=File())
    environ = {"JMETER_TARGET_RPS": "7", "JMETER_THREADS": "3"}
    (load,) = loads_for([WORKLOAD], scale=None, typed=Shape(), environ=environ, file=File()).loads
    assert load == FULL.model_copy(update={"threads": 3})


def test_every_step_behind_the_login_notices_that_its_user_is_signed_out() -> None:
    for page in WORKLOAD.pages:
        for step in page.steps:
            looks = [look for look in step.looks if look.otherwise == SIGNED_OUT]
            assert [look.absent for look in looks] == [True], step.label
            for header in ("HX-Redirect: /admin/login", "location: http://gateway/base/admin/login?error=x"):
                assert re.search(looks[0].pattern, f"HTTP/1.1 200 OK\n{header}\n")
            assert not re.search(looks[0].pattern, "HTTP/1.1 200 OK\nset-cookie: at=/login\n")


@pytest.mark.parametrize(
    ("location", "taken"),
    [
        ("/admin", True),
        ("http://gateway/base/admin/", True),
        ("/admin/login?error=invalid_credentials&email=a%40b", False),
        ("/admin/change-password-required", False),
    ],
)
def test_a_login_is_told_by_its_location(location: str, taken: bool) -> None:
    answer = f"HTTP/1.1 303 See Other\nlocation: {location}\nset-cookie: jwt_token=eyJ; Path=/\n"
    login = WORKLOAD.before[-1]
    assert all((re.search(look.pattern, answer) is None) is look.absent for look in login.looks) is taken
    signed_in = next(take for take in login.takes if take.variable == "signed_in")
    assert (re.search(signed_in.pattern, answer) is not None) is taken


def test_what_the_plan_says_of_a_failure_is_its_outcome() -> None:
    failed = pl.DataFrame(
        [("200", "OK", SIGNED_OUT), ("302", "Found", SIGNED_OUT), ("303", "See Other", "login refused"),
         ("401", "Unauthorized", SIGNED_OUT), ("200", "OK", "not the tools")],
        schema=["code", "message", "failure"], orient="row",
    )  # fmt: skip
    assert classify(failed)["outcome"].to_list() == [
        "signed out", "signed out", "check failed: login refused", "HTTP 401", "check failed: not the tools",
    ]  # fmt: skip


def test_the_plan_has_a_sampler_for_every_step_and_a_message_for_every_look() -> None:
    samplers = PLAN.findall(".//HTTPSamplerProxy")
    assert [one.get("testname") for one in samplers] == [step.label for step, _ in WORKLOAD.steps]
    for sampler, (step, _) in zip(samplers, WORKLOAD.steps, strict=True):
        below = sampler.getnext()
        assert below is not None
        messages = below.findall("ResponseAssertion/stringProp[@name='Assertion.custom_message']")
        assert [one.text for one in messages] == [look.otherwise for look in step.looks]


def test_cookies_are_each_users_own_and_last() -> None:
    (jar,) = PLAN.findall(".//CookieManager")
    assert jar.findtext("boolProp[@name='CookieManager.clearEachIteration']") == "false"


def test_a_pause_is_part_of_no_request() -> None:
    """A timer acts on every sampler of its scope: here that is nothing but a place to pause."""
    timers = PLAN.findall(".//UniformRandomTimer")
    assert len(timers) == len(WORKLOAD.pages) + 1
    for timer in timers:
        scope = timer.getparent()
        assert scope is not None
        place = scope.getprevious()
        assert place is not None
        assert place.tag == "TestAction"


def test_conditions_are_short_enough_to_be_compiled_once() -> None:
    conditions = [one.text or "" for one in PLAN.findall(".//stringProp[@name='IfController.condition']")]
    assert len(conditions) == len(WORKLOAD.pages) + 5
    assert all(len(condition.removeprefix("${__jexl3(")) < 64 for condition in conditions)
