"""Constraints that are not linear: `a * b <= 3`, `temperature <= 95 if solvent == "water"`, `count(a, b, c) <= 2`.

A *rule* is a comparison, or several joined by `and` and `or`, and may end in `if` with a condition: it is asked only of
settings that meet the condition. Categories are compared with choices in quotes, by `==`, `!=`, `in` and `not in`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from controller.domain.base import Value
from controller.domain.constraint import MAX_LENGTH, LinearConstraint, parse_constraint
from controller.domain.expression import (
    MAX_DEPTH,
    PYTHON,
    Call,
    Expression,
    Functions,
    Named,
    Number,
    evaluate,
    functions_of,
    names,
    parse,
    terms,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE: Final = 1e-9
"""How far a comparison may be missed, as a share of its largest term: what nine digits cannot tell apart."""

_INFINITY: Final = float("inf")
_STRANGE: Final = re.compile(r"[^A-Za-z0-9_.+\-*/()<>=!,\[\] ]")
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_IF: Final = re.compile(r"\bif\b")
_EXAMPLE: Final = 'write for example a * b <= 3, or temperature <= 95 if solvent == "water"'

Sense = Literal["<=", ">=", "<", ">", "==", "!="]
_SENSES: Final[Mapping[type[ast.cmpop], Sense]] = {
    ast.LtE: "<=", ast.GtE: ">=", ast.Lt: "<", ast.Gt: ">", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """The sum of `terms`, each with its sign, compared with zero."""

    terms: tuple[tuple[float, Expression], ...]
    sense: Sense

    def holds(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Say whether it holds, to rounding; never where a term is not a finite number."""
        parts = [sign * evaluate(term, values, functions) for sign, term in self.terms]
        total = sum(parts)
        size = functions["max"](*(abs(part) for part in parts)) if len(parts) > 1 else abs(total)
        slack = TOLERANCE * size
        met = {
            "<=": total <= slack, ">=": total >= -slack, "<": total < -slack, ">": total > slack,
            "==": abs(total) <= slack, "!=": abs(total) > slack,
        }[self.sense]  # fmt: skip
        return met & (size < _INFINITY)

    def excess(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Return by how much it is missed; not above zero where it holds."""
        total = sum(sign * evaluate(term, values, functions) for sign, term in self.terms)
        match self.sense:
            case "<=" | "<":
                return total
            case ">=" | ">":
                return -total
            case "==":
                return abs(total)
        return -abs(total)

    def named(self) -> Iterator[str]:
        """Yield the parameters that stand in it as numbers."""
        for _, term in self.terms:
            yield from names(term)


@dataclass(frozen=True)
class Among:
    """A category is one of some choices, or none of them."""

    name: str
    choices: tuple[str, ...]
    wanted: bool

    def holds(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Say whether it holds; `values` has the name of the choice, or an array of names."""
        found = values[self.name]
        inside = found == self.choices[0]
        for choice in self.choices[1:]:
            inside = inside | (found == choice)
        return inside if self.wanted else inside ^ True

    def excess(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Return 1 where it is missed, -1 where it holds."""
        return functions["where"](self.holds(values, functions), -1.0, 1.0)

    def named(self) -> Iterator[str]:
        """Yield nothing: it compares no number."""
        yield from ()


@dataclass(frozen=True)
class Junction:
    """Several formulas of which every one holds, or at least one."""

    every: bool
    parts: tuple[Formula, ...]

    def holds(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Say whether it holds."""
        met = self.parts[0].holds(values, functions)
        for part in self.parts[1:]:
            other = part.holds(values, functions)
            met = met & other if self.every else met | other
        return met

    def excess(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Return the largest excess, or the least where one is enough."""
        return functions["max" if self.every else "min"](*(part.excess(values, functions) for part in self.parts))

    def named(self) -> Iterator[str]:
        """Yield the parameters that stand in it as numbers."""
        for part in self.parts:
            yield from part.named()


Formula: TypeAlias = Comparison | Among | Junction


@dataclass(frozen=True)
class Cardinality:
    """Of some parameters at least `low` and at most `high` are not zero."""

    names: tuple[str, ...]
    low: int
    high: int


@dataclass(frozen=True)
class Rule:
    """A constraint that is not linear, or asked only under a condition."""

    demand: Formula
    condition: Formula | None
    text: str

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Parameters that are calculated with."""
        return frozenset(name for formula in self._formulas for name in formula.named())

    @cached_property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """Categories -> the choices that they are compared with."""
        found: dict[str, tuple[str, ...]] = {}
        for part in (atom for formula in self._formulas for atom in _atoms(formula)):
            if isinstance(part, Among):
                found[part.name] = (*found.get(part.name, ()), *part.choices)
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """All parameters that it names."""
        return self.numbers | self.choices.keys()

    @property
    def _formulas(self) -> tuple[Formula, ...]:
        return (self.demand,) if self.condition is None else (self.demand, self.condition)

    def allows(self, point: Mapping[str, Value]) -> bool:
        """Say whether `point` satisfies it; one that does not set every parameter that it names is not asked."""
        if not self.names <= point.keys():
            return True
        values = {name: float(point[name]) if name in self.numbers else str(point[name]) for name in self.names}
        return bool(self.holds(values, PYTHON))

    def met(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Say for each row of `columns` (parameter -> n settings) what `allows` says of it alone: n truth values."""
        import numpy as np

        n = len(next(iter(columns.values())))
        with np.errstate(all="ignore"):
            met: NDArray[np.bool_] = np.broadcast_to(np.asarray(self.holds(columns, functions_of(np))), n)
        return met

    def holds(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Say whether it is satisfied; as `Comparison.holds`."""
        met = self.demand.holds(values, functions)
        return met if self.condition is None else met | (self.condition.holds(values, functions) ^ True)

    def excess(self, values: Mapping[str, Any], functions: Functions) -> Any:
        """Return by how much it is missed; not above zero where it is satisfied."""
        excess = self.demand.excess(values, functions)
        if self.condition is None:
            return excess
        return functions["where"](self.condition.holds(values, functions), excess, -1.0)

    @cached_property
    def cardinality(self) -> Cardinality | None:
        """What it says of how many parameters are zero, where it says nothing else."""
        if self.condition is not None or not isinstance(self.demand, Comparison):
            return None
        counted: tuple[Expression, ...] | None = None
        side, rest = 0.0, 0.0
        for sign, term in self.demand.terms:
            match term:
                case Number(value):
                    rest -= sign * value
                case Call("count", arguments) if counted is None and all(isinstance(a, Named) for a in arguments):
                    counted, side = arguments, sign
                case _:
                    return None
        if counted is None:
            return None
        bound, sense = rest * side, self.demand.sense
        if side < 0:
            sense = {"<=": ">=", ">=": "<="}.get(sense, sense)  # type: ignore[assignment]  # both are senses
        slack = 1e-9
        low = max(0, -int(-(bound - slack) // 1)) if sense in (">=", "==") else 0
        high = min(len(counted), int((bound + slack) // 1)) if sense in ("<=", "==") else len(counted)
        return Cardinality(tuple(a.name for a in counted if isinstance(a, Named)), low, high)


Constraint: TypeAlias = LinearConstraint | Rule


def _atoms(formula: Formula) -> Iterator[Formula]:
    if isinstance(formula, Junction):
        for part in formula.parts:
            yield from _atoms(part)
    else:
        yield formula


def constraint_of(text: str) -> Constraint:
    """Parse a constraint of any kind.

    Raises:
        ValueError: If `text` is none; the message says what is wrong and how to write it.
    """
    try:
        return parse_constraint(text)
    except ValueError:
        return parse_rule(text)


def of_linear(constraint: LinearConstraint) -> Rule:
    """Return a linear inequality as a rule, which is not asked of points that do not set all its parameters."""
    parts: list[tuple[float, Expression]] = [(1.0, Call("*", (Number(c), Named(name)))) for name, c in constraint.coefficients]
    return Rule(Comparison((*parts, (-1.0, Number(constraint.bound))), constraint.sense), None, constraint.text)


def parse_rule(text: str) -> Rule:
    """Parse a rule.

    Raises:
        ValueError: If `text` is none; the message says what is wrong and how to write it.
    """
    source = " ".join(text.split())
    if len(source) > MAX_LENGTH:
        raise ValueError(f"a constraint may have {MAX_LENGTH} characters, this one has {len(source)}; divide it into several")
    masked = _QUOTED.sub(lambda match: "_" * len(match.group()), source)
    if strange := _STRANGE.search(masked):
        raise ValueError(
            f"{text!r} may hold only parameters, numbers, functions, choices in quotes, + - * / ** ( ) and comparisons, "
            f"found {strange.group()!r}; {_EXAMPLE}"
        )
    places = [match.span() for match in _IF.finditer(masked)]
    if len(places) > 1:
        raise ValueError(f"{text!r} has more than one if; join the conditions by and")
    demand = _parsed(source[: places[0][0]] if places else source, text)
    condition = _parsed(source[places[0][1] :], text) if places else None
    rule = Rule(demand, condition, text.strip())
    if both := sorted(rule.numbers & rule.choices.keys()):
        raise ValueError(f"{text!r} compares {both[0]} with a choice and calculates with it; it can be only one of the two")
    if not {*demand.named(), *(a.name for a in _atoms(demand) if isinstance(a, Among))}:
        raise ValueError(f"{text!r} names no parameter")
    for part in _atoms(demand):
        _check_demand(part, text)
    return rule


def _check_demand(part: Formula, text: str) -> None:
    if not isinstance(part, Comparison) or part.sense in ("<=", ">="):
        return
    counts = all(isinstance(term, Number) or (isinstance(term, Call) and term.function == "count") for _, term in part.terms)
    if part.sense == "==" and not counts:
        raise ValueError(
            f"{text!r} is an equality that is not linear, or has a condition: points would have to lie on a curve; write it as two "
            "inequalities with a tolerance, such as a * b >= 2.9 and a * b <= 3.1 (one constraint each)"
        )
    if part.sense != "==":
        raise ValueError(
            f"{text!r} must compare numbers with <=, >= or == (not {part.sense}: a bound always belongs to the allowed range)"
        )


def _parsed(source: str, text: str) -> Formula:
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"{text!r} is not an expression ({error.msg}); {_EXAMPLE}") from None
    except (RecursionError, MemoryError):  # how the parser gives up on what is nested too deeply
        raise ValueError(f"{text[:40]!r}… has more than {MAX_DEPTH} operations inside each other; write it flat") from None
    return _formula(tree, source.strip())


def _formula(node: ast.expr, text: str, depth: int = 0) -> Formula:
    if depth > MAX_DEPTH:
        raise ValueError(f"{text[:40]!r}… has more than {MAX_DEPTH} operations inside each other; write it flat")
    match node:
        case ast.BoolOp(op=op, values=parts):
            return Junction(isinstance(op, ast.And), tuple(_formula(part, text, depth + 1) for part in parts))
        case ast.Compare(ast.Name(id=name), [ast.In() | ast.NotIn() as op], [group]):
            return Among(name, _choices(group, text), isinstance(op, ast.In))
        case ast.Compare(ast.Name(id=name), [ast.Eq() | ast.NotEq() as op], [ast.Constant(value=str() as choice)]):
            return Among(name, (choice,), isinstance(op, ast.Eq))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SENSES:
            difference = (*terms(parse(left, text, depth)), *terms(parse(right, text, depth), -1.0))
            return Comparison(difference, _SENSES[type(op)])
    raise ValueError(
        f"{text!r} must be a comparison with <=, >= or ==, or several joined by and, or: {_EXAMPLE}"
    )


def _choices(node: ast.expr, text: str) -> tuple[str, ...]:
    entries = node.elts if isinstance(node, (ast.List, ast.Tuple)) else []
    choices = tuple(e.value for e in entries if isinstance(e, ast.Constant) and isinstance(e.value, str))
    if not choices or len(choices) < len(entries):
        raise ValueError(f'{text!r}: after in there must be choices in quotes, for example solvent in ["DMF", "DMSO"]')
    return choices
