"""What an experiment costs, by its setting and by what has to be changed since the one before."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, field_validator

from controller.domain.base import LATER, Model, Name, Value
from controller.domain.constraint import MAX_LENGTH
from controller.domain.expression import PYTHON, Expression, Number, evaluate, parse

Price = Annotated[float, Field(ge=0, le=1e12)]


class Cost(Model):
    """What an experiment costs: the sum of its parts."""

    unit: str | None = None
    """For people: EUR, h, mg of a precious sample."""
    each: Annotated[str | float, Field(union_mode="left_to_right")] = 0.0
    """A number, or an expression of the parameters that are numbers, such as `5 + 0.02 * time`."""
    choices: Annotated[dict[Name, dict[str, Price]], LATER] = {}
    """Parameter -> choice -> what it adds; a choice that is not named adds nothing."""
    change: Annotated[dict[Name, Price], LATER] = {}
    """Parameter -> what is added where its setting differs from that of the experiment before: a wash, a new reel, a warm-up."""

    @field_validator("each")
    @classmethod
    def _check_each(cls, each: str | float) -> str | float:
        parsed(each)
        return each

    @cached_property
    def expression(self) -> Expression:
        """`each`, parsed."""
        return parsed(self.each)

    def of(self, point: Mapping[str, Value], previous: Mapping[str, Value]) -> float:
        """Return what `point` costs after `previous` (empty: nothing needs to be changed); not a number where undefined."""
        numbers = {name: float(value) for name, value in point.items() if not isinstance(value, str)}
        total = float(evaluate(self.expression, numbers, PYTHON))
        total += sum(prices.get(str(point.get(name)), 0.0) for name, prices in self.choices.items())
        return total + sum(price for name, price in self.change.items() if name in previous and differs(point, previous, name))


def differs(point: Mapping[str, Value], previous: Mapping[str, Value], name: str) -> bool:
    """Say whether a parameter is set to something else than before, beyond rounding."""
    a: Any = point.get(name)
    b: Any = previous.get(name)
    if isinstance(a, str) or isinstance(b, str) or a is None or b is None:
        return bool(a != b)
    return not math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)


def parsed(text: str | float) -> Expression:
    """Parse an expression of parameters.

    Raises:
        ValueError: If it is none; the message says how to write it.
    """
    if not isinstance(text, str):
        return Number(float(text))
    source = " ".join(text.split())
    if len(source) > MAX_LENGTH:
        raise ValueError(f"an expression may have {MAX_LENGTH} characters, this one has {len(source)}; shorten it")
    try:
        return parse(ast.parse(source, mode="eval").body, source)
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not an expression ({error.msg}); write for example 5 + 0.02 * time") from None
    except (RecursionError, MemoryError):  # how the parser gives up on what is nested too deeply
        raise ValueError(f"{text[:40]!r}… is nested too deeply; write it flat") from None
