# What several pages begin with. Sourced by their stages, in the scenario's folder.

# The environment of `make setup`, where a reader has it: in the checkout.
checkout() { ln -s "$(dirname "$(dirname "$(command -v labwright)")")" .venv; }

# A campaign `titration` of eight experiments in the store $1, of which the fifth failed and of the sixth nobody knows what became.
titration() {
  cat > titrator.py <<'END'
import os
from pathlib import Path
from typing import Annotated

from instruments.sdk import ActionContext, Driver, Measured, Quantity, action

COUNT = Path(__file__).with_name("doses")


class Titrator(Driver):
    """A burette that chokes on the fifth vial and dies over the sixth."""

    def __init__(self, *, port: str = "") -> None:
        self._port = port

    @action(duration=(1.0, 30.0), consequence="consumes", returns={"ph": Quantity()})
    def dose(self, ctx: ActionContext, volume: Annotated[float, Quantity("mL", low=0, high=20)]) -> dict[str, Measured]:
        with COUNT.open("a") as file:
            file.write(".")
        if COUNT.stat().st_size == 5:
            raise RuntimeError("the burette is empty")
        if COUNT.stat().st_size == 6:
            os._exit(9)
        return {"ph": Measured(3.0 + volume / 2.0, sem=0.02)}
END
  cat > lab.yaml <<'END'
lab: titration-bench
instruments:
  titrator: {driver: "titrator.py:Titrator", limits: {volume: [0, 15]}}
protocol:
  - {step: dose, instrument: titrator, action: dose, with: {volume: $volume}, gives: {ph: ph}}
END
  cat > campaign.yaml <<'END'
campaign: titration
parameters:
  volume: {type: continuous, bounds: [0, 15], unit: mL}
objectives:
  ph: {goal: match, target: 7.4}
budget: {experiments: 12}
failures: {attempts: 1}
lab: lab.yaml
END
  labwright daemon start --store "$1"
  labwright campaign start campaign.yaml --store "$1"
  for _ in $(seq 240); do
    if labwright experiment list titration --status unknown --store "$1" --json | grep -q unknown; then break; fi
    sleep 1
  done
  labwright experiment list titration --store "$1"
}
