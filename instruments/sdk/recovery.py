"""What a recover hook answers after the driver's process died in the middle of an action."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from instruments.sdk.quantity import Returned

Continuation = Callable[[], Mapping[str, Returned] | Awaitable[Mapping[str, Returned] | None] | None]


@dataclass(frozen=True)
class Recovery:
    """One of four answers; make it with the class methods."""

    kind: Literal["finished", "going", "never_began", "unknown"]
    values: Mapping[str, Returned] | None = None
    follow: Continuation | None = None
    message: str = ""

    @classmethod
    def finished(cls, values: Mapping[str, Returned] | None = None) -> Self:
        """The device had finished: these are the values."""
        return cls("finished", values=values)

    @classmethod
    def going(cls, follow: Continuation) -> Self:
        """The device is still at it: `follow` waits for it and returns the values (plain or async function)."""
        return cls("going", follow=follow)

    @classmethod
    def never_began(cls) -> Self:
        """The device never began: the attempt waits for its turn as one that was only accepted."""
        return cls("never_began")

    @classmethod
    def unknown(cls, message: str = "") -> Self:
        """The device cannot tell: the attempt is interrupted, and the action's consequence decides."""
        return cls("unknown", message=message)
