"""Linear constraints between parameters, written as expressions: `a + b + c == 1`, `temperature + 100 * x <= 130`.

Only what is linear is accepted; the expression is parsed, never evaluated as code.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from controller.domain.base import Value

Sense = Literal["<=", ">=", "=="]
_SENSES: dict[type[ast.cmpop], Sense] = {ast.LtE: "<=", ast.GtE: ">=", ast.Eq: "=="}


@dataclass(frozen=True)
class LinearConstraint:
    """`sum(coefficients[name] * point[name])  sense  bound`."""

    coefficients: tuple[tuple[str, float], ...]
    sense: Sense
    bound: float
    text: str

    def residual(self, point: Mapping[str, Value]) -> float:
        """Return left side minus right side at `point`."""
        return sum(c * float(point[name]) for name, c in self.coefficients) - self.bound

    def allows(self, point: Mapping[str, Value], tolerance: float = 1e-6) -> bool:
        """Say whether `point` satisfies the constraint to `tolerance`, relative to the size of its terms."""
        scale = max([abs(self.bound), 1e-12, *(abs(c * float(point[name])) for name, c in self.coefficients)])
        slack = self.residual(point) / max(scale, 1.0)
        if self.sense == "==":
            return abs(slack) <= tolerance
        return slack <= tolerance if self.sense == "<=" else slack >= -tolerance


def parse_constraint(text: str) -> LinearConstraint:
    """Parse one linear equality or inequality.

    Raises:
        ValueError: If `text` is not a linear comparison of parameters and numbers; the message says what is wrong and how to
            write it.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not an expression ({error.msg}); write for example a + 2 * b <= 10") from None
    if not isinstance(tree, ast.Compare) or len(tree.ops) != 1:
        raise ValueError(f"{text!r} must be one comparison with <=, >= or ==, for example a + b + c == 1")
    sense = _SENSES.get(type(tree.ops[0]))
    if sense is None:
        raise ValueError(
            f"{text!r} must compare with <=, >= or == (not < or >: a bound always belongs to the allowed range)"
        )
    left, right = _linear(tree.left, text), _linear(tree.comparators[0], text)
    names = sorted((left.keys() | right.keys()) - {""})
    coefficients = tuple((n, c) for n in names if (c := left.get(n, 0.0) - right.get(n, 0.0)) != 0.0)
    if not coefficients:
        raise ValueError(f"{text!r} names no parameter")
    return LinearConstraint(coefficients, sense, right.get("", 0.0) - left.get("", 0.0), text.strip())


def _linear(node: ast.expr, text: str) -> dict[str, float]:
    """Return coefficients by parameter name; the constant stands under the empty name."""
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return {"": float(number)}
        case ast.Name(id=name):
            return {name: 1.0}
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return {k: -v for k, v in _linear(inner, text).items()}
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _linear(inner, text)
        case ast.BinOp(left=a, op=ast.Add() | ast.Sub() as op, right=b):
            left, right, sign = _linear(a, text), _linear(b, text), 1.0 if isinstance(op, ast.Add) else -1.0
            return {k: left.get(k, 0.0) + sign * right.get(k, 0.0) for k in left.keys() | right.keys()}
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            left, right = _linear(a, text), _linear(b, text)
            if left.keys() - {""} and right.keys() - {""}:
                raise ValueError(f"{text!r} is not linear: {ast.unparse(node)} multiplies two parameters")
            factor, terms = (left[""], right) if left.keys() == {""} else (right[""], left)
            return {k: factor * v for k, v in terms.items()}
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            divisor = _linear(b, text)
            if divisor.keys() != {""} or divisor[""] == 0.0:
                raise ValueError(f"{text!r} is not linear: divide only by a number other than zero")
            return {k: v / divisor[""] for k, v in _linear(a, text).items()}
    raise ValueError(f"{text!r} may hold only parameters, numbers and + - * /, found {ast.unparse(node)}")
