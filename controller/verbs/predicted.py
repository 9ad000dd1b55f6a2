"""What models predicted of experiments before they were made: a proposal never changes, so it is read and parsed once."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.store.reading import Reader

MOST = 20_000
"""So many experiments are kept, some ten megabytes; those asked for longest ago make room."""

Predictions = Mapping[str, Mapping[str, Any]]
"""Objective -> `mean`, `sd`, and `scale` and `freedom` where they were kept (`domain.proposal.Prediction`)."""

_kept: OrderedDict[str, Predictions] = OrderedDict()
_guard = Lock()


def predictions_of(reader: Reader, experiments: Sequence[str]) -> dict[str, Predictions]:
    """Return experiment (id) -> its predictions, of those that are in the store, in no order; not to be changed.

    Raises:
        StoreError: If the store cannot be read.
    """
    found: dict[str, Predictions] = {}
    with _guard:
        for key in experiments:
            if key in _kept:
                _kept.move_to_end(key)
                found[key] = _kept[key]
    # Only what is needed: what else a proposal holds may be much, and of another version.
    missing = [key for key in experiments if key not in found]
    read = {row["experiment"]: json.loads(row["predictions"] or "{}") for row in reader.prediction_rows(missing)}
    with _guard:
        _kept.update(read)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return found | read
