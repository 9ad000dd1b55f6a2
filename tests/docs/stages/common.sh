# What several pages begin with. Sourced by their stages, in the scenario's folder.

# The environment of `make setup`, where a reader has it: in the checkout.
checkout() { ln -s "$(dirname "$(dirname "$(command -v labwright)")")" .venv; }

# The files of a campaign `titration`, whose fifth experiment fails, and of whose sixth nobody will know what became.
titration_files() {
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
        ctx.sleep(1.0)
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
budget: {experiments: 60}

failures: {attempts: 1}
lab: lab.yaml
END
}

# Wait until nobody knows what became of an experiment of the campaign in the store $1.
wait_for_unknown() {
  for _ in $(seq 240); do
    if labwright experiment list titration --status unknown --store "$1" --json | grep -q unknown; then return; fi
    sleep 1
  done
  echo "no experiment became unknown" >&2; return 1
}

# The campaign at work in the store $1, under a daemon, with an experiment that is unknown.
titration() {
  titration_files
  labwright daemon start --store "$1"
  labwright campaign start campaign.yaml --store "$1"
  wait_for_unknown "$1"
}

# Take messages at the port $1, as a program that is told would.
receive() {
  python - "$1" <<'END' &
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
END
  sleep 1
}

# The campaign `screening` of the page's own files, carried out in the user's store.
screening() { labwright run screening.yaml; }
