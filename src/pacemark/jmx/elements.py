"""JMeter's test elements as XML. Each function is one element as JMeter 5.6.3 itself saves it."""

from collections.abc import Iterable
from typing import NamedTuple

from lxml import etree

Element = etree._Element


class Node(NamedTuple):
    """A test element and what stands below it in the tree."""

    element: Element
    children: tuple["Node", ...] = ()


class Variable(NamedTuple):
    """A user-defined variable of the plan."""

    name: str
    value: str
    description: str


def prop(kind: str, name: str, value: object) -> Element:
    """A property: ``kind`` is the tag (stringProp, boolProp, intProp ...)."""
    made = etree.Element(kind, name=name)
    made.text = str(value).lower() if isinstance(value, bool) else str(value)
    return made


def string(name: str, value: str) -> Element:
    return prop("stringProp", name, value)


def boolean(name: str, value: bool) -> Element:
    return prop("boolProp", name, value)


def element(
    tag: str,
    gui: str,
    name: str,
    properties: Iterable[Element],
    *,
    comment: str = "",
    enabled: bool = True,
) -> Element:
    made = etree.Element(tag, guiclass=gui, testclass=tag, testname=name, enabled=str(enabled).lower())
    if comment:
        made.append(string("TestPlan.comments", comment))
    made.extend(properties)
    return made


def part(name: str, kind: str, gui: str, title: str) -> Element:
    """An element that is a property of another one."""
    return etree.Element(
        "elementProp", name=name, elementType=kind, guiclass=gui, testclass=kind, testname=title
    )


def variables(items: Iterable[Variable]) -> Element:
    collection = etree.Element("collectionProp", name="Arguments.arguments")
    for item in items:
        argument = etree.SubElement(collection, "elementProp", name=item.name, elementType="Argument")
        argument.extend(
            [
                string("Argument.name", item.name),
                string("Argument.value", item.value),
                string("Argument.desc", item.description),
                string("Argument.metadata", "="),
            ]
        )
    return collection


def plan_root(name: str, comment: str, items: Iterable[Variable]) -> Element:
    defined = part("TestPlan.user_defined_variables", "Arguments", "ArgumentsPanel", "User Defined Variables")
    defined.append(variables(items))
    return element(
        "TestPlan",
        "TestPlanGui",
        name,
        [
            boolean("TestPlan.functional_mode", False),
            boolean("TestPlan.serialize_threadgroups", False),
            boolean("TestPlan.tearDown_on_shutdown", True),
            defined,
        ],
        comment=comment,
    )


def thread_group(name: str, threads: str, ramp_up: str, duration: str, comment: str) -> Element:
    loop = part("ThreadGroup.main_controller", "LoopController", "LoopControlPanel", "Loop Controller")
    loop.extend(
        [prop("intProp", "LoopController.loops", -1), boolean("LoopController.continue_forever", False)]
    )
    return element(
        "ThreadGroup",
        "ThreadGroupGui",
        name,
        [
            loop,
            string("ThreadGroup.num_threads", threads),
            string("ThreadGroup.ramp_time", ramp_up),
            boolean("ThreadGroup.scheduler", True),
            string("ThreadGroup.duration", duration),
            string("ThreadGroup.delay", "0"),
            string("ThreadGroup.on_sample_error", "continue"),
            # Otherwise every loop begins with a new connection.
            boolean("ThreadGroup.same_user_on_next_iteration", True),
        ],
        comment=comment,
    )


def tear_down_group(name: str, comment: str) -> Element:
    """A tearDown Thread Group: one thread that, when all others have ended, does once what stands below."""
    loop = part("ThreadGroup.main_controller", "LoopController", "LoopControlPanel", "Loop Controller")
    loop.extend(
        [prop("intProp", "LoopController.loops", 1), boolean("LoopController.continue_forever", False)]
    )
    return element(
        "PostThreadGroup",
        "PostThreadGroupGui",
        name,
        [
            loop,
            string("ThreadGroup.num_threads", "1"),
            string("ThreadGroup.ramp_time", "0"),
            boolean("ThreadGroup.scheduler", False),
            string("ThreadGroup.on_sample_error", "continue"),
        ],
        comment=comment,
    )


def http_defaults(name: str, connect_timeout_ms: int, response_timeout_ms: int) -> Element:
    arguments = part("HTTPsampler.Arguments", "Arguments", "HTTPArgumentsPanel", "User Defined Variables")
    arguments.append(etree.Element("collectionProp", name="Arguments.arguments"))
    return element(
        "ConfigTestElement",
        "HttpDefaultsGui",
        name,
        [
            arguments,
            string("HTTPSampler.implementation", "HttpClient4"),
            string("HTTPSampler.connect_timeout", str(connect_timeout_ms)),
            string("HTTPSampler.response_timeout", str(response_timeout_ms)),
        ],
    )


def headers(name: str, items: dict[str, str]) -> Element:
    collection = etree.Element("collectionProp", name="HeaderManager.headers")
    for key, value in items.items():
        header = etree.SubElement(collection, "elementProp", name="", elementType="Header")
        header.extend([string("Header.name", key), string("Header.value", value)])
    return element("HeaderManager", "HeaderPanel", name, [collection])


def once_a_thread(name: str) -> Element:
    """A Once Only Controller: what stands below it runs in each thread's first iteration only."""
    return element("OnceOnlyController", "OnceOnlyControllerGui", name, [])


def loop_forever(name: str) -> Element:
    """A Loop Controller without end."""
    return element(
        "LoopController",
        "LoopControlPanel",
        name,
        [boolean("LoopController.continue_forever", True), prop("intProp", "LoopController.loops", -1)],
    )


def do_nothing(name: str) -> Element:
    """A Flow Control Action that does nothing: a place for timers to act."""
    return _flow_control(name, action=1)


def pause(name: str, ms: int) -> Element:
    """A Flow Control Action that waits."""
    return _flow_control(name, action=1, duration_ms=ms)


def stop_thread(name: str, comment: str) -> Element:
    """A Flow Control Action that ends its thread."""
    return _flow_control(name, action=0, comment=comment)


def _flow_control(name: str, action: int, comment: str = "", duration_ms: int = 0) -> Element:
    return element(
        "TestAction",
        "TestActionGui",
        name,
        [
            prop("intProp", "ActionProcessor.action", action),
            prop("intProp", "ActionProcessor.target", 0),
            string("ActionProcessor.duration", str(duration_ms)),
        ],
        comment=comment,
    )


def switch(name: str, choice: str) -> Element:
    """A Switch Controller: of its children only the one whose name is ``choice`` runs.

    Where none is, the one named ``default`` does, and where ``choice`` is empty the first.
    """
    return element(
        "SwitchController", "SwitchControllerGui", name, [string("SwitchController.value", choice)]
    )


def simple_controller(name: str) -> Element:
    return element("GenericController", "LogicControllerGui", name, [])


def http_request(name: str, method: str, url: str, body: str) -> Element:
    arguments = etree.Element("elementProp", name="HTTPsampler.Arguments", elementType="Arguments")
    collection = etree.SubElement(arguments, "collectionProp", name="Arguments.arguments")
    if body:
        argument = etree.SubElement(collection, "elementProp", name="", elementType="HTTPArgument")
        argument.extend(
            [
                boolean("HTTPArgument.always_encode", False),
                string("Argument.value", body),
                string("Argument.metadata", "="),
            ]
        )
    return http_sampler(name, method, url, arguments, raw=bool(body))


def http_sampler(name: str, method: str, url: str, arguments: Element, *, raw: bool) -> Element:
    """An HTTP sampler that keeps its connection and follows no redirect; ``raw``: the body alone."""
    return element(
        "HTTPSamplerProxy",
        "HttpTestSampleGui",
        name,
        [
            boolean("HTTPSampler.postBodyRaw", raw),
            arguments,
            # A path that is a whole URL is taken as one, so GATEWAY_URL may have a port and a base path.
            string("HTTPSampler.path", url),
            string("HTTPSampler.method", method),
            boolean("HTTPSampler.follow_redirects", False),
            boolean("HTTPSampler.auto_redirects", False),
            boolean("HTTPSampler.use_keepalive", True),
            boolean("HTTPSampler.DO_MULTIPART_POST", False),
        ],
    )


def groovy(tag: str, name: str, script: str, parameters: str = "") -> Element:
    """A JSR223 element (``tag``: JSR223Timer, JSR223PreProcessor ...) whose script is compiled once.

    The script has ``parameters`` as ``Parameters``, JMeter's variables in it replaced.
    """
    return element(
        tag,
        "TestBeanGUI",
        name,
        [
            string("scriptLanguage", "groovy"),
            string("parameters", parameters),
            string("filename", ""),
            string("cacheKey", "true"),
            string("script", script),
        ],
    )


def csv_data(name: str, filename: str) -> Element:
    """A CSV Data Set whose first line names the variables, read round and round by all threads."""
    return element(
        "CSVDataSet",
        "TestBeanGUI",
        name,
        [
            string("filename", filename),
            string("fileEncoding", "UTF-8"),
            string("variableNames", ""),
            boolean("ignoreFirstLine", False),
            string("delimiter", ","),
            boolean("quotedData", True),
            boolean("recycle", True),
            boolean("stopThread", False),
            string("shareMode", "shareMode.all"),
        ],
    )


def results_tree(name: str) -> Element:
    """A View Results Tree, switched off: it keeps every answer in memory."""
    saved = etree.Element("objProp")
    etree.SubElement(saved, "name").text = "saveConfig"
    value = etree.SubElement(saved, "value", {"class": "SampleSaveConfiguration"})
    for flag in ("time", "latency", "timestamp", "success", "label", "code", "message", "threadName"):
        etree.SubElement(value, flag).text = "true"
    return element(
        "ResultCollector",
        "ViewResultsFullVisualizer",
        name,
        [boolean("ResultCollector.error_logging", False), saved, string("filename", "")],
        enabled=False,
    )


def document(root: Node) -> bytes:
    """The plan as a ``.jmx`` file."""
    plan = etree.Element("jmeterTestPlan", version="1.2", properties="5.0", jmeter="5.6.3")
    _hang(etree.SubElement(plan, "hashTree"), root)
    etree.indent(plan, space="  ")
    return etree.tostring(plan, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _hang(tree: Element, node: Node) -> None:
    tree.append(node.element)
    below = etree.SubElement(tree, "hashTree")
    for child in node.children:
        _hang(below, child)
