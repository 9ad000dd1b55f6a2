"""What people should know of a fitted model, told with the proposals that rest on it."""

from __future__ import annotations

from collections.abc import Mapping

from surrogates.base import Surrogate


def with_remark(surrogate: Surrogate, text: str) -> Surrogate:
    """Return `surrogate`, newly fitted, whose report now tells `text` besides its warnings."""
    surrogate.report = surrogate.report.model_copy(update={"warnings": (*surrogate.report.warnings, text)})
    return surrogate


def remarks_on(surrogates: Mapping[str, Surrogate]) -> list[str]:
    """Return the remarks and warnings of the models of several objectives, each with its objective where there are several."""
    found = [(name, text) for name, surrogate in surrogates.items() for text in surrogate.report.warnings]
    return [text if len(surrogates) == 1 else f"{name}: {text}" for name, text in found]
