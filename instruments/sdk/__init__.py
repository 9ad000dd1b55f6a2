"""The driver SDK; everything that a driver is written with comes from here.

```python
from instruments.sdk import ActionContext, Driver, Measured, Quantity, Recovery, action
```
"""

from instruments.sdk.action import Action, action
from instruments.sdk.context import ActionContext
from instruments.sdk.driver import Driver
from instruments.sdk.quantity import Measured, Quantity
from instruments.sdk.recovery import Recovery

__all__ = ["Action", "ActionContext", "Driver", "Measured", "Quantity", "Recovery", "action"]
