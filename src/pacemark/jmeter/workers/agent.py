"""The worker's side: waits for controllers, and gives each a session, one at a time.

Each run gets an engine of its own, fresh and with the run's memory and properties, so that nothing of one run
is left in the next. When the controller goes, in whatever way, the engine ends with it: no load outlives its
run.
"""

import os
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from pacemark.errors import RunError
from pacemark.jmeter.engine import Engine
from pacemark.jmeter.workers.keystore import Keystore
from pacemark.jmeter.workers.session import Count, Session
from pacemark.jmeter.workers.wire import Wire

HANDSHAKE_S = 10.0


def serve(
    engine: Engine, keystore: Keystore, host: str, port: int, *, count: Count, tell: Callable[[str], None]
) -> None:
    """Wait for controllers on ``host``:``port``, one at a time, until interrupted.

    ``count`` makes the digest of what an engine on its own recorded; ``tell`` is told who comes and goes.

    Raises:
        RunError: the address cannot be listened on.
    """
    context = keystore.context(server=True)
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise RunError(
            f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}",
            "choose another --port or --host",
        ) from None
    with listener:
        arrived: queue.Queue[tuple[Wire, str]] = queue.Queue()
        busy = threading.Event()
        reception = threading.Thread(target=_receive, args=(listener, context, arrived, busy), daemon=True)
        reception.start()
        tell(f"waiting on {host}:{port} for a controller; Ctrl-C ends it")
        while True:
            wire, who = arrived.get()
            try:
                tell(f"{who} is here")
                # In this thread: Linux kills an engine with the thread that started it.
                Session(engine, keystore, wire, port, count).hold()
            except (OSError, ValueError) as error:
                tell(f"{who} was lost: {error}")
            else:
                tell(f"{who} is done")
            finally:
                wire.close()
                busy.clear()


def _receive(
    listener: socket.socket,
    context: ssl.SSLContext,
    arrived: queue.Queue[tuple[Wire, str]],
    busy: threading.Event,
) -> None:
    while True:
        try:
            connection, (who, _) = listener.accept()
        except OSError:
            return
        threading.Thread(target=_greet, args=(connection, who, context, arrived, busy), daemon=True).start()


_door = threading.Lock()


def _greet(
    connection: socket.socket,
    who: str,
    context: ssl.SSLContext,
    arrived: queue.Queue[tuple[Wire, str]],
    busy: threading.Event,
) -> None:
    """Let in who has the key, one at a time. A probe that only connects ends here."""
    connection.settimeout(HANDSHAKE_S)
    with suppress(OSError):
        wire = Wire(context.wrap_socket(connection, server_side=True))
        with _door:
            taken = busy.is_set()
            busy.set()
        if taken:
            with suppress(ValueError):
                wire.receive(HANDSHAKE_S)  # closing with a question unread would take the answer back
                wire.send({"error": "it is busy with another run"})
            wire.close()
        else:
            arrived.put((wire, who))
        return
    connection.close()
