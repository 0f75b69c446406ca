"""``junit.xml``: the verdict for those who read nothing but test results."""

import re

from lxml import etree

from pacemark.report import numerals, wording
from pacemark.results.judge import one_line
from pacemark.results.record import JudgedObjective, Reason, RunRecord

# Everything that XML 1.0 cannot hold: https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(record: RunRecord) -> bytes:
    """One suite a run: a case for each objective and one for "the run is valid".

    A missed objective is a failure, one that could not be judged is skipped with its reason, and an
    invalid run is an error. A run that failed for a reason that is no objective's has a case for that.
    """
    cases = [
        _valid(record),
        *(_judged(record, judged) for judged in record.objectives),
        *_other_failures(record),
    ]
    suite = etree.Element("testsuite")
    for name, value in {
        "name": f"pacemark.{record.workload}",
        "tests": len(cases),
        "failures": _having(cases, "failure"),
        "errors": _having(cases, "error"),
        "skipped": _having(cases, "skipped"),
        "time": f"{(record.ended - record.started).total_seconds():.3f}",
        "timestamp": record.started.isoformat(timespec="seconds"),
    }.items():
        suite.set(name, _text(str(value)))
    suite.append(_properties(record))
    suite.extend(cases)
    root = etree.Element("testsuites")
    root.append(suite)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _valid(record: RunRecord) -> etree._Element:
    case = _case(record, "the run is valid")
    if record.verdict == "invalid":
        _outcome(case, "error", [reason for reason in record.reasons if reason.level == "invalid"])
    return case


def _judged(record: RunRecord, judged: JudgedObjective) -> etree._Element:
    case = _case(record, str(judged.objective))
    if judged.outcome == "missed":
        message = f"{judged.objective}: measured {numerals.judged_value(judged)}"
        _outcome(case, "failure", [Reason(level="fail", text=message, remedy=judged.why)])
    elif judged.outcome == "not judged":
        etree.SubElement(case, "skipped").set("message", _text(judged.why or "not judged"))
    return case


def _other_failures(record: RunRecord) -> list[etree._Element]:
    """What failed beside the objectives, which have cases of their own."""
    told = tuple(one_line(judged) for judged in record.objectives if judged.outcome == "missed")
    others = [one for one in record.reasons if one.level == "fail" and not one.text.startswith(told)]
    if record.verdict != "fail" or (told and not others):
        return []
    case = _case(record, "the run did not fail otherwise")
    _outcome(case, "failure", others)
    return [case]


def _outcome(case: etree._Element, kind: str, reasons: list[Reason]) -> None:
    element = etree.SubElement(case, kind)
    element.set("type", kind)
    element.set("message", _text("; ".join(reason.text for reason in reasons) or "no reason was recorded"))
    element.text = _text("\n".join(f"{reason.text}\n{reason.remedy}".strip() for reason in reasons))


def _case(record: RunRecord, name: str) -> etree._Element:
    case = etree.Element("testcase")
    case.set("classname", _text(f"pacemark.{record.workload}"))
    case.set("name", _text(name))
    return case


def _properties(record: RunRecord) -> etree._Element:
    properties = etree.Element("properties")
    for name, value in {
        "verdict": record.verdict,
        "headline": wording.headline(record),
        "scale": record.scale,
        "gateway": record.gateway.url,
        "gateway version": record.gateway.version,
    }.items():
        item = etree.SubElement(properties, "property")
        item.set("name", name)
        item.set("value", _text(value))
    return properties


def _having(cases: list[etree._Element], kind: str) -> int:
    return sum(case.find(kind) is not None for case in cases)


def _text(value: str) -> str:
    return _NOT_XML.sub("�", value)
