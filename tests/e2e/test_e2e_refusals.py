"""What must stop before any load, or cannot be read: exit status, one line, and what to do about it."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from e2e_command import SETTINGS, Ended, Pacemark, files_with, write_rows
from fake_gateway import FakeGateway

from pacemark.cli import main
from pacemark.gateway.stack import Stack
from pacemark.gateway.token import Credentials

SMOKE = ("run", "rest_api_baseline", "--scale", "smoke")
AT_NOTHING = ("--gateway", "http://127.0.0.1:9", "--scale", "smoke")
ROW = {
    "timeStamp": "1769767200000",
    "elapsed": "12",
    "label": "GET /tools",
    "responseCode": "200",
    "responseMessage": "OK",
    "failureMessage": "",
    "success": "true",
    "bytes": "10",
}


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Ended]]:
    """The command line in this process: Python's start takes longer than all that is tried with it."""
    monkeypatch.chdir(tmp_path)
    for name in filter(SETTINGS.match, os.environ):
        monkeypatch.delenv(name)

    def called(*args: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["pacemark", *args])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capfd.readouterr()
        return Ended(int(exit_.value.code or 0), captured.out, captured.err, tmp_path)

    before = signal.getsignal(signal.SIGTERM)
    yield called
    signal.signal(signal.SIGTERM, before)


def stopped_before_the_load(ended: Ended, *words: str) -> None:
    assert ended.status == 3, ended.stderr
    (line,) = ended.errors
    assert [word for word in words if word not in line] == []
    assert {path.name for path in ended.directory.iterdir()} == {"run.json", "junit.xml", "summary.md"}
    assert ElementTree.parse(ended.directory / "junit.xml").getroot().findall(".//error")
    assert "invalid" in (ended.directory / "summary.md").read_text(encoding="utf-8").lower()
    assert ended.record["verdict"] == "invalid"
    assert ended.record["recorded"]["count"] == 0
    assert "jmeter" in ended.record["fingerprint"]


@pytest.mark.gateway
def test_a_token_of_another_gateway(embedded_stack: Stack, tmp_path: Path) -> None:
    email = embedded_stack.admin_email
    foreign = Credentials.mint("k" * 40, email, seconds=600, source="test").token
    pacemark = Pacemark(tmp_path, MCPGATEWAY_BEARER_TOKEN=foreign)
    ended = pacemark(*SMOKE, "--gateway", embedded_stack.url)
    stopped_before_the_load(ended, "MCPGATEWAY_BEARER_TOKEN", "HTTP 401", "JWT_SECRET_KEY")
    assert files_with(tmp_path, foreign) == []


@pytest.mark.gateway
def test_a_token_that_ends_before_the_run(embedded_stack: Stack, tmp_path: Path) -> None:
    pacemark = Pacemark(tmp_path, MCPGATEWAY_BEARER_TOKEN=embedded_stack.credentials(seconds=0).token)
    ended = pacemark("run", "rest_api_baseline", "--duration", "2h", "--gateway", embedded_stack.url)
    stopped_before_the_load(ended, "lives 10 min more", "the run takes 2.0 h", "give one that lives longer")


@pytest.mark.gateway
def test_no_token(embedded_stack: Stack, tmp_path: Path) -> None:
    ended = Pacemark(tmp_path)(*SMOKE, "--gateway", embedded_stack.url)
    stopped_before_the_load(ended, "there is no token", "MCPGATEWAY_BEARER_TOKEN", "JWT_SECRET_KEY")


def test_a_gateway_that_is_not_there(pacemark: Pacemark) -> None:
    ended = pacemark(*SMOKE, "--gateway", "http://127.0.0.1:9")
    stopped_before_the_load(ended, "http://127.0.0.1:9/health", "refused", "pacemark stack up")


def test_a_gateway_that_says_it_is_ill(pacemark: Pacemark, fake_gateway: FakeGateway) -> None:
    fake_gateway.answer = lambda *_: (200, {}, b'{"status":"unhealthy","error":"no database"}')
    ended = pacemark(*SMOKE, "--gateway", fake_gateway.url)
    stopped_before_the_load(ended, "'unhealthy': no database")


@pytest.mark.gateway
def test_a_gateway_that_limits_the_rate(tmp_path: Path) -> None:
    with Stack.up(extra_env={"RATE_LIMITING_ENABLED": "true"}) as stack:
        token = stack.credentials(seconds=60).token
        ended = Pacemark(tmp_path, MCPGATEWAY_BEARER_TOKEN=token)(*SMOKE, "--gateway", stack.url)
        stopped_before_the_load(ended, "rate limiting is on: 100 requests", "RATE_LIMITING_ENABLED=false")
        # Looking for it did not lock us out.
        again = Pacemark(tmp_path / "again", MCPGATEWAY_BEARER_TOKEN=token)
        assert "Account locked" not in again(*SMOKE, "--gateway", stack.url).stderr


@pytest.mark.gateway
def test_the_doctor_names_the_same_and_changes_nothing(embedded_stack: Stack, tmp_path: Path) -> None:
    token = embedded_stack.credentials(seconds=60).token
    good = Pacemark(tmp_path / "good", MCPGATEWAY_BEARER_TOKEN=token)
    ended = good("doctor", "--gateway", embedded_stack.url, "--scale", "smoke", "--json")
    assert ended.status == 0, ended.stdout
    assert {"java", "jmeter", "healthy", "token", "tools"} <= {finding["name"] for finding in ended.json}
    # Ten minutes are too short for a day, which is no fault as long as nobody asks for a soak.
    ended = good("doctor", "--gateway", embedded_stack.url, "--json")
    levels = {finding["name"]: finding["level"] for finding in ended.json}
    assert (ended.status, levels["token"], levels["token for soak_test"]) == (0, "ok", "warning")
    ended = good("doctor", "soak_test", "--gateway", embedded_stack.url, "--json")
    levels = {finding["name"]: finding["level"] for finding in ended.json}
    assert (ended.status, levels["token"]) == (3, "error")
    ended = Pacemark(tmp_path / "bad")("doctor", "--gateway", embedded_stack.url)
    assert ended.status == 3
    assert "there is no token" in ended.stdout
    assert not list(tmp_path.glob("*/results"))


@pytest.mark.jmeter
def test_a_wrong_place_of_the_admin_ui_ends_it_before_the_first_load(
    call: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_ADMIN_URL", "http://elsewhere/admin")
    ended = call("run", "rest_api_baseline", "admin_ui_baseline", *AT_NOTHING)
    assert ended.status == 2
    assert ended.stderr.startswith("pacemark: GATEWAY_ADMIN_URL 'http://elsewhere/admin' is not on the")
    assert not (ended.folder / "results").exists()


@pytest.mark.jmeter
def test_what_was_run_is_summed_up_when_a_later_workload_ends_by_an_error(
    call: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "load_test").write_text("in the way of the second one's directory")
    ended = call("run", "rest_api_baseline", "load_test", *AT_NOTHING)
    assert ended.status == 2
    assert "cannot write to results/load_test" in ended.errors[-1]
    table = ended.stderr[ended.stderr.index("Verdict") :].splitlines()
    assert table[0].split() == ["Verdict", "Workload", "Because", "Run"]
    assert table[1].split()[:2] == ["invalid", "rest_api_baseline"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Missing command"),
        (("run",), "Missing argument 'WORKLOAD...'"),
        (("frobnicate",), "No such command 'frobnicate'"),
        (("stats", "--frobnicate", "x"), "No such option: --frobnicate"),
        (("run", "nope", "--embedded"), "no workload 'nope': use one of rest_api_baseline"),
        (("run", "rest_api_baseline"), "no gateway named: give --gateway URL"),
        ((*SMOKE, "--gateway", "127.0.0.1:4444"), "not a gateway's URL: write http://HOST:PORT"),
        ((*SMOKE, "--gateway", "http://127.0.0.1:9", "--embedded"), "exclude each other"),
        ((*SMOKE, "--embedded", "--rate", "many"), "--rate"),
        ((*SMOKE, "--embedded", "--duration", "1y"), "cannot read the time '1y': write 90s, 10m"),
        ((*SMOKE, "--embedded", "--ramp-up", "20s"), "shorter than the duration"),
        ((*SMOKE, "--embedded", "--warm-up", "15s"), "leaves nothing of 15 s to measure"),
        ((*SMOKE, "--embedded", "--objective", "fast"), "cannot read the objective 'fast'"),
        ((*SMOKE, "--embedded", "--baseline", "none"), "none is neither a file nor a baseline"),
        (("run", "rest_api_baseline", "--scale", "huge"), "'huge' is no scale: use one of full"),
        (("compare", "one"), "give BASELINE... CURRENT"),
        (("compare", "a", "b", "--threshold-p95", "ten"), "cannot read the threshold 'ten' on p95"),
        (("baseline", "show", "none"), "no baseline 'none'"),
        (("stats", "none.jtl"), "cannot read none.jtl: No such file"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line_and_exit_2(
    call: Callable[..., Ended], arguments: tuple[str, ...], said: str
) -> None:
    ended = call(*arguments)
    assert ended.status == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("pacemark: ")
    assert said in line
    assert not (ended.folder / "results").exists()


def test_the_process_too_ends_with_2_and_one_line(pacemark: Pacemark) -> None:
    ended = pacemark("frobnicate")
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr == "pacemark: No such command 'frobnicate'. (see pacemark --help)\n"


@pytest.mark.parametrize("command", ["stats", "report"])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (",".join(ROW).encode() + b"\n", "no samples"),
        (bytes(range(256)) * 9, "binary"),
        (b"PAR1 and then nothing", ""),
        (b"a,b\n1,2\n", "is no JTL"),
        (",".join(ROW).encode() + b"\nsoon,12,GET /tools,200,OK,,true,10\n", "line 2"),
    ],
    ids=["empty", "no rows", "binary", "half a digest", "other CSV", "no number"],
)
def test_a_file_that_is_no_jtl_is_one_line_and_exit_2(
    call: Callable[..., Ended], tmp_path: Path, command: str, content: bytes, said: str
) -> None:
    (tmp_path / "given.jtl").write_bytes(content)
    ended = call(command, "given.jtl")
    assert ended.status == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert "given.jtl" in line
    assert said in line


def test_a_jtl_with_all_that_csv_may_hold_is_read(pacemark: Pacemark) -> None:
    said = 'expected "1",\r\nfound <b>2</b>\n\nas ""never""'
    bad = {**ROW, "success": "false", "failureMessage": said, "elapsed": "99"}
    path = write_rows(pacemark.folder / "given.jtl", [ROW, bad, ROW])
    with path.open("ab") as file:
        file.write(",".join(ROW).encode() + b"\n" + b"1769767200500,7,GET /tools,200,OK,,true,10\n1769767")
    ended = pacemark("stats", "given.jtl", "--json")
    assert ended.status == 0
    assert (ended.json["total"]["count"], ended.json["total"]["errors"], ended.json["total"]["max"]) == (
        4,
        1,
        99,
    )
    assert [word for word in ("header", "last line") if word not in ended.stderr] == []
