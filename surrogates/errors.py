"""What can go wrong in a surrogate, and the warning that says a number had to be rescued."""

from __future__ import annotations


class SurrogateError(Exception):
    """Base of every error raised in this package."""


class ShapeError(SurrogateError, ValueError):
    """A tensor has the wrong shape, type or values: the message names it and what was expected."""


class FitError(SurrogateError):
    """A surrogate cannot be made from what was asked for, whatever the numbers are."""


class NotFittedError(SurrogateError):
    """A result was asked for that only exists after fitting to observations."""


class NumericsWarning(RuntimeWarning):
    """A member of an ensemble was dropped or replaced because its numbers broke down; the report says which."""
