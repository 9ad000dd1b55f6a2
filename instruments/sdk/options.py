"""Building a driver from the options of a lab file: typed by its `__init__`, with errors a person can act on."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ConfigDict, Field, ValidationError, create_model

from instruments.errors import DriverDefinitionError, DriverOptionsError
from instruments.sdk.driver import Driver

D = TypeVar("D", bound=Driver)


def build_driver(driver_class: type[D], options: Mapping[str, Any]) -> D:
    """Make a driver.

    Args:
        driver_class: The class; the keywords of its `__init__` are its options, their annotations the types.
        options: By name, as read from a lab file.

    Returns:
        The driver, not yet set up.

    Raises:
        DriverOptionsError: If an option is unknown, missing or of the wrong type, or the class refuses it.
        DriverDefinitionError: If the class's `__init__` cannot be read.
    """
    name = driver_class.__name__
    fields, takes_any = _options_of(driver_class)
    for option in options:
        if option not in fields and not takes_any:
            near = difflib.get_close_matches(option, fields, n=3) or sorted(fields)
            raise DriverOptionsError(f"{name}: unknown option {option!r}; it takes {', '.join(near) or 'none'}")
    config = ConfigDict(extra="allow" if takes_any else "forbid", arbitrary_types_allowed=True, protected_namespaces=())
    # Aliases let an option have any name, also one that a pydantic model keeps for itself.
    definitions: dict[str, Any] = {
        f"option_{i}": (hint, _field(option, default)) for i, (option, (hint, default)) in enumerate(fields.items())
    }
    model = create_model(f"{name}Options", __config__=config, **definitions)
    try:
        checked = model.model_validate(dict(options))
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        lines = [f"{'.'.join(str(part) for part in d['loc'])}: {d['msg']}" for d in details[:5]]
        raise DriverOptionsError(f"{name}: options: {'; '.join(lines)}") from error
    values = {option: getattr(checked, f"option_{i}") for i, option in enumerate(fields)}
    if takes_any:
        values |= {key: value for key, value in options.items() if key not in fields}
    try:
        return driver_class(**values)
    except (ValueError, TypeError, OSError) as error:
        raise DriverOptionsError(f"{name}: {error}") from error


def _field(option: str, default: Any) -> Any:
    return Field(alias=option) if default is inspect.Parameter.empty else Field(default=default, alias=option)


def _options_of(driver_class: type[Driver]) -> tuple[dict[str, tuple[Any, Any]], bool]:
    init = driver_class.__init__
    if init is object.__init__:
        return {}, False
    try:
        hints = typing.get_type_hints(init, include_extras=True)
    except NameError as error:
        raise DriverDefinitionError(
            f"{driver_class.__name__}.__init__: an annotation cannot be read: {error}"
        ) from error
    fields: dict[str, tuple[Any, Any]] = {}
    takes_any = False
    for parameter in list(inspect.signature(init).parameters.values())[1:]:
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            fields[parameter.name] = (hints.get(parameter.name, Any), parameter.default)
        else:
            raise DriverDefinitionError(f"{driver_class.__name__}.__init__: {parameter} cannot be an option")
    return fields, takes_any
