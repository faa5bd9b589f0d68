"""Errors that say what happened, to which name, and what to do next."""

from __future__ import annotations


class AgnezError(Exception):
    """Report a wrong use of Agnez in a sentence that names the cure."""


class MissingExtraError(AgnezError, ImportError):
    """Report an optional package that is not installed."""


class StoreError(AgnezError):
    """Report a store, or a file in it, that cannot be used."""


class NotFoundError(AgnezError, LookupError):
    """Report an id that nothing in the store answers to."""


class ConflictError(AgnezError):
    """Report an id that is taken already."""


class BadValueError(AgnezError, ValueError):
    """Report a value, or an argument, that cannot be recorded."""


class RunFinishedError(AgnezError):
    """Report that something was logged to a run that had ended."""


class PortError(AgnezError, OSError):
    """Report that no server can listen where it was asked to."""
