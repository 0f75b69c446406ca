"""The exit codes, and the one hierarchy of errors that leads to them."""

from enum import IntEnum


class Exit(IntEnum):
    """What a ``pacemark`` command's exit status means."""

    PASS = 0
    """Every objective was met; nothing regressed."""
    MISSED = 1
    """An objective was missed, a regression was found, or a plan is out of step."""
    USAGE = 2
    """Wrong usage or bad input."""
    INVALID = 3
    """The run says nothing about the gateway, or could not be carried out."""


class PacemarkError(Exception):
    """Something the user can act on: what is wrong and where, and what to do about it.

    ``message`` says what is wrong and where, ``hint`` what to do; together they are one line.
    """

    exit_status = Exit.INVALID

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = " ".join(message.split())
        self.hint = " ".join(hint.split())

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message


class InputError(PacemarkError):
    """Wrong usage, or a file that cannot be read for what it is said to be."""

    exit_status = Exit.USAGE


class SetupError(PacemarkError):
    """The engine or the system under test cannot be installed or started here."""


class RunError(PacemarkError):
    """A run could not be carried out, or says nothing about the gateway."""


class InterruptedRunError(RunError):
    """The user ended a run before it recorded anything."""
