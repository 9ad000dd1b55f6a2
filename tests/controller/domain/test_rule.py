"""Rules: what is written is what is asked, over floats, arrays and tensors alike, and nothing else is taken."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.constraint import LinearConstraint
from controller.domain.expression import PYTHON, evaluate, functions_of
from controller.domain.rule import Cardinality, Rule, constraint_of, parse_rule


@pytest.mark.parametrize(
    ("text", "point", "allowed"),
    [
        ("a * b <= 3", {"a": 1.5, "b": 2.0}, True),
        ("a * b <= 3", {"a": 1.5, "b": 2.001}, False),
        ("a * b <= 0.3", {"a": 0.1, "b": 3}, True),  # 0.30000000000000004
        ("exp(-t / 10) + c ** 2 <= 2", {"t": 10.0, "c": 1.27}, True),
        ("exp(-t / 10) + c ** 2 <= 2", {"t": 10.0, "c": 1.28}, False),
        ("ramp * volume / area >= 0.1", {"ramp": 1.0, "volume": 2.0, "area": 21.0}, False),
        ("log10(a) + sqrt(b) + abs(c) + sin(a) * cos(b) >= 0", {"a": 10.0, "b": 4.0, "c": -1.0}, True),
        ("sqrt(a) <= 5", {"a": -1.0}, False),  # what cannot be computed is not allowed
        ("1 / a <= 5", {"a": 0.0}, False),
        ("exp(a) >= 1", {"a": 1e6}, False),
        ("max(a, b, 0) - min(a, b) <= 1", {"a": -1.0, "b": 0.5}, False),
        ("count(a, b, c) <= 2", {"a": 0.0, "b": 1e-9, "c": 1}, True),
        ("count(a, b, c) <= 2", {"a": 0.1, "b": 1e-9, "c": 1}, False),
        ("count(a, b) == 1", {"a": 0.1, "b": 0}, True),
        ('t <= 95 if solvent == "water"', {"t": 100.0, "solvent": "water"}, False),
        ('t <= 95 if solvent == "water"', {"t": 100.0, "solvent": "DMF"}, True),
        ("t <= 95 if solvent in ['water', 'EtOH'] and p < 2", {"t": 100.0, "solvent": "EtOH", "p": 1.0}, False),
        ("t <= 95 if solvent in ['water', 'EtOH'] and p < 2", {"t": 100.0, "solvent": "EtOH", "p": 2.0}, True),
        ('solvent != "water" or t <= 95', {"t": 100.0, "solvent": "water"}, False),
        ('solvent not in ["DMF"] if base == "NaH"', {"solvent": "DMF", "base": "NaH"}, False),
        ('base != "NaH if any" if t > 5', {"t": 6.0, "base": "NaH if any"}, False),
        ("a >= 0.05 if a > 0", {"a": 0.0}, True),
        ("a >= 0.05 if a > 0", {"a": 0.01}, False),
        ("a * b <= 1 if c == 2", {"a": 1, "b": 2, "c": 3}, True),
        ("a * b <= 1", {"a": 5.0}, True),  # not asked of points that have no b
    ],
)
def test_rule_allows(text: str, point: dict[str, Any], allowed: bool) -> None:
    rule = constraint_of(text)
    assert isinstance(rule, Rule)
    assert rule.allows(point) is allowed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a * b == 3", "equality that is not linear.*two inequalities"),
        ("a + b == 1 if c > 0", "two inequalities"),
        ("a * b < 3", "a bound always belongs to the allowed range"),
        ("a * b != 3", "a bound always belongs to the allowed range"),
        ("f(a) <= 1", r"found f\(a\)"),
        ("exp() * a <= 1", "exp needs one argument"),
        ("exp(a, b) <= 1", "exp needs one argument"),
        ("1 <= a * b <= 2", "must be a comparison"),
        ("not a * b <= 2", "must be a comparison"),
        ("a * b", "must be a comparison"),
        ("a <= 1 if b > 2 if c > 3", "more than one if"),
        ("log(-1) * a <= 1", "or none at all"),
        ("9 ** 9 ** 9 * a <= 1", "too large"),
        ('s == "x" if s > 2', "only one of the two"),
        ("s in [] if a > 1", "choices in quotes"),
        ("s in [a, b]", "choices in quotes"),
        ("exp(1) <= 3", "names no parameter"),
        ("1 <= 2 if a > 1", "names no parameter"),
        ("a * b ≤ 1", "found '≤'"),
        ("a ** " * 300 + "a <= 1", "operations inside each other"),
        ("lambda: a <= 1", "found ':'"),
        ("a.b * a <= 1", "found a.b"),
    ],
)
def test_what_is_no_rule_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        constraint_of(text)


def test_linear_stays_linear() -> None:
    assert isinstance(constraint_of("a + 2 * b <= 10"), LinearConstraint)
    assert isinstance(constraint_of("a + b == 1"), LinearConstraint)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("count(a, b, c) <= 2", Cardinality(("a", "b", "c"), 0, 2)),
        ("2 >= count(a, b, c)", Cardinality(("a", "b", "c"), 0, 2)),
        ("count(a, b, c) >= 1", Cardinality(("a", "b", "c"), 1, 3)),
        ("1.5 <= count(a, b, c)", Cardinality(("a", "b", "c"), 2, 3)),
        ("count(a, b) == 1", Cardinality(("a", "b"), 1, 1)),
        ("count(a, b) <= 1 if c > 2", None),
        ("count(a, b) + c * c <= 1", None),
        ("a * b <= 1", None),
    ],
)
def test_limits_on_how_many_are_zero_are_recognised(text: str, limit: Cardinality | None) -> None:
    assert parse_rule(text).cardinality == limit


_leaf = st.sampled_from(["a", "b", "c"]) | st.floats(-3, 3).map(lambda v: f"({v!r})")
_expressions = st.recursive(
    _leaf,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["exp", "log", "log10", "sqrt", "abs", "sin", "cos"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max", "count"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=8,
)
_values = st.lists(st.tuples(*[st.floats(-4, 4)] * 3), min_size=1, max_size=4)


@given(_expressions, _values)
def test_floats_arrays_and_tensors_agree(text: str, rows: list[tuple[float, float, float]]) -> None:
    try:
        rule = parse_rule(f"{text} + 0 * a <= 1 if b > c")
    except ValueError:  # a constant that cannot be computed
        return
    columns = dict(zip("abc", np.array(rows).T, strict=True))
    with np.errstate(all="ignore"):
        arrays = np.broadcast_to(rule.holds(columns, functions_of(np)), len(rows))
        excess = np.broadcast_to(rule.excess(columns, functions_of(np)), len(rows))
    tensors = {name: torch.from_numpy(column) for name, column in columns.items()}
    in_torch = torch.as_tensor(rule.holds(tensors, functions_of(torch))).expand(len(rows))
    for i, (a, b, c) in enumerate(rows):
        point = {"a": a, "b": b, "c": c}
        one = bool(rule.holds(point, PYTHON))
        if not math.isfinite(excess[i]) or abs(excess[i]) < 1e-7 * max(1.0, abs(a), abs(excess[i])):
            continue  # at the very edge, rounding decides
        assert bool(arrays[i]) == bool(in_torch[i]) == one
        assert (excess[i] <= 0) == one


def test_gradients_are_those_of_the_expression() -> None:
    rule = parse_rule("a * b ** 2 - exp(-a) <= 1")
    a, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.7, 1.3))
    rule.excess({"a": a, "b": b}, functions_of(torch)).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert float(a.grad) == pytest.approx(1.3**2 + math.exp(-0.7))
    assert float(b.grad) == pytest.approx(2 * 0.7 * 1.3)


@given(st.one_of(st.text(max_size=60), st.text("ab1+-*/()<>=.,[]\"' if", max_size=60)))
def test_hostile_text_is_refused_with_a_value_error_only(text: str) -> None:
    try:
        rule = parse_rule(text)
    except ValueError:
        return
    assert rule.names


def test_evaluating_needs_no_eval() -> None:
    rule = parse_rule("max(a, 2) ** 2 <= 9")
    assert evaluate(rule.demand.terms[0][1], {"a": 3.0}, PYTHON) == 9.0  # type: ignore[union-attr]
