"""Labs: a lab file, or the shorthand of a simulator, resolved into one `LabSpec`."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controller.domain.base import Value
from controller.domain.campaign import CampaignFile
from controller.domain.lab import EXTERNAL, InstrumentSpec, LabSpec
from controller.errors import FileFaultsError
from controller.files.by_hand import lab_by_hand
from controller.files.drivers import GENERIC_TWIN, Offer, UnfitDriverError, located, look_up, twin_of
from controller.files.faults import Faults, Keys, nearest, one_line
from controller.files.interlocks import check_interlocks
from controller.files.labfile import LabFile
from controller.files.reading import Document, read_document
from controller.files.translating import validated

SIMULATORS: Final = "labwright.simulators"
"""Entry points of labs that are not there: `expand(options, campaign, folder) -> {"lab": ..., "pool": ...}`."""
MAX_SPEED: Final = 1e6

_IN_TABLE: Final = re.compile(r"(?P<name>[^:]+):(?P<line>\d+): (?P<text>.+)")


@dataclass(frozen=True)
class Laboratory:
    """A lab as it will be used, and where its entries were written."""

    spec: LabSpec
    offers: Mapping[str, Offer]
    """By instrument; without those that could not be loaded."""
    document: Document
    """The lab file; for a simulator what it expanded to, every entry at the line of the shorthand."""
    pool: Mapping[str, Sequence[Value]] | None = field(default=None, repr=False)
    """The only settings that the lab can answer, where that is so."""


@dataclass(frozen=True)
class Wishes:
    """What the command line asks of a lab, over its file."""

    simulate: bool = False
    speed: float | None = None


def lab_of_campaign(document: Document, campaign: CampaignFile, wishes: Wishes, faults: Faults) -> Laboratory | None:
    """Resolve the `lab:` of a campaign file, or add what is wrong to `faults` and return None."""
    if isinstance(campaign.lab, dict) and "by_hand" in campaign.lab:
        return _by_hand(document, campaign, wishes, faults)
    if isinstance(campaign.lab, dict):
        return _expanded(document, ("lab",), campaign.lab, campaign, wishes, faults)
    lab_document = lab_document_of(document, campaign.lab, faults)
    return None if lab_document is None else lab_of_document(lab_document, campaign, wishes, faults)


def lab_document_of(document: Document, name: str, faults: Faults) -> Document | None:
    """Read the lab file that a campaign names, or add to `faults` why it cannot be read."""
    path = document.path.parent / name
    try:
        return read_document(path)
    except FileFaultsError as error:
        if path.is_file():
            faults.extend(error.faults)
        else:
            document.fault(faults, ("lab",), error.faults[0].removeprefix(f"{path}: "))
        return None


def lab_of_document(
    document: Document, campaign: CampaignFile | None, wishes: Wishes, faults: Faults
) -> Laboratory | None:
    """Resolve a lab file; `campaign` is needed only where the file names a simulator."""
    if "simulator" in document.data:
        return _expanded(document, (), document.data, campaign, wishes, faults)
    n_before = len(faults)
    lab = validated(LabFile, document, faults)
    return None if lab is None else _resolved(lab, document, wishes, faults, n_before)


def _expanded(
    document: Document,
    keys: Keys,
    shorthand: Mapping[str, Any],
    campaign: CampaignFile | None,
    wishes: Wishes,
    faults: Faults,
) -> Laboratory | None:
    """Turn `{simulator: NAME, ...}` at `keys` into the lab that it stands for."""
    n_before = len(faults)
    speed = shorthand.get("speed", 1.0)
    if isinstance(speed, bool) or not isinstance(speed, (int, float)) or not 0 < speed <= MAX_SPEED:
        document.fault(faults, (*keys, "speed"), f"must be a number above 0 and at most {MAX_SPEED:g}")
    expand = _simulator(document, keys, shorthand.get("simulator"), faults)
    if expand is None or campaign is None:
        if expand is not None:
            message = "needs a campaign to make a lab of; check the campaign file that names this one"
            document.fault(faults, (*keys, "simulator"), message)
        return None
    options = {name: value for name, value in shorthand.items() if name not in ("simulator", "speed")}
    try:
        made = expand(options, campaign, document.path.parent)
    except ValueError as error:
        _place_refusal(document, keys, one_line(str(error)), faults)
        return None
    if len(faults) > n_before:
        return None
    # No line of its own: whatever is wrong inside is wrong at the shorthand.
    content = {**json.loads(json.dumps(made["lab"])), "speed": speed}
    inner = Document(document.path, content, {(): document.line(keys)})
    lab = validated(LabFile, inner, faults)
    found = None if lab is None else _resolved(lab, inner, wishes, faults, n_before)
    return None if found is None else Laboratory(found.spec, found.offers, inner, made.get("pool"))


def _by_hand(document: Document, campaign: CampaignFile, wishes: Wishes, faults: Faults) -> Laboratory | None:
    """Turn `{by_hand: …}` into a lab in which people do everything."""
    n_before = len(faults)
    content = lab_by_hand(document, campaign, faults)
    if content is None:
        return None
    inner = Document(document.path, content, {(): document.line(("lab",))})
    lab = validated(LabFile, inner, faults)
    return None if lab is None else _resolved(lab, inner, wishes, faults, n_before)


def _simulator(document: Document, keys: Keys, name: object, faults: Faults) -> Callable[..., Mapping[str, Any]] | None:
    known = {point.name: point for point in importlib.metadata.entry_points(group=SIMULATORS)}
    if not isinstance(name, str) or name not in known:
        message = f"is no simulator; {nearest(str(name), sorted(known))}"
        if name is None:
            message = (
                f"is missing; name a simulator ({', '.join(sorted(known))}), or give the path of a lab file instead"
            )
        document.fault(faults, (*keys, "simulator"), message)
        return None
    try:
        expand: Callable[..., Mapping[str, Any]] = known[name].load()
    except Exception as error:  # importing a plug-in runs anybody's code
        document.fault(
            faults, (*keys, "simulator"), f"cannot be loaded on this machine: {type(error).__name__}: {error}"
        )
        return None
    return expand


def _place_refusal(document: Document, keys: Keys, text: str, faults: Faults) -> None:
    """Put a refusal, `option: text`, `parameters.name: text` or `FILE:LINE: text`, where the user wrote what it names."""
    if (match := _IN_TABLE.fullmatch(text)) is not None:
        for option in document.get(keys, {}).values():
            if isinstance(option, str) and Path(option).name == match["name"]:
                faults.add(document.path.parent / option, int(match["line"]), (), match["text"])
                return
    place, colon, rest = text.partition(": ")
    named = tuple(place.split(".", 1))
    for candidate in ((*keys, *place.split(".")), (*keys, place), named):
        if colon and document.holds(candidate):
            document.fault(faults, candidate, rest)
            return
    document.fault(faults, keys or ("simulator",), text, value=False)


def _resolved(lab: LabFile, document: Document, wishes: Wishes, faults: Faults, n_before: int) -> Laboratory | None:
    """Take twins where simulation is wished for, load every driver, and check the protocol within the lab."""
    folder = document.path.parent
    instruments: dict[str, InstrumentSpec] = {}
    offers: dict[str, Offer] = {}
    for name, written in lab.instruments.items():
        keys = ("instruments", name)
        spec: InstrumentSpec | None = located(written, folder)
        try:
            if wishes.simulate and (spec := twin_of(located(written, folder))) is None:
                example = (
                    "{driver: YOUR-SIMULATED-DRIVER}" if written.driver == EXTERNAL else f"{{driver: {GENERIC_TWIN}}}"
                )
                message = f"nothing can stand in for it; add to the instrument what can, for example twin: {example}"
                document.fault(faults, keys, message, value=False)
            if spec is not None:
                instruments[name] = spec
                offers[name] = look_up(spec)
        except UnfitDriverError as error:
            written_there = document.holds((*keys, error.place))
            document.fault(faults, (*keys, error.place) if written_there else keys, str(error), value=written_there)
            continue
        if wishes.simulate and name in offers and not offers[name].simulated:
            document.fault(
                faults, (*keys, "twin"), f"the driver {spec.driver if spec else ''} is not simulated; name one that is"
            )
    _check_steps(lab, document, faults)
    check_interlocks(lab, offers, document, faults)
    simulated = len(offers) == len(lab.instruments) and all(offer.simulated for offer in offers.values())
    speed = wishes.speed if wishes.speed is not None else lab.speed
    if not 0 < speed <= MAX_SPEED:
        document.fault(faults, ("speed",), f"speed {speed:g} must be above 0 and at most {MAX_SPEED:g}", value=False)
    elif speed != 1.0 and not simulated and len(offers) == len(lab.instruments):
        real = next(name for name, offer in offers.items() if not offer.simulated)
        message = f"speed {speed:g} is only for simulated labs, and {real} is real; remove it, or simulate"
        document.fault(faults, ("speed",), message, value=False)
    if len(faults) > n_before:
        return None
    spec_ = LabSpec(
        lab=lab.lab, instruments=instruments, protocol=lab.protocol, simulated=simulated, speed=speed,
        twins=() if simulated else tuple(name for name in instruments if offers[name].simulated),
        interlocks=lab.interlocks, endpoint=None if wishes.simulate else lab.endpoint,
    )  # fmt: skip
    return Laboratory(spec_, offers, document)


def _check_steps(lab: LabFile, document: Document, faults: Faults) -> None:
    """Check that steps have names of their own, use instruments there are, and follow earlier steps."""
    names = [step.step for step in lab.protocol]
    for i, step in enumerate(lab.protocol):
        here: Keys = ("protocol", i)
        earlier = names[:i]
        if step.step in earlier:
            document.fault(faults, (*here, "step"), "a step of that name stands before; give each its own name")
        if step.instrument not in lab.instruments:
            hint = nearest(step.instrument, lab.instruments)
            document.fault(faults, (*here, "instrument"), f"is no instrument of the lab; {hint}")
        for j, name in enumerate(step.after):
            if name == step.step:
                document.fault(faults, (*here, "after", j), "a step cannot wait for itself; remove it")
            elif name in names[i:]:
                message = "that step stands further down; list steps in an order without a cycle"
                document.fault(faults, (*here, "after", j), message)
            elif name not in earlier:
                document.fault(faults, (*here, "after", j), f"is no step; {nearest(name, earlier)}")
