"""Labwright in notebooks and scripts: `Campaign` proposes, `Store` looks into a store, `Client` speaks with a daemon over HTTP.

```python
from controller.notebook import Store

campaign = Store("screening.db").campaign("screening")
campaign.frame()
```

Each is imported when it is first named: looking needs no model library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from controller.campaign import Campaign as Campaign
    from controller.notebook.client import Client as Client
    from controller.notebook.client import RemoteCampaign as RemoteCampaign
    from controller.notebook.store import Store as Store
    from controller.notebook.store import StoredCampaign as StoredCampaign

_HOMES = {
    "Campaign": "controller.campaign", "Client": "controller.notebook.client", "RemoteCampaign": "controller.notebook.client",
    "Store": "controller.notebook.store", "StoredCampaign": "controller.notebook.store",
}  # fmt: skip

__all__ = ["Campaign", "Client", "RemoteCampaign", "Store", "StoredCampaign"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
