"""Interlocks of a lab file: read by safe actions alone, on instruments of their own, with conditions that can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from controller.domain.constraint import parse_constraint
from controller.domain.lab import InterlockSpec
from controller.files.drivers import Offer
from controller.files.faults import Faults, Keys, nearest
from controller.files.labfile import LabFile
from controller.files.reading import Document

if TYPE_CHECKING:
    from instruments.protocol.capabilities import ActionDescription


def check_interlocks(lab: LabFile, offers: Mapping[str, Offer], document: Document, faults: Faults) -> None:
    """Check the interlocks of a lab; what a driver offers is checked where it is known already."""
    names = [lock.interlock for lock in lab.interlocks]
    used = {step.instrument: step.step for step in lab.protocol}
    for i, lock in enumerate(lab.interlocks):
        here: Keys = ("interlocks", i)
        if lock.interlock in names[:i]:
            document.fault(faults, (*here, "interlock"), "an interlock of that name stands before; give each its own name")
        for j, name in enumerate(lock.hold):
            if name not in lab.instruments:
                hint = nearest(name, lab.instruments)
                document.fault(faults, (*here, "hold", j), f"is no instrument of the lab; {hint}")
        if lock.instrument not in lab.instruments:
            hint = nearest(lock.instrument, lab.instruments)
            document.fault(faults, (*here, "instrument"), f"is no instrument of the lab; {hint}")
        elif lock.instrument in used:
            message = (
                f"step {used[lock.instrument]} uses it, and a reading would wait behind that; "
                "list what is read as an instrument of its own"
            )
            document.fault(faults, (*here, "instrument"), message)
        elif (offer := offers.get(lock.instrument)) is not None and offer.actions is not None:
            _check_action(lock, offer.actions, here, document, faults)


def _check_action(
    lock: InterlockSpec, actions: Mapping[str, ActionDescription], here: Keys, document: Document, faults: Faults
) -> None:
    action = actions.get(lock.action)
    if action is None:
        hint = nearest(lock.action, actions)
        document.fault(faults, (*here, "action"), f"{lock.instrument} has no such action; {hint}")
        return
    if action.consequence != "safe":
        message = f"its consequence is {action.consequence}; an interlock reads, again and again: name a safe action"
        document.fault(faults, (*here, "action"), message)
    for name, value in lock.arguments.items():
        if name not in action.arguments:
            hint = nearest(name, action.arguments)
            document.fault(faults, (*here, "with", name), f"{lock.action} takes no argument {name}; {hint}")
        elif isinstance(value, str) and value.startswith("$"):
            document.fault(faults, (*here, "with", name), "an interlock belongs to no experiment; give a value")
    missing = [n for n, argument in action.arguments.items() if argument.required and n not in lock.arguments]
    if missing:
        message = f"{lock.action} also needs {missing[0]}; add with: {{{missing[0]}: VALUE}}"
        document.fault(faults, here, message, value=False)
    for j, text in enumerate(lock.require):
        for name, _ in parse_constraint(text).coefficients:
            returned = action.returns.get(name)
            if returned is None:
                message = f"{lock.action} returns no {name}; {nearest(name, action.returns)}"
                document.fault(faults, (*here, "require", j), message)
            elif returned.kind == "str":
                document.fault(faults, (*here, "require", j), f"{name} is text; compare numbers or truth values")
