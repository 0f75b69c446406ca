"""A server of ours that is written in Go, where Python would be what is measured."""

import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path
from typing import Self

from pacemark.errors import SetupError
from pacemark.jmeter.process import bound_to_parent

GO_PATHS = "/usr/local/go/bin:/usr/lib/go/bin:/usr/local/bin:/usr/bin:/opt/homebrew/bin"


class GoServer:
    """The program beside this file as a child process, built into a directory of its own.

    It prints the port that it listens on, and says at ``/books`` what it has counted.
    """

    def __init__(self, source: str, *options: str) -> None:
        go = shutil.which("go", path=GO_PATHS)
        if go is None:
            raise SetupError("this benchmark's server is written in Go", "install Go, then run again")
        self._go, self._source, self._options = go, Path(__file__).with_name(source), options
        self._scratch = tempfile.TemporaryDirectory(prefix="pacemark-go-")

    def __enter__(self) -> Self:
        program = Path(self._scratch.name, "server")
        subprocess.run([self._go, "build", "-o", program, self._source], check=True)
        self._process = subprocess.Popen(
            bound_to_parent([str(program), *self._options]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._scratch.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def books(self) -> str:
        """What it has counted, as it writes it."""
        with urllib.request.urlopen(f"{self.url}/books", timeout=5) as answer:
            return str(answer.read().decode())
