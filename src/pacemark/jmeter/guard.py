"""Runs a command that must not outlive Pacemark, where the kernel has no means for that.

``python -m pacemark.jmeter.guard COMMAND ARG...``, with a pipe to Pacemark as standard input: when the pipe
ends, because Pacemark ended in whatever way, the command is killed. Ends as the command ends, by the same
signal or with the same exit status.
"""

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    # The pipe with the properties is among the open files; the one to Pacemark must stay ours alone.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, close_fds=False)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=_kill_at_end_of_input, args=(child,), daemon=True).start()
    status = child.wait()
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _kill_at_end_of_input(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
