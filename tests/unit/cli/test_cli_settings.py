from pathlib import Path

import pytest

from pacemark.errors import InputError
from pacemark.settings import File, Shape, loads_for, milliseconds, objectives_for, seconds, shape_from
from pacemark.workloads import workload
from pacemark.workloads.load import Load
from pacemark.workloads.objective import Objective

REST = workload("rest_api_baseline")


@pytest.mark.parametrize(
    ("text", "value"),
    [("90s", 90), ("10m", 600), ("24h", 86400), ("7", 7), ("1.5m", 90), (" 5 s ", 5), (0, 0)],
)
def test_a_time_is_whole_seconds(text: str | int, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "ten", "-5", "1.5s", "5d", "1h30m", "nan"])
def test_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot read the time"):
        seconds(text)


@pytest.mark.parametrize(("text", "value"), [("50ms", 50), ("0.05s", 50), ("66.7ms", 66.7), (" 1 ", 1000)])
def test_an_interval_is_milliseconds(text: str, value: float) -> None:
    assert milliseconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "0", "0ms", "-5ms", "5m", "ten"])
def test_no_interval_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="threads / rate"):
        milliseconds(text)


FILE = File.model_validate({"workloads": {REST.name: {"threads": 9, "duration": "2m", "ramp_up": 5}}})
ENVIRON = {"JMETER_TARGET_RPS": "7", "JMETER_THREADS": "3"}


def test_the_command_line_goes_before_the_environment_before_the_file() -> None:
    found = loads_for([REST], scale=None, typed=Shape(rate=5), environ=ENVIRON, file=FILE)
    assert found.scale == "full"
    assert found.loads == (Load(rate_per_s=5, threads=3, duration_s=120, ramp_up_s=5),)
    assert found.set_aside == ""


def test_a_scale_on_the_command_line_is_a_whole_load() -> None:
    found = loads_for([REST], scale="smoke", typed=Shape(rate=5), environ=ENVIRON, file=FILE)
    assert found.loads == (REST.load_at("smoke").model_copy(update={"rate_per_s": 5.0}),)
    assert found.set_aside == "--scale smoke goes before JMETER_TARGET_RPS, JMETER_THREADS, pacemark.toml"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"JMETER_THREADS": "abc"}, "JMETER_THREADS: .*'abc'"),
        ({"JMETER_TARGET_RPS": "0"}, "JMETER_TARGET_RPS: .*'0'"),
        ({"JMETER_TARGET_RPS": "inf"}, "JMETER_TARGET_RPS: .*'inf'"),
        ({"JMETER_DURATION": "0"}, "JMETER_DURATION: .*'0'"),
        ({"JMETER_DURATION": "soon"}, "JMETER_DURATION: cannot read the time 'soon'"),
    ],
)
def test_a_variable_that_is_no_number_is_refused(environ: dict[str, str], named: str) -> None:
    with pytest.raises(InputError, match=named):
        shape_from(environ)


def test_a_load_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="must be shorter than the duration"):
        Shape(duration=30).apply(REST.load_at("full"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gateway = [", "is no TOML"),
        ("gatway = 'http://x'", "gatway"),
        ("[workloads.rest]\nrate = 1", "no workload rest; there are rest_api_baseline"),
        ("engine = 'other'", "engine"),
    ],
)
def test_a_file_with_a_mistake_is_refused_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "pacemark.toml").write_text(text)
    with pytest.raises(InputError, match=complaint):
        File.read(tmp_path)


def test_a_value_of_the_file_that_is_out_of_range_is_named() -> None:
    file = File.model_validate({"workloads": {REST.name: {"rate": -1}}})
    with pytest.raises(InputError, match=r"pacemark\.toml: workloads\.rest_api_baseline\.rate"):
        loads_for([REST], scale=None, typed=Shape(), environ={}, file=file)


def test_no_file_sets_nothing(tmp_path: Path) -> None:
    assert File.read(tmp_path) == File()


def test_objectives_replace_those_of_the_same_metric_and_label() -> None:
    chosen = objectives_for(REST, ["p95 < 150", "GET /tools: p99 < 400"], ["p95 < 100"])
    assert [str(objective) for objective in chosen] == [
        "response p95 < 100 ms", "errors < 0.1%", "rate >= 95%", "GET /tools: response p99 < 400 ms",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            ["promql gateway_cpu < 80%", "promql gateway_cpu > 5%"],
            ["promql gateway_cpu < 80%", "promql gateway_cpu > 5%"],
        ),
        (["p95 > 5", "p95 <= 150"], ["response p95 > 5 ms", "response p95 <= 150 ms"]),
        (["p95 < 150", "p95 <= 100"], ["response p95 <= 100 ms"]),
        (["p95 > 5"], ["response p95 > 5 ms"]),
    ],
)
def test_in_one_group_limits_from_both_sides_stand(given: list[str], kept: list[str]) -> None:
    key = Objective.parse(given[0]).key
    assert [str(one) for one in objectives_for(REST, given) if one.key == key] == kept
