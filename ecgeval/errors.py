"""The errors a user can cause, each with the exit code the command line gives for it."""

from __future__ import annotations

__all__ = ["DataError", "EcgevalError", "UsageError"]


class EcgevalError(Exception):
    """Base of every error whose message is written for the user: one sentence, no traceback.

    The sentence names the file or record, what was found, what was expected and how to fix it.
    """

    exit_code = 2


class UsageError(EcgevalError):
    """A wrong argument, option, name or configuration (exit code 2)."""

    exit_code = 2


class DataError(EcgevalError):
    """Data that cannot be read, or too little of it to decide (exit code 3)."""

    exit_code = 3
