"""``junit.xml``: the verdict for those who read nothing but test results."""

import re
from collections.abc import Mapping

from lxml import etree

from pacemark.errors import PacemarkError
from pacemark.report import comparison as compared
from pacemark.report import numerals, wording
from pacemark.results.compare import Change, Comparison
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
    times = {
        "time": f"{(record.ended - record.started).total_seconds():.3f}",
        "timestamp": record.started.isoformat(timespec="seconds"),
    }
    return _suite(f"pacemark.{record.workload}", cases, _properties(record), **times)


def comparison_xml(comparison: Comparison) -> bytes:
    """One suite a comparison: a case for each label and judged metric, and one for each label of one side.

    What got worse is a failure; what is inconclusive or not comparable is skipped with its reason.
    """
    cases = [_compared(change) for change in compared.judged(comparison)]
    for label in comparison.missing:
        case = _case("pacemark.compare", f"{label}: samples")
        _outcome(
            case, "failure", [Reason(level="fail", text=f"no samples of {label}, which the baseline has")]
        )
        cases.append(case)
    for labels, why in ((comparison.rare, compared.RARE), (comparison.new, compared.NEW)):
        for label in labels:
            case = _case("pacemark.compare", f"{label}: samples")
            etree.SubElement(case, "skipped").set("message", why)
            cases.append(case)
    facts = {
        "verdict": comparison.verdict,
        "headline": compared.headline(comparison),
        "terms": compared.terms(comparison),
        "notes": "; ".join(compared.all_notes(comparison)),
    }
    return _suite("pacemark.compare", cases, _properties_of(facts))


def refusal_xml(why: PacemarkError) -> bytes:
    """One suite of one case, an error: there was nothing to compare."""
    case = _case("pacemark.compare", "the runs can be compared")
    _outcome(case, "error", [Reason(level="invalid", text=why.message, remedy=why.hint)])
    return _suite("pacemark.compare", [case], _properties_of({"verdict": "not compared"}))


def _compared(change: Change) -> etree._Element:
    case = _case("pacemark.compare", f"{change.label or compared.ALL_LABELS}: {compared.metric(change)}")
    if change.outcome == "worse":
        _outcome(case, "failure", [Reason(level="fail", text=compared.regression_line(change))])
    elif change.outcome in ("inconclusive", "not comparable"):
        etree.SubElement(case, "skipped").set("message", _text(compared.outcome(change)))
    return case


def _suite(name: str, cases: list[etree._Element], properties: etree._Element, **more: str) -> bytes:
    suite = etree.Element("testsuite")
    for key, value in {
        "name": name,
        "tests": len(cases),
        "failures": _having(cases, "failure"),
        "errors": _having(cases, "error"),
        "skipped": _having(cases, "skipped"),
        **more,
    }.items():
        suite.set(key, _text(str(value)))
    suite.append(properties)
    suite.extend(cases)
    root = etree.Element("testsuites")
    root.append(suite)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _valid(record: RunRecord) -> etree._Element:
    case = _case(f"pacemark.{record.workload}", "the run is valid")
    if record.verdict == "invalid":
        _outcome(case, "error", [reason for reason in record.reasons if reason.level == "invalid"])
    return case


def _judged(record: RunRecord, judged: JudgedObjective) -> etree._Element:
    case = _case(f"pacemark.{record.workload}", str(judged.objective))
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
    case = _case(f"pacemark.{record.workload}", "the run did not fail otherwise")
    _outcome(case, "failure", others)
    return [case]


def _outcome(case: etree._Element, kind: str, reasons: list[Reason]) -> None:
    element = etree.SubElement(case, kind)
    element.set("type", kind)
    element.set("message", _text("; ".join(reason.text for reason in reasons) or "no reason was recorded"))
    element.text = _text("\n".join(f"{reason.text}\n{reason.remedy}".strip() for reason in reasons))


def _case(suite: str, name: str) -> etree._Element:
    case = etree.Element("testcase")
    case.set("classname", _text(suite))
    case.set("name", _text(name))
    return case


def _properties(record: RunRecord) -> etree._Element:
    return _properties_of(
        {
            "verdict": record.verdict,
            "headline": wording.headline(record),
            "scale": record.scale,
            "gateway": record.gateway.url,
            "gateway version": record.gateway.version,
        }
    )


def _properties_of(facts: Mapping[str, str]) -> etree._Element:
    properties = etree.Element("properties")
    for name, value in facts.items():
        item = etree.SubElement(properties, "property")
        item.set("name", name)
        item.set("value", _text(value))
    return properties


def _having(cases: list[etree._Element], kind: str) -> int:
    return sum(case.find(kind) is not None for case in cases)


def _text(value: str) -> str:
    return _NOT_XML.sub("�", value)
