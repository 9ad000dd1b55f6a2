"""Pydantic's findings in plain words, at the line where the user wrote them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from controller.files.faults import MAX_FAULTS, Faults, Keys, dotted, listed, nearest, shortened
from controller.files.reading import Document
from controller.files.schema import schema_of

M = TypeVar("M", bound=BaseModel)

_EXAMPLES: Mapping[str, str] = {
    "campaign": "campaign: my-campaign",
    "parameters": "parameters: {temperature: {type: continuous, bounds: [20, 80], unit: degC}}",
    "objectives": "objectives: {yield: {goal: maximize, unit: percent}}",
    "budget": "budget: {experiments: 40}",
    "experiments": "experiments: 40",
    "bounds": "bounds: [20, 80]",
    "values": "values: [0.1, 0.2, 0.5]",
    "choices": "choices: [DMF, DMSO]",
    "goal": "goal: maximize",
    "lab": "lab: bench-1",
    "instruments": "instruments: {reactor: {driver: scpi, options: {…}}}",
    "driver": "driver: scpi",
    "protocol": "protocol: [{step: react, instrument: reactor, action: run, with: {temperature: $temperature}}]",
    "step": "step: react",
    "instrument": "instrument: reactor",
    "action": "action: run",
    "interlock": "interlock: hood-closed",
    "require": "require: [sash_open <= 5]",
    "hold": "hold: [reactor]",
}
_KINDS: Mapping[str, str] = {
    "string": "text (between quotes where it looks like a number or true/false)",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "tuple": "a list, for example [a, b]",
    "list": "a list, for example [a, b]",
    "dict": "a mapping of names, for example {name: …}",
    "model": "a mapping of keys, for example {key: …}",
    "model_attributes": "a mapping of keys, for example {key: …}",
}


def validated(model: type[M], document: Document, faults: Faults) -> M | None:
    """Return the document as a `model`, or None with every mismatch added to `faults`."""
    try:
        # As JSON, strictly: lists become tuples, but neither `true` nor "90" passes for a number.
        return model.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        schema = schema_of(model)
        found = error.errors(include_url=False)
        faults.n_more += len(found[MAX_FAULTS:])
        found = found[:MAX_FAULTS]
        below = [keys for details in found if (keys := _written_keys(details["loc"], document, details["type"]))]
        for details in found:
            keys = _written_keys(details["loc"], document, details["type"])
            # A list whose entries are wrong is also called too short: that says nothing new.
            if details["type"] == "too_short" and any(k[: len(keys)] == keys and k != keys for k in below):
                continue
            _translate(details, keys, document, faults, schema)
    return None


def _translate(details: ErrorDetails, keys: Keys, document: Document, faults: Faults, schema: dict[str, Any]) -> None:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing" and isinstance(keys[-1], int):
        document.fault(faults, keys[:-1], f"needs {keys[-1] + 1} entries, [lowest, highest]; add the other one")
    elif kind == "missing":
        name = str(keys[-1])
        if _misspelt(name, schema, keys[:-1], document):
            return  # the unknown key beside it is reported with this name as what was meant
        example = f", for example {_EXAMPLES[name]}" if name in _EXAMPLES else ""
        document.fault(
            faults, keys, f"is missing; add {name} under {dotted(keys[:-1]) or 'the top of the file'}{example}"
        )
    elif kind == "extra_forbidden":
        known = _known_keys(schema, keys[:-1], document)
        free = [name for name in known if not document.holds((*keys[:-1], name))]
        document.fault(faults, keys, f"unknown key; {nearest(str(keys[-1]), free or known)}")
    elif kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = str(context.get("discriminator", "type")).strip("'")
        allowed = str(context.get("expected_tags") or _tags(schema, keys, document)).replace("'", "")
        if kind == "union_tag_not_found":
            document.fault(faults, keys, f"{tag} is missing; add {tag}: one of {allowed}")
        else:
            wrong = str(context.get("tag"))
            document.fault(faults, (*keys, tag), f"must be one of {allowed}{_hint(wrong, allowed)}")
    else:
        document.fault(faults, keys, _words(kind, keys, context, details["msg"], document.get(keys)))


def _words(kind: str, keys: Keys, context: Mapping[str, Any], message: str, value: object) -> str:
    """Return what is expected and what to do."""
    if kind == "value_error":
        text = message.removeprefix("Value error, ")
        return text + _bounds_remedy(text, value) if text.startswith("lower bound") else text
    if kind == "json_invalid":
        return "holds something that cannot be read; write plain text and numbers"
    if keys == ("lab",):
        return "must be the path of a lab file, or a simulator such as {simulator: flow-chemistry}"
    if _is_argument(keys):
        return "an argument must be a number, text, true or false; write the value itself or $parameter"
    if kind.endswith("_type") and (expected := _KINDS.get(kind.removesuffix("_type"))):
        return f"must be {expected}"
    if kind == "int_from_float":
        return "must be a whole number"
    if kind == "finite_number":
        return "must be an ordinary number; infinity and nan are not"
    if kind == "too_short":
        least = context.get("min_length", 1)
        return f"needs at least {least} {'entry' if least == 1 else 'entries'}; add what is missing"
    if kind == "too_long":
        return f"may have at most {context.get('max_length')} entries; remove some"
    if kind == "string_too_long":
        return f"may have at most {context.get('max_length')} characters; shorten it"
    if kind == "string_pattern_mismatch":
        allowed = (
            "begin with a letter or digit and hold only letters, digits and _ . + @ - (no spaces)"
            if "@" in str(context.get("pattern"))
            else "begin with a letter and hold only letters, digits, spaces and _ ( ) / % . + -"
        )
        return f"a name must {allowed}; rename it"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        sign, limit = {"greater_than": ("more than", "gt"), "greater_than_equal": ("at least", "ge"),
                       "less_than": ("less than", "lt"), "less_than_equal": ("at most", "le")}[kind]  # fmt: skip
        return f"must be {sign} {context[limit]:,}".replace(",", " ") if context[limit] != 0 else f"must be {sign} 0"
    if kind in ("literal_error", "enum"):
        allowed = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ")
        return f"must be one of {allowed}{_hint(str(value), allowed)}"
    return message[:1].lower() + message[1:]


def _bounds_remedy(text: str, value: object) -> str:
    if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
        return "; widen the range, or leave the parameter out and put the value into the protocol"
    return "; swap them"


def _written_keys(location: tuple[int | str, ...], document: Document, kind: str) -> Keys:
    """Return where the user wrote what pydantic names: without the tags of unions and without steps into them."""
    keys = tuple(key for key in location if key != "[key]")
    if keys[:1] in (("parameters",), ("context",)) and len(keys) > 2:
        keys = (*keys[:2], *keys[3:])
    if keys[:2] == ("proposals", "surrogate") and len(keys) > 2:
        keys = (*keys[:2], *keys[3:])
    if _is_argument(keys):  # steps into the union of what an argument may be
        keys = keys[:4]
    kept = 0
    while kept < len(keys) and document.holds(keys[: kept + 1]):
        kept += 1
    return keys if kind == "missing" and kept >= len(keys) - 1 else keys[:kept]


def _is_argument(keys: Keys) -> bool:
    return len(keys) > 3 and keys[0] == "protocol" and keys[2] == "with"


def _known_keys(schema: dict[str, Any], keys: Keys, document: Document) -> list[str]:
    return list(_descend(schema, keys, document).get("properties", {}))


def _misspelt(name: str, schema: dict[str, Any], keys: Keys, document: Document) -> bool:
    known = _known_keys(schema, keys, document)
    unknown = [str(key) for key in document.get(keys, {}) if key not in known]
    return any(name in difflib.get_close_matches(key, known, n=1, cutoff=0.6) for key in unknown)


def _hint(wrong: str, allowed: str) -> str:
    near = difflib.get_close_matches(shortened(wrong), allowed.split(", "), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def _tags(schema: dict[str, Any], keys: Keys, document: Document) -> str:
    entry = _descend(schema, keys, document, into_union=False)
    return listed(entry.get("discriminator", {}).get("mapping", {}))


def _descend(schema: dict[str, Any], keys: Keys, document: Document, *, into_union: bool = True) -> dict[str, Any]:
    """Return the part of `schema` that describes the entry at `keys`."""
    here = schema
    for depth in range(len(keys) + 1):
        here = _resolved(schema, here)
        mapping = here.get("discriminator", {}).get("mapping", {})
        if mapping and (into_union or depth < len(keys)):
            tag = document.get((*keys[:depth], here["discriminator"]["propertyName"]))
            here = _resolved(schema, {"$ref": mapping[tag]} if tag in mapping else {})
        if depth == len(keys):
            break
        key = keys[depth]
        if isinstance(key, int):
            here = here.get("items", {})
        else:
            # Names bound by a pattern and free names are described alike for every key.
            others = next(iter(here.get("patternProperties", {}).values()), here.get("additionalProperties"))
            here = here.get("properties", {}).get(key) or (others if isinstance(others, dict) else {})
    return here


def _resolved(schema: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and into the one part of an optional entry that is not null."""
    while True:
        if "$ref" in entry:
            entry = schema["$defs"][entry["$ref"].rpartition("/")[2]]
        elif "anyOf" in entry and (parts := [p for p in entry["anyOf"] if p.get("type") != "null"]):
            entry = parts[0]
        else:
            return entry
