"""The JSON Schemas say of every key what the code says, and admit the files that are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.files.reading import read_document
from controller.files.schema import campaign_schema, lab_schema

ROOT = Path(__file__).resolve().parents[3]
CAMPAIGNS = [*sorted((ROOT / "examples").glob("*/campaign.yaml")), ROOT / "controller/files/template/campaign.yaml"]
LABS = [*sorted((ROOT / "examples").glob("*/lab.yaml")), ROOT / "controller/files/template/lab.yaml"]
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "number": (int, float), "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None),
}  # fmt: skip


def mismatches(schema: dict[str, Any], entry: dict[str, Any], value: object, place: str = "") -> Iterator[str]:
    """Compare a value with a schema: types, constants, known and required keys; as far as our schemas go."""
    if "$ref" in entry:
        yield from mismatches(schema, schema["$defs"][entry["$ref"].rpartition("/")[2]], value, place)
        return
    for union in ("anyOf", "oneOf"):
        if union in entry:
            if all(list(mismatches(schema, part, value, place)) for part in entry[union]):
                yield f"{place}: fits none"
            return
    if "const" in entry and value != entry["const"]:
        yield f"{place}: is not {entry['const']}"
    if "enum" in entry and value not in entry["enum"]:
        yield f"{place}: is not in {entry['enum']}"
    kind = entry.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{place}: {value!r} is no {kind}"
    if isinstance(value, dict):
        known = entry.get("properties", {})
        others = next(iter(entry.get("patternProperties", {}).values()), entry.get("additionalProperties", True))
        yield from (f"{place}.{name}: missing" for name in entry.get("required", []) if name not in value)
        for name, content in value.items():
            if name in known:
                yield from mismatches(schema, known[name], content, f"{place}.{name}")
            elif isinstance(others, dict):
                yield from mismatches(schema, others, content, f"{place}.{name}")
            elif others is False:
                yield f"{place}.{name}: unknown"
    if isinstance(value, list):
        parts = entry.get("prefixItems", [entry.get("items", {})] * len(value))
        for i, (part, item) in enumerate(zip(parts, value, strict=False)):
            yield from mismatches(schema, part, item, f"{place}[{i}]")


@pytest.mark.parametrize("path", CAMPAIGNS, ids=lambda p: p.parent.name)
def test_campaign_schema_admits_campaigns_that_are_right(path: Path) -> None:
    schema = campaign_schema()
    assert list(mismatches(schema, schema, read_document(path).data)) == []


@pytest.mark.parametrize("path", LABS, ids=lambda p: p.parent.name)
def test_lab_schema_admits_labs_that_are_right(path: Path) -> None:
    schema = lab_schema()
    assert list(mismatches(schema, schema, read_document(path).data)) == []


@pytest.mark.parametrize(
    ("keys", "value"),
    [(("parameters", "temperature", "bound"), [1, 2]), (("parameters", "temperature", "type"), "contnuous"), (("batch",), "two"),
     (("colour",), "red"), (("objectives", "e_factor", "goal"), "more"), (("budget",), {})],
)  # fmt: skip
def test_campaign_schema_refuses_what_the_checker_refuses(keys: tuple[str, ...], value: object) -> None:
    schema = campaign_schema()
    data = json.loads(json.dumps(read_document(ROOT / "controller/files/template/campaign.yaml").data))
    here = data
    for key in keys[:-1]:
        here = here[key]
    here[keys[-1]] = value
    assert list(mismatches(schema, schema, data))


@pytest.mark.parametrize("schema", [campaign_schema(), lab_schema()], ids=["campaign", "lab"])
def test_schema_describes_its_models_and_fields_from_the_code(schema: dict[str, Any]) -> None:
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["title"].startswith("Labwright")
    assert all(entry.get("description") for entry in schema["$defs"].values() if entry.get("type") == "object")
    assert json.loads(json.dumps(schema)) == schema


def test_schema_takes_the_text_below_a_field_and_the_attributes_of_a_class() -> None:
    definitions = campaign_schema()["$defs"]
    assert (
        definitions["ContinuousParameter"]["properties"]["bounds"]["description"]
        == "Lowest and highest setting [unit]."
    )
    assert definitions["GPSpec"]["properties"]["members"]["description"] == "The members; None takes those of `recipe`."
    assert "Attributes" not in definitions["GPSpec"]["description"]
    assert lab_schema()["$defs"]["StepSpec"]["properties"]["with"]["description"].startswith("Argument name")
