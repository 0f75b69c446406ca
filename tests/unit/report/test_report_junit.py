from lxml import etree
from report_examples import Run

from pacemark.report.junit import junit_xml
from pacemark.results.record import Reason


def suite(run: Run, **changes: object) -> etree._Element:
    found = etree.fromstring(junit_xml(run.record.model_copy(update=changes))).find("testsuite")
    assert found is not None
    return found


def counts(element: etree._Element) -> dict[str, int]:
    return {name: int(element.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")}


def test_a_pass_has_a_case_for_each_objective_and_one_for_its_validity(passed: Run) -> None:
    element = suite(passed)
    assert counts(element) == {"tests": 5, "failures": 0, "errors": 0, "skipped": 1}
    names = [case.get("name") for case in element.iter("testcase")]
    assert names == ["the run is valid", *(str(judged.objective) for judged in passed.record.objectives)]


def test_a_missed_objective_is_a_failure_with_its_value(failed: Run) -> None:
    element = suite(failed)
    assert counts(element) == {"tests": 5, "failures": 2, "errors": 0, "skipped": 1}
    total = failed.summary.total.response
    assert total is not None
    assert f"response p95 < 60 ms: measured {total.p95} ms" in [
        failure.get("message") for failure in element.iter("failure")
    ]


def test_not_judged_is_skipped_with_its_reason(passed: Run) -> None:
    skipped = next(suite(passed).iter("skipped"))
    assert skipped.get("message") == "5 samples lie beyond it, 20 are needed"


def test_an_invalid_run_is_an_error_that_names_each_reason(hostile: Run) -> None:
    element = suite(hostile)
    assert counts(element)["errors"] == 1
    message = next(element.iter("error")).get("message", "")
    assert "97 %" in message
    assert "38.5 ms" in message


def test_a_failure_that_is_no_objective_s_fails_too(failed: Run) -> None:
    met = [judged for judged in failed.record.objectives if judged.outcome == "met"]
    reason = Reason(level="fail", text="the gateway could not keep the rate")
    element = suite(failed, objectives=met, reasons=[reason])
    assert counts(element)["failures"] == 1


def test_it_is_told_beside_objectives_that_were_missed(failed: Run) -> None:
    reason = Reason(level="fail", text="3 of 9 requests were answered HTTP 503")
    element = suite(failed, reasons=[*failed.record.reasons, reason])
    assert counts(element) == {"tests": 6, "failures": 3, "errors": 0, "skipped": 1}
    assert reason.text in [failure.get("message") for failure in element.iter("failure")]


def test_any_server_text_leaves_valid_xml(failed: Run) -> None:
    text = "\x00\x08\x1b[31m<b>]]>&\ud800 \uffff fine ü 🙂"
    reason = Reason.model_construct(level="invalid", text=text, remedy=text)
    element = suite(failed, verdict="invalid", reasons=[reason], workload=text)
    message = next(element.iter("error")).get("message", "")
    assert message.endswith("fine ü 🙂")
    assert "<b>]]>&" in message
