"""JSON Schema of the files that users write, for editors: titles, and the descriptions that stand in the code."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from controller.domain import (
    campaign,
    cost,
    desirability,
    drift,
    fidelity,
    knowledge,
    lab,
    notification,
    objective,
    parameter,
)
from controller.files import labfile
from surrogates import specs

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def campaign_schema() -> dict[str, Any]:
    """Return the JSON Schema of a campaign file."""
    return _schema(campaign.CampaignFile, "Labwright campaign file")


def lab_schema() -> dict[str, Any]:
    """Return the JSON Schema of a lab file."""
    return _schema(labfile.LabFile, "Labwright lab file")


def notify_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file that says who is told of what."""
    return _schema(notification.NotifyFile, "Labwright notify file")


def topic_texts() -> dict[str, str]:
    """Return what each topic of a notification means."""
    body = ast.parse(textwrap.dedent(inspect.getsource(notification.Topic))).body[0]
    found = {}
    for statement, following in pairwise(body.body if isinstance(body, ast.ClassDef) else []):
        match statement, following:
            case ast.Assign(value=ast.Constant(value=str() as topic)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[topic] = inspect.cleandoc(text)
    return found


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of the file whose model this is; of a campaign file where it is none of the others."""
    if "instruments" in model.model_fields:
        return lab_schema()
    return notify_schema() if model is notification.NotifyFile else campaign_schema()


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    models = _models()
    for name, entry in [(model.__name__, schema), *schema.get("$defs", {}).items()]:
        if name in models:
            texts = _field_texts(models[name])
            for field, content in entry.get("properties", {}).items():
                if field in texts:
                    content["description"] = texts[field]
            entry["description"] = inspect.getdoc(models[name]).split("\n\nAttributes:")[0]  # type: ignore[union-attr]  # every model has a docstring
    return {"$schema": _DIALECT, **schema, "title": title}


@cache
def _models() -> dict[str, type[BaseModel]]:
    """Return every model that a file can embed, by class name."""
    return {
        name: item
        for module in (
            campaign, cost, desirability, drift, fidelity, knowledge, lab, notification, objective, parameter, labfile, specs
        )
        for name, item in vars(module).items()
        if inspect.isclass(item) and issubclass(item, BaseModel) and item.__module__ == module.__name__
    }


def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the description of each field, by the key a user writes.

    It is the string below the field, or the field's entry under `Attributes:` in the class's docstring.
    """
    texts: dict[str, str] = {}
    for base in model.__bases__:
        if issubclass(base, BaseModel) and base.model_fields:
            texts |= _field_texts(base)
    texts |= _attribute_section(inspect.getdoc(model) or "")
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for statement, following in pairwise(statements):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                texts[name] = inspect.cleandoc(text)
    return {model.model_fields[name].alias or name: text for name, text in texts.items() if name in model.model_fields}


def _attribute_section(doc: str) -> dict[str, str]:
    texts: dict[str, str] = {}
    current = ""
    for line in doc.partition("\nAttributes:\n")[2].splitlines():
        name, colon, text = line.strip().partition(": ")
        if colon and line.startswith("    ") and not line.startswith("     ") and name.isidentifier():
            current, texts[name] = name, text
        elif current and line.strip():
            texts[current] += " " + line.strip()
    return texts
