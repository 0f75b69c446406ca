"""JMeter's test elements for users of a web page: cookies, think time, forms, what an answer must hold."""

from lxml import etree

from pacemark.jmx.elements import Element, boolean, element, http_sampler, part, string


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
    arguments = part("HTTPsampler.Arguments", "Arguments", "HTTPArgumentsPanel", "User Defined Variables")
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
    return http_sampler(name, method, url, arguments, raw=False)
