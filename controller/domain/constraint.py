"""Linear constraints between parameters, written as expressions: `a + b + c == 1`, `temperature + 100 * x <= 130`.

Only what is linear is accepted; the expression is parsed, never evaluated as code.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from controller.domain.base import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Sense = Literal["<=", ">=", "=="]
_SENSES: dict[type[ast.cmpop], Sense] = {ast.LtE: "<=", ast.GtE: ">=", ast.Eq: "=="}

MAX_LENGTH: Final = 4000
"""Longest constraint [characters]."""
MAX_DEPTH: Final = 250
"""Most operations inside each other; a plain sum of so many terms is as deep. Well below what Python's stack takes."""

_TINY: Final = 1e-300
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_.+\-*/()<>=! ]")


@dataclass(frozen=True)
class LinearConstraint:
    """`sum(coefficients[name] * point[name])  sense  bound`."""

    coefficients: tuple[tuple[str, float], ...]
    sense: Sense
    bound: float
    text: str

    @property
    def names(self) -> frozenset[str]:
        """The parameters that it names."""
        return frozenset(name for name, _ in self.coefficients)

    @property
    def numbers(self) -> frozenset[str]:
        """Parameters that are calculated with: all of them."""
        return self.names

    def residual(self, point: Mapping[str, Value]) -> float:
        """Return left side minus right side at `point`."""
        return sum(c * float(point[name]) for name, c in self.coefficients) - self.bound

    def allows(self, point: Mapping[str, Value], tolerance: float = 1e-6, scale: float | None = None) -> bool:
        """Say whether `point` satisfies the constraint, to rounding.

        Args:
            point: A setting of every parameter that the constraint names.
            tolerance: How far it may be missed, as a share of `scale`.
            scale: The size that the largest term can have; by default the size of the largest term at `point`.
        """
        if scale is None:
            scale = max([abs(self.bound), *(abs(c * float(point[name])) for name, c in self.coefficients)])
        slack = self.residual(point) / max(scale, _TINY)
        if self.sense == "==":
            return abs(slack) <= tolerance
        return slack <= tolerance if self.sense == "<=" else slack >= -tolerance

    def met(self, columns: Mapping[str, NDArray[np.float64]], tolerance: float = 1e-6) -> NDArray[np.bool_]:
        """Say for each row of `columns` what `allows` says of it alone: n truth values.

        Args:
            columns: Parameter name -> n settings.
            tolerance: As for `allows`, with the scale that each row has by itself.
        """
        import numpy as np

        terms = [c * columns[name] for name, c in self.coefficients]
        total, scale = 0.0 * terms[0], np.full(len(terms[0]), max(abs(self.bound), _TINY))
        for term in terms:
            total, scale = total + term, np.maximum(scale, np.abs(term))
        slack = (total - self.bound) / scale
        met: NDArray[np.bool_] = np.ones(len(slack), bool)
        if self.sense != ">=":
            met &= slack <= tolerance
        if self.sense != "<=":
            met &= slack >= -tolerance
        return met


def parse_constraint(text: str) -> LinearConstraint:
    """Parse one linear equality or inequality.

    Raises:
        ValueError: If `text` is not a linear comparison of parameters and numbers; the message says what is wrong and how to
            write it.
    """
    source = " ".join(text.split())
    if len(source) > MAX_LENGTH:
        raise ValueError(f"a constraint may have {MAX_LENGTH} characters, this one has {len(source)}; divide it into several")
    if strange := _STRANGE.search(source):
        raise ValueError(
            f"{text!r} may hold only parameters, numbers, + - * / ( ) and one of <= >= ==, found {strange.group()!r}; "
            "write for example a + 2 * b <= 10"
        )
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not an expression ({error.msg}); write for example a + 2 * b <= 10") from None
    except (RecursionError, MemoryError):  # how the parser gives up on what is nested too deeply
        raise ValueError(_too_deep(source)) from None
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        raise ValueError(f"{text!r} must be one comparison with <=, >= or ==, for example a + b + c == 1")
    sense = _SENSES.get(type(tree.ops[0]))
    if sense is None:
        raise ValueError(
            f"{text!r} must compare with <=, >= or == (not < or >: a bound always belongs to the allowed range)"
        )
    left, right = _linear(tree.left, source), _linear(tree.comparators[0], source)
    names = sorted((left.keys() | right.keys()) - {""})
    coefficients = tuple((n, c) for n in names if (c := left.get(n, 0.0) - right.get(n, 0.0)) != 0.0)
    if not coefficients:
        raise ValueError(f"{text!r} names no parameter")
    bound = right.get("", 0.0) - left.get("", 0.0)
    if not all(math.isfinite(number) for number in (bound, *(c for _, c in coefficients))):
        raise ValueError(f"{text!r} holds a number too large to calculate with; write it in another unit")
    return LinearConstraint(coefficients, sense, bound, text.strip())


def _too_deep(text: str) -> str:
    return f"{text[:40]!r}… has more than {MAX_DEPTH} operations inside each other; write it flat, or as several constraints"


def _linear(node: ast.expr, text: str, depth: int = 0) -> dict[str, float]:
    """Return coefficients by parameter name; the constant stands under the empty name."""
    if depth > MAX_DEPTH:
        raise ValueError(_too_deep(text))
    deeper = depth + 1
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return {"": _finite(number, text)}
        case ast.Name(id=name):
            return {name: 1.0}
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return {k: -v for k, v in _linear(inner, text, deeper).items()}
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _linear(inner, text, deeper)
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b):
            left, right, sign = _linear(a, text, deeper), _linear(b, text, deeper), 1.0 if isinstance(op, ast.Add) else -1.0
            return {k: left.get(k, 0.0) + sign * right.get(k, 0.0) for k in left.keys() | right.keys()}
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            left, right = _linear(a, text, deeper), _linear(b, text, deeper)
            if left.keys() - {""} and right.keys() - {""}:
                raise ValueError(f"{text!r} is not linear: {_written(node, text)} multiplies two parameters")
            factor, terms = (left[""], right) if left.keys() == {""} else (right[""], left)
            return {k: factor * v for k, v in terms.items()}
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            divisor = _linear(b, text, deeper)
            if divisor.keys() != {""} or divisor[""] == 0.0:
                raise ValueError(f"{text!r} is not linear: divide only by a number other than zero")
            return {k: v / divisor[""] for k, v in _linear(a, text, deeper).items()}
    raise ValueError(f"{text!r} may hold only parameters, numbers and + - * /, found {_written(node, text)}")


def _finite(number: float, text: str) -> float:
    """Return a literal as a float; whole numbers can be too large for one."""
    try:
        converted = float(number)
    except OverflowError:
        converted = math.inf
    if not math.isfinite(converted):
        raise ValueError(f"{text!r} holds a number too large to calculate with; write it in another unit")
    return converted


def _written(node: ast.expr, text: str) -> str:
    return ast.get_source_segment(text, node) or type(node).__name__
