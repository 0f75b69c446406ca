"""The controller's side of one worker."""

import socket
import ssl
import threading
import time
from typing import NamedTuple

from pacemark import __version__
from pacemark.errors import RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.java import major_of
from pacemark.jmeter.workers.address import Address
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.wire import Message, Wire

CONNECT_S = 10.0
ANSWER_S = 10.0
"""Longer than most answers take; a worker without one for so long is lost."""
_EXCHANGES = 10


class ClockOffset(NamedTuple):
    """How far a worker's clock is ahead of this machine's, give or take ``within_s``; seconds."""

    seconds: float
    within_s: float

    @property
    def ms(self) -> int:
        """To the millisecond; 0 where the measurement cannot tell it from that."""
        return 0 if abs(self.seconds) <= self.within_s else round(self.seconds * 1000)


class LostWorkerError(Exception):
    """A worker that answered before does not any more; says why."""


FAILED = (LostWorkerError, RunError)
"""What asking a worker may end in."""


class Link:
    """A connection to a worker, which works for this controller as long as it lasts."""

    def __init__(self, address: Address, wire: Wire) -> None:
        self.address, self._wire = address, wire
        self.own_host = wire.own_host
        self._turn = threading.Lock()
        self.about: Message = {}

    @classmethod
    def to(cls, address: Address, keystore: Keystore, engine: Engine) -> "Link":
        """Connect and see that it is of one kind with ``engine``.

        Raises:
            RunError: it cannot be reached, has another key, is busy or has other versions.
        """
        wire = _connected(address, keystore)
        link = cls(address, wire)
        try:
            link.about = link.ask("hello")
            _require_same(address, engine, link.about)
        except LostWorkerError as error:
            link.close()
            raise RunError(f"worker {address} {error}", f"see what it says on {address.host}") from None
        except RunError:
            link.close()
            raise
        return link

    def ask(self, what: str, *, timeout_s: float = ANSWER_S, **values: object) -> Message:
        """The worker's answer.

        Raises:
            LostWorkerError: there was none.
            RunError: it could not do what it was asked to.
        """
        try:
            with self._turn:
                self._wire.send({"do": what, **values})
                answer = self._wire.receive(timeout_s)
        except TimeoutError:
            raise LostWorkerError(f"gave no answer for {timeout_s:g} s") from None
        except (OSError, ValueError) as error:
            raise LostWorkerError(f"broke the connection ({_why(error)})") from None
        if answer is None:
            raise LostWorkerError("closed the connection")
        if "error" in answer:
            raise RunError(f"worker {self.address}: {answer['error']}")
        return answer

    def clock_offset(self) -> ClockOffset:
        """By its answers to "what time is it": the quickest exchange bounds the offset the closest.

        As NTP does it (RFC 5905): the worker's time is taken for the middle of question and answer, so half
        the exchange is the most that it can be off.

        Raises:
            LostWorkerError: it does not answer.
        """
        found = []
        for _ in range(_EXCHANGES):
            asked = time.time()
            at = float(self.ask("time")["at"])
            answered = time.time()
            found.append(ClockOffset(at - (asked + answered) / 2, (answered - asked) / 2))
        return min(found, key=lambda offset: offset.within_s)

    def close(self) -> None:
        """The worker then stops its engine, if it has one."""
        self._wire.close()


def _connected(address: Address, keystore: Keystore) -> Wire:
    context = keystore.context(server=False)
    try:
        connection = socket.create_connection(address, CONNECT_S)
    except OSError as error:
        raise RunError(
            f"worker {address} cannot be reached: {_why(error)}",
            f"start it there with pacemark worker --port {address.port}",
        ) from None
    try:
        return Wire(context.wrap_socket(connection))
    except OSError as error:
        connection.close()
        what = "has another keystore" if isinstance(error, ssl.SSLError) else f"is no worker: {_why(error)}"
        raise RunError(f"worker {address} {what}", "copy one keystore's folder to every machine") from None


def _require_same(address: Address, engine: Engine, about: Message) -> None:
    """A sample is a Java object, and figures of two kinds of engine are not one figure."""
    own = {"pacemark": __version__, "jmeter": engine.version, "java": engine.java.version}
    same = {**own, "java": str(engine.java.major)}
    theirs = {**about, "java": str(major_of(about["java"]))}
    for name, title in (("pacemark", "Pacemark"), ("jmeter", "JMeter"), ("java", "Java")):
        if theirs[name] != same[name]:
            raise RunError(
                f"worker {address} has {title} {about[name]}, this machine {own[name]}",
                "install the same on both",
            )


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
