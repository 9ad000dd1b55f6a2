"""A camera whose film stays: it can be killed between the file and the result, and be slow once."""

from __future__ import annotations

from typing import Annotated

from instruments.sdk import ActionContext, Driver, Quantity, action


class Camera(Driver):
    """Photographs how high something is under a press."""

    simulated = True

    @action(duration=(0.1, 60), consequence="repeatable", returns={"height": Quantity("mm")})
    def shoot(self, ctx: ActionContext, force: Annotated[float, Quantity("kN", low=0, high=20)]) -> dict[str, float]:
        """Keep a picture; wait once after the first (to be killed), and once after the second (to outlive its controller)."""
        assert self.folder is not None
        ctx.keep(f"picture at {force:.6f} kN".encode(), name="picture.txt")
        shots = self.folder / "shots"
        with shots.open("a", encoding="utf-8") as log:
            log.write(f"{ctx.attempt}\n")
        n = len(shots.read_text(encoding="utf-8").splitlines())
        ctx.sleep({1: 50.0, 3: 3.0}.get(n, 0.0))
        return {"height": 20.0 - force}
