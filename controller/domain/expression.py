"""Arithmetic over parameters: `exp(-t / 10) + c ** 2`, parsed and never evaluated as code.

One tree is evaluated over Python's floats, NumPy's arrays and torch's tensors alike: who evaluates hands in the functions.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, TypeAlias

MAX_DEPTH: Final = 250
"""Most operations inside each other; a plain sum of so many terms is as deep. Well below what Python's stack takes."""

_BINARY: Final[Mapping[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip
_ONE: Final = ("exp", "log", "log10", "sqrt", "abs", "sin", "cos")
_MANY: Final = ("min", "max", "count")
WORDS: Final = (*_ONE, *_MANY)
"""Functions that an expression may use; `count` is how many of its arguments are not zero."""


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Named:
    """The setting of a parameter."""

    name: str


@dataclass(frozen=True)
class Call:
    """An operation or a function of other expressions."""

    function: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = Number | Named | Call
Functions: TypeAlias = Mapping[str, Callable[..., Any]]
"""Name of an operation or function -> what computes it."""


def names(expression: Expression) -> Iterator[str]:
    """Yield the parameters of an expression, each as often as it stands there."""
    if isinstance(expression, Named):
        yield expression.name
    elif isinstance(expression, Call):
        for argument in expression.arguments:
            yield from names(argument)


def evaluate(expression: Expression, values: Mapping[str, Any], functions: Functions) -> Any:
    """Return the value of an expression.

    Args:
        expression: What to compute.
        values: Parameter -> number, array or tensor; arrays of one shape, or of shapes that broadcast.
        functions: `PYTHON`, or `functions_of` numpy or torch.
    """
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Named):
        return values[expression.name]
    return functions[expression.function](*(evaluate(a, values, functions) for a in expression.arguments))


def terms(expression: Expression, sign: float = 1.0) -> Iterator[tuple[float, Expression]]:
    """Yield the terms of a sum, each with its sign."""
    match expression:
        case Call("+", (left, right)):
            yield from terms(left, sign)
            yield from terms(right, sign)
        case Call("-", (left, right)):
            yield from terms(left, sign)
            yield from terms(right, -sign)
        case Call("negative", (inner,)):
            yield from terms(inner, -sign)
        case _:
            yield sign, expression


def parse(node: ast.expr, text: str, depth: int = 0) -> Expression:
    """Return the expression that a node of Python's syntax tree stands for; what is constant is computed.

    Args:
        node: The node.
        text: What it was parsed from, for messages.
        depth: How many operations are around it.

    Raises:
        ValueError: If there is anything but parameters, numbers, operations and functions.
    """
    if depth > MAX_DEPTH:
        raise ValueError(
            f"{text[:40]!r}… has more than {MAX_DEPTH} operations inside each other; write it flat, or as several constraints"
        )
    deeper = depth + 1
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return _constant(number, text)
        case ast.Name(id=name):
            return Named(name)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _folded(Call("negative", (parse(inner, text, deeper),)), text)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return parse(inner, text, deeper)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _folded(Call(_BINARY[type(op)], (parse(left, text, deeper), parse(right, text, deeper))), text)
        case ast.Call(func=ast.Name(id=word), args=arguments, keywords=[]) if word in WORDS:
            if not arguments or (word in _ONE and len(arguments) != 1):
                wanted = "one argument" if word in _ONE else "arguments between its brackets, separated by commas"
                raise ValueError(f"{text!r}: {word} needs {wanted}")
            return _folded(Call(word, tuple(parse(a, text, deeper) for a in arguments)), text)
    found = ast.get_source_segment(text, node) or type(node).__name__
    raise ValueError(f"{text!r} may hold only parameters, numbers, + - * / ** and {', '.join(WORDS)}, found {found}")


def _constant(number: float, text: str) -> Number:
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(f"{text!r} holds a number too large to calculate with, or none at all; write it in another unit")
    return Number(value)


def _folded(call: Call, text: str) -> Expression:
    """Return a call of constants as a constant, so that functions of arrays are only ever given arrays."""
    if all(isinstance(a, Number) for a in call.arguments):
        return _constant(evaluate(call, {}, PYTHON), text)
    return call


def functions_of(module: Any) -> Functions:
    """Return the functions over the arrays of `module`, numpy or torch; without errors, not a number where undefined."""

    def where(condition: Any, a: Any, b: Any) -> Any:
        if isinstance(condition, bool):  # the same everywhere
            return a if condition else b
        return module.where(condition, a, b)

    def larger(a: Any, b: Any) -> Any:
        return where((a > b) | (a != a), a, b)  # what is not a number stays so

    def smaller(a: Any, b: Any) -> Any:
        return where((a < b) | (a != a), a, b)

    words = {word: getattr(module, word) for word in _ONE}
    return {**words, **_OPERATORS, "max": _of_many(larger), "min": _of_many(smaller), "where": where}


def _count(*values: Any) -> Any:
    return sum((v != 0) * 1.0 for v in values)


def _of_many(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda *values: reduce(function, values)


_OPERATORS: Final[Functions] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "**": operator.pow,
    "negative": operator.neg, "abs": abs, "count": _count,
}  # fmt: skip


class _Floats:
    """Python's functions of floats, not a number where they are undefined."""

    def __getattr__(self, name: str) -> Callable[..., float]:
        return _tolerant(getattr(math, name))

    abs = abs


def _tolerant(function: Callable[..., float]) -> Callable[..., float]:
    def tolerant(*values: float) -> float:
        try:
            return float(function(*values))
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan

    return tolerant


PYTHON: Final[Functions] = {
    **functions_of(_Floats()),
    **{sign: _tolerant(_OPERATORS[sign]) for sign in "+-*/"},
    "**": _tolerant(math.pow),
}
"""The functions over Python's floats."""
