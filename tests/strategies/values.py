"""Names, texts and numbers as the domain admits them."""

from __future__ import annotations

import keyword

from hypothesis import strategies as st

from controller.domain.base import Value

LOWEST, HIGHEST = -1e6, 1e6

texts = st.text(st.characters(codec="utf-8"), max_size=30)
"""Any text that UTF-8 can hold."""

labels = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+@-]{0,7}", fullmatch=True)
"""Names of campaigns, labs, instruments and steps."""

identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(lambda name: not keyword.iskeyword(name))
"""Names that may stand in an expression."""

numbers = st.floats(LOWEST, HIGHEST, allow_subnormal=False)

moments = st.floats(0.0, 4e9)
"""Lab time [s since 1970-01-01 UTC]."""

ids = st.uuids(version=4).map(str)

values: st.SearchStrategy[Value] = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), numbers, texts)
"""Anything a measured value or an argument may be."""

units = st.sampled_from(["degC", "mL", "min", "mol/L", "percent", "bar", "mg"])
