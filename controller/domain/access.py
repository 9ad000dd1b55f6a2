"""Who may speak: public keys, whose they are, what they allow and until when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class KeyKind(StrEnum):
    """Whose key it is."""

    DRIVER = "driver"
    PERSON = "person"
    CONTROLLER = "controller"


class Role(StrEnum):
    """What a person may do; each includes those before it."""

    LOOK = "look"
    OPERATE = "operate"
    ADMINISTER = "administer"

    def includes(self, other: Role) -> bool:
        """Say whether whoever has this role may do what the other one may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class AccessKey:
    """A public key on the list of a store. Times are real [s since 1970-01-01 UTC]."""

    id: str
    kind: KeyKind
    name: str
    """Whose it is; a key that takes the place of another has the same."""
    public_key: str
    """In Z85."""
    instruments: tuple[str, ...]
    """What a driver may serve: `INSTRUMENT`, or `LAB/INSTRUMENT` where several labs have one of that name."""
    role: Role | None
    """What a person may do."""
    created_at: float
    created_by: str
    revoked_at: float | None = None
    """When it ceases, or ceased, to be valid."""

    def valid(self, now: float) -> bool:
        """Say whether it is valid at `now`."""
        return self.revoked_at is None or now < self.revoked_at

    def serves(self, lab: str, instrument: str) -> bool:
        """Say whether a driver may serve an instrument of a lab with it."""
        return instrument in self.instruments or f"{lab}/{instrument}" in self.instruments

    def objection_to_driver(self, now: float) -> str | None:
        """Say why no driver may speak with it at `now`, None when one may."""
        if not self.valid(now):
            return f"key {self.name!r} was revoked"
        if self.kind is not KeyKind.DRIVER:
            return f"key {self.name!r} is that of a {self.kind}; a driver needs its own: labwright keys new NAME --driver"
        return None
