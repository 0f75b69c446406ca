"""What is asked of an answer, and what is taken out of it: JMeter's assertions and its extractor.

As in ``elements``, each function is one element as JMeter 5.6.3 itself saves it.
"""

from collections.abc import Iterable

from lxml import etree

from pacemark.jmx.elements import Element, boolean, element, prop, string


def json_assertion(name: str, path: str, expect: str, regex: bool) -> Element:
    return element(
        "JSONPathAssertion",
        "JSONPathAssertionGui",
        name,
        [
            string("JSON_PATH", path),
            string("EXPECTED_VALUE", expect),
            boolean("JSONVALIDATION", True),
            boolean("EXPECT_NULL", False),
            boolean("INVERT", False),
            boolean("ISREGEX", regex),
        ],
    )


_MATCHES, _CONTAINS, _NOT, _SUBSTRING = 1, 2, 4, 16  # JMeter's bits of Assertion.test_type


def absence_assertion(name: str, pattern: str) -> Element:
    """A Response Assertion that fails when the body contains a match of ``pattern``."""
    return response_assertion(name, (pattern,), "response_data", _CONTAINS | _NOT)


def body_assertion(name: str, texts: Iterable[str], *, regex: bool, message: str = "") -> Element:
    """A Response Assertion that fails unless the body contains every one of ``texts``.

    With ``regex`` they are patterns. ``message`` is the failure's; JMeter's own names the text.
    """
    kind = _CONTAINS if regex else _SUBSTRING
    return response_assertion(name, texts, "response_data", kind, message=message)


def status_assertion(name: str, pattern: str) -> Element:
    """A Response Assertion that fails unless ``pattern`` matches the whole HTTP status."""
    return response_assertion(name, (pattern,), "response_code", _MATCHES)


def part_assertion(name: str, part: str, pattern: str, *, otherwise: str, absent: bool) -> Element:
    """A Response Assertion whose message is ``otherwise``: that ``pattern`` is found, or not, in ``part``
    (``text``, ``headers``, ``code``).

    One on the ``code`` decides alone which statuses are a success.
    """
    field = {"text": "response_data", "headers": "response_headers", "code": "response_code"}[part]
    kind = _CONTAINS | _NOT if absent else _CONTAINS
    return response_assertion(name, (pattern,), field, kind, message=otherwise, alone=part == "code")


def response_assertion(
    name: str, texts: Iterable[str], field: str, kind: int, *, message: str = "", alone: bool = False
) -> Element:
    """A Response Assertion on one of JMeter's fields; ``alone``: whatever JMeter made of the answer."""
    patterns = etree.Element("collectionProp", name="Asserion.test_strings")  # JMeter's own spelling
    patterns.extend(string(str(n), text) for n, text in enumerate(texts))
    return element(
        "ResponseAssertion",
        "AssertionGui",
        name,
        [
            patterns,
            string("Assertion.custom_message", message),
            string("Assertion.test_field", f"Assertion.{field}"),
            boolean("Assertion.assume_success", alone),
            prop("intProp", "Assertion.test_type", kind),
        ],
    )


def regex_extractor(
    name: str, variable: str, pattern: str, template: str, default: str, of_headers: bool, *, match: int = 1
) -> Element:
    """A Regular Expression Extractor: a match, the first or with 0 any, in the answer's headers or its body.

    Without a ``default`` the variable stays as it was where there is none.
    """
    return element(
        "RegexExtractor",
        "RegexExtractorGui",
        name,
        [
            string("RegexExtractor.useHeaders", str(of_headers).lower()),
            string("RegexExtractor.refname", variable),
            string("RegexExtractor.regex", pattern),
            string("RegexExtractor.template", template),
            string("RegexExtractor.default", default),
            boolean("RegexExtractor.default_empty_value", False),
            string("RegexExtractor.match_number", str(match)),
        ],
    )
