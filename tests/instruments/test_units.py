"""Units are known, compared and converted as a chemist expects, and refused otherwise."""

from __future__ import annotations

import math
import time

import pytest

from instruments.errors import UnitError
from instruments.units import _KNOWN, check_unit, convert, convert_spread, same_dimension, same_unit


@pytest.mark.parametrize(
    ("value", "given", "wanted", "expected"),
    [
        (25.0, "degC", "kelvin", 298.15),
        (5.0, "percent", "", 0.05),
        (5.0, "mol%", "%", 5.0),
        (2.0, "min", "s", 120.0),
        (1.0, "kg/m**3/h", "g/L/h", 1.0),
        (1.0, "µL", "mL", 1e-3),
        (3.0, "bar", "bar", 3.0),
    ],
)
def test_value_is_converted(value: float, given: str, wanted: str, expected: float) -> None:
    assert convert(value, given, wanted) == pytest.approx(expected, rel=1e-12)


def test_spread_is_scaled_without_the_offset() -> None:
    assert convert_spread(1.0, "degC", "kelvin") == pytest.approx(1.0)
    assert convert_spread(9.0, "degF", "degC") == pytest.approx(5.0)


@pytest.mark.parametrize(("first", "second"), [("degC", "bar"), ("mol/L", "g/L"), ("", "s")])
def test_different_dimensions_are_refused(first: str, second: str) -> None:
    assert not same_dimension(first, second)
    with pytest.raises(UnitError, match="measure different things"):
        convert(1.0, first, second)


@pytest.mark.parametrize(
    ("unit", "match"), [("degCC", "did you mean degC"), ("percnt", "percent"), ("kg/(", "unknown"), ("5 m", "unknown")]
)
def test_unknown_unit_is_refused_with_close_matches(unit: str, match: str) -> None:
    with pytest.raises(UnitError, match=match):
        check_unit(unit)


def test_units_known_without_asking_are_known_to_pint() -> None:
    for unit in _KNOWN:
        assert same_dimension(unit, unit)
        convert(1.0, unit, unit)
    assert same_unit("minute", "min")
    assert not same_unit("min", "s")


@pytest.mark.parametrize(
    "unit",
    [
        "m**9**9**9", "m^9^9^9", "m**(9**9**9)", "9**9**9*m", "m**99999999", "m**-9**9**9", "m**1e9", "m**2 ** 9",
        "((9**99)**99)**99", "m²**9**9", "m" * 65, "(" * 60, "m*" * 500_000, "9" * 64,
    ],
)  # fmt: skip
def test_unit_made_to_be_costly_is_refused_at_once(unit: str) -> None:
    # Eleven characters kept pint at work for ever, in whoever heard of the unit: a campaign file, a driver, the controller.
    check_unit("furlong")  # imports pint
    begun = time.process_time()
    with pytest.raises(UnitError) as caught:
        check_unit(unit)
    assert time.process_time() - begun < 0.2
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("unit", ["m²", "m ** -1", "m**(1/2)", "m**0.5", "m**2*s**-1", "m^2", "(kg/m)**2", "kg/m**3/h", "1/cm³"])
def test_powers_that_units_have_are_known(unit: str) -> None:
    assert check_unit(unit) == unit


def test_number_that_does_not_fit_into_the_other_unit_is_infinite() -> None:
    assert convert(-5.0, "Ym**50", "ym**50") == -math.inf
    assert not math.isfinite(convert_spread(5.0, "Ym**50", "ym**50"))
