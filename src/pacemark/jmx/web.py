"""JMeter's test elements for users of a web page: cookies, think time, forms, what an answer must hold."""

from lxml import etree

from pacemark.jmx.elements import Element, boolean, element, prop, string


def cookies(name: str, comment: str) -> Element:
    """An HTTP Cookie Manager: a jar of each thread's own, for as long as the thread lives."""
    return element(
        "CookieManager",
        "CookiePanel",
        name,
        [
            etree.Element("collectionProp", name="CookieManager.cookies"),
            boolean("CookieManager.clearEachIteration", False),
            boolean("CookieManager.controlledByThreadGroup", False),
            string("CookieManager.policy", "standard"),
        ],
        comment=comment,
    )


def think_time(name: str, least_ms: str, range_ms: str) -> Element:
    """A Uniform Random Timer: ``least_ms`` and up to ``range_ms`` more."""
    return element(
        "UniformRandomTimer",
        "UniformRandomTimerGui",
        name,
        [string("ConstantTimer.delay", least_ms), string("RandomTimer.range", range_ms)],
    )


def if_true(name: str, condition: str, comment: str = "") -> Element:
    """An If Controller. ``condition`` is an expression that becomes ``true`` or not."""
    return element(
        "IfController",
        "IfControllerPanel",
        name,
        [
            string("IfController.condition", condition),
            boolean("IfController.evaluateAll", False),
            boolean("IfController.useExpression", True),
        ],
        comment=comment,
    )


def web_request(name: str, method: str, url: str, form: dict[str, str]) -> Element:
    """An HTTP sampler as a browser would send it: the form's fields encoded, no redirect followed.

    A query belongs into ``url``: to a path that is a whole URL JMeter adds no parameters.
    """
    arguments = etree.Element(
        "elementProp",
        name="HTTPsampler.Arguments",
        elementType="Arguments",
        guiclass="HTTPArgumentsPanel",
        testclass="Arguments",
        testname="User Defined Variables",
    )
    collection = etree.SubElement(arguments, "collectionProp", name="Arguments.arguments")
    for key, value in form.items():
        argument = etree.SubElement(collection, "elementProp", name=key, elementType="HTTPArgument")
        argument.extend(
            [
                boolean("HTTPArgument.always_encode", True),
                string("Argument.name", key),
                string("Argument.value", value),
                string("Argument.metadata", "="),
                boolean("HTTPArgument.use_equals", True),
            ]
        )
    return element(
        "HTTPSamplerProxy",
        "HttpTestSampleGui",
        name,
        [
            boolean("HTTPSampler.postBodyRaw", False),
            arguments,
            string("HTTPSampler.path", url),
            string("HTTPSampler.method", method),
            boolean("HTTPSampler.follow_redirects", False),
            boolean("HTTPSampler.auto_redirects", False),
            boolean("HTTPSampler.use_keepalive", True),
            boolean("HTTPSampler.DO_MULTIPART_POST", False),
        ],
    )


_FIELDS = {
    "text": "Assertion.response_data",
    "headers": "Assertion.response_headers",
    "code": "Assertion.response_code",
}


def response_assertion(name: str, part: str, pattern: str, *, otherwise: str, absent: bool) -> Element:
    """A Response Assertion whose message is ``otherwise``: that ``pattern`` is found, or not, in ``part``.

    One on the ``code`` decides alone which statuses are a success.
    """
    patterns = etree.Element("collectionProp", name="Asserion.test_strings")  # JMeter's own spelling
    patterns.append(string("0", pattern))
    contains, inverted = 2, 4
    return element(
        "ResponseAssertion",
        "AssertionGui",
        name,
        [
            patterns,
            string("Assertion.custom_message", otherwise),
            string("Assertion.test_field", _FIELDS[part]),
            boolean("Assertion.assume_success", part == "code"),
            prop("intProp", "Assertion.test_type", contains | inverted if absent else contains),
        ],
    )


def regex_extractor(variable: str, part: str, pattern: str, *, default: str) -> Element:
    """A Regular Expression Extractor of the first group of any match.

    Without a ``default`` the variable stays as it was where there is none.
    """
    return element(
        "RegexExtractor",
        "RegexExtractorGui",
        f"Take {variable}",
        [
            string("RegexExtractor.useHeaders", "true" if part == "headers" else "false"),
            string("RegexExtractor.refname", variable),
            string("RegexExtractor.regex", pattern),
            string("RegexExtractor.template", "$1$"),
            string("RegexExtractor.default", default),
            boolean("RegexExtractor.default_empty_value", False),
            string("RegexExtractor.match_number", "0"),
        ],
    )
