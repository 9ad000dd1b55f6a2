"""Constraints: what is parsed equals what is written, and whatever is not linear is refused without harm."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from controller.domain.constraint import MAX_DEPTH, MAX_LENGTH, LinearConstraint, parse_constraint

Side = tuple[str, Callable[[dict[str, Fraction]], Fraction]]
NAMES = ("a", "b", "temperature", "_x1")


def _number(value: int) -> Side:
    # Eighths, which floats hold exactly: the two ways of calculating may then differ in rounding only.
    return f"{value / 8!r}", lambda point: Fraction(value, 8)


def _name(name: str) -> Side:
    return name, lambda point: point[name]


_constants = st.integers(0, 400).map(_number)
_leaves = _constants | st.sampled_from(NAMES).map(_name)


def _sum(sides: tuple[Side, str, Side]) -> Side:
    (a, f), sign, (b, g) = sides
    return f"({a} {sign} {b})", lambda point: f(point) + g(point) if sign == "+" else f(point) - g(point)


def _scaled(parts: tuple[int, Side, int]) -> Side:
    factor, (text, f), form = parts
    share = Fraction(factor, 4)
    if form == 0:
        return f"{factor / 4!r} * {text}", lambda point: share * f(point)
    if form == 1:
        return f"{text}*{factor / 4!r}", lambda point: f(point) * share
    return f"{text} / {factor / 4!r}", lambda point: f(point) / share


def _signed(parts: tuple[str, Side]) -> Side:
    sign, (text, f) = parts
    return f"{sign}{text}", lambda point: -f(point) if sign == "-" else f(point)


sides: st.SearchStrategy[Side] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-"), inner).map(_sum),
        # In brackets, because a product binds more tightly than the sum in it.
        st.tuples(st.integers(1, 40), inner.map(lambda s: (f"({s[0]})", s[1])), st.integers(0, 2)).map(_scaled),
        st.tuples(st.sampled_from("+-"), inner.map(lambda s: (f"({s[0]})", s[1]))).map(_signed),
    ),
    max_leaves=12,
)
points = st.fixed_dictionaries({name: st.integers(-800, 800).map(lambda n: Fraction(n, 8)) for name in NAMES})


@given(sides, st.sampled_from(["<=", ">=", "=="]), sides, points)
def test_parsed_constraint_equals_the_written_expression(
    left: Side, sense: str, right: Side, point: dict[str, Fraction]
) -> None:
    text = f"{left[0]} {sense} {right[0]}"
    exact = left[1](point) - right[1](point)
    others = [{**point, name: point[name] + 8} for name in NAMES]
    assume(any(left[1](other) - right[1](other) != exact for other in others))  # parameters that cancel out have their own test
    parsed = parse_constraint(text)
    floats = {name: float(value) for name, value in point.items()}
    size = max(1.0, *(abs(c * floats[name]) for name, c in parsed.coefficients), abs(parsed.bound))
    assert parsed.residual(floats) == pytest.approx(float(exact), abs=1e-9 * size)
    assert parsed.sense == sense
    assert parsed.text == text


@pytest.mark.parametrize(
    ("text", "coefficients", "sense", "bound"),
    [
        ("temperature + 100 * x <= 130", {"temperature": 1, "x": 100}, "<=", 130),
        ("a + b + c == 1", {"a": 1, "b": 1, "c": 1}, "==", 1),
        ("2*(a - b)/4 >= -(b + 3)", {"a": 0.5, "b": 0.5}, ">=", -3),
        ("1e-3 >= a", {"a": -1}, ">=", -0.001),
        ("  a <=\n  +b\t", {"a": 1, "b": -1}, "<=", 0),
        ("a + 0 * b <= 1", {"a": 1}, "<=", 1),
    ],
)
def test_constraint_is_brought_into_one_form(text: str, coefficients: dict[str, float], sense: str, bound: float) -> None:
    parsed = parse_constraint(text)
    assert dict(parsed.coefficients) == coefficients
    assert (parsed.sense, parsed.bound) == (sense, bound)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an expression"),
        ("a +", "is not an expression"),
        ("a = 1", "is not an expression"),
        ("a + b", "must be one comparison"),
        ("1 <= a <= 2", "must be one comparison"),
        ("a < 1", "must compare with <=, >= or =="),
        ("a != 1", "must compare with <=, >= or =="),
        ("1 <= 2", "names no parameter"),
        ("a - a <= 0", "names no parameter"),
        ("a * b <= 1", r"not linear: a \* b multiplies two parameters"),
        ("(a + 1) * (b - 1) <= 1", r"\(a \+ 1\) \* \(b - 1\) multiplies"),
        ("1 / a <= 1", "divide only by a number other than zero"),
        ("a / 0 <= 1", "divide only by a number other than zero"),
        ("a / (2 - 2) <= 1", "divide only by a number other than zero"),
        ("a ** 2 <= 1", r"found a \*\* 2"),
        ("a // 2 <= 1", "found a // 2"),
        ("f(a) <= 1", r"found f\(a\)"),
        ("a.real <= 1", "found a.real"),
        ("True + a <= 1", "found True"),
        ("(a and b) <= 1", "found a and b"),
        ("1j * a <= 1", "found 1j"),
        ("a['x'] <= 1", r"found '\['"),
        ("a ≤ 1", "found '≤'"),
        ("température <= 1", "found 'é'"),
        ("1e999 * a <= 1", "too large to calculate with"),
        (f"a <= {'9' * 400}", "too large to calculate with"),
        ("1e308 * a + 1e308 * a <= 1", "too large to calculate with"),
        ("a / 1e-308 <= 1e308 / 1e-308", "too large to calculate with"),
        ("-" * (MAX_DEPTH + 2) + "a <= 1", "operations inside each other; write it flat"),
        (" + ".join("a" * (MAX_DEPTH + 3)) + " <= 1", "operations inside each other; write it flat"),
        ("(" * 300 + "a" + ")" * 300 + " <= 1", "too many nested parentheses"),
        ("a + " * MAX_LENGTH + "a <= 1", "may have 4000 characters"),
    ],
)
def test_constraint_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_constraint(text)


def test_long_sums_are_accepted_to_the_stated_depth() -> None:
    names = [f"x{i}" for i in range(MAX_DEPTH)]
    assert len(parse_constraint(" + ".join(names) + " == 1").coefficients) == MAX_DEPTH


_pieces = st.lists(
    st.sampled_from(
        ["a", "b", "1", "0x1f", "1e400", "9" * 5000, "+", "-", "*", "**", "/", "//", "(", ")", "<=", "==", ">", "[", "]", "{", "}",
         "lambda:", "if", "else", "not", "or", "yield", "await", ":=", ",", ".", "'", '"', "\\d", "f'{a}'", "\0", "\n", "#", "@",
         "__import__('os').abort()", "exec('raise SystemExit')", "-" * 500, "(" * 150, "1or 2", "0_", "…", "\ud800"]
    ), max_size=12,
).map(" ".join)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.text("ab1+-*/()<>=. ", max_size=60), _pieces))
@example("~" * 3000 + "a <= 1")
@example("-" * 3990 + "a <= 1")
@example("a" + "+a" * 1990 + " <= 1")
@example("(" * 1990 + "a" + ")" * 1990 + " <= 1")
@example("a" + " <= a" * 600)
@example("a" + ".b" * 1900 + " <= 1")
@example("a" + "()" * 1900 + " <= 1")
def test_hostile_text_is_refused_with_a_value_error_only(text: str) -> None:
    try:
        parsed = parse_constraint(text)
    except ValueError:
        return
    assert parsed.coefficients
    assert all(math.isfinite(c) for _, c in parsed.coefficients)
    assert math.isfinite(parsed.bound)


def test_constraint_is_never_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABWRIGHT_EVALUATED", raising=False)
    for call in ("__import__('os').environ.__setitem__('LABWRIGHT_EVALUATED', '1')", "(lambda: exit())()", "exit()"):
        with pytest.raises(ValueError, match="may hold only"):
            parse_constraint(f"{call} + a <= 1")
    assert "LABWRIGHT_EVALUATED" not in os.environ


@pytest.mark.parametrize(
    ("text", "point", "allowed"),
    [
        ("a + b <= 1", {"a": 0.5, "b": 0.5}, True),
        ("a + b <= 1", {"a": 0.5, "b": 0.5 + 1e-9}, True),
        ("a + b <= 1", {"a": 0.5, "b": 0.51}, False),
        ("a + b >= 1", {"a": 0.5, "b": 0.49}, False),
        ("a + b >= 1", {"a": 3, "b": 0}, True),
        ("a + b == 1", {"a": 0.1 + 0.2, "b": 0.7}, True),
        ("a + b == 1", {"a": 0.3, "b": 0.71}, False),
        ("a - b == 0", {"a": 0.0, "b": 0.0}, True),
        ("a + b <= 1e-7", {"a": 1e-6, "b": 0.0}, False),
        ("a + b <= 1e9", {"a": 1e9, "b": 1.0}, True),
    ],
)
def test_constraint_allows_to_rounding_at_any_size(text: str, point: dict[str, float], allowed: bool) -> None:
    assert parse_constraint(text).allows(point) is allowed


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_two_inequalities_are_an_equality(x: float, bound: float) -> None:
    def says(sense: str) -> bool:
        parsed: LinearConstraint = parse_constraint(f"2 * x {sense} {bound!r}")
        return parsed.allows({"x": x})

    assert says("==") == (says("<=") and says(">="))
