"""The watcher: panels that are renewed about once a second, and keys that steer, each after a question."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Footer, Static

from controller.cli.render import STYLES, clean
from controller.cli.screen import (
    alarm_lines,
    best_lines,
    heading,
    newest_lines,
    people_lines,
    progress_lines,
    running_lines,
    trust_lines,
)
from controller.cli.watching.chart import chart
from controller.cli.watching.dialogs import Confirmation, Help
from controller.cli.watching.looking import Looker, Seen
from controller.errors import LabwrightError
from instruments.errors import InstrumentError

QUESTIONS = {
    "pause": ("Pause {0}?\n\nWhat runs is finished; nothing new is begun until it is resumed.", "Pause"),
    "resume": ("Resume {0}?\n\nExperiments are begun again.", "Resume"),
    "stop": ("Stop {0}?\n\nWhat runs is finished, then the campaign ends. It can be given a larger budget later.", "Stop"),
    "abort": ("ABORT {0}?\n\nThe campaign ends now: actions that run are cancelled, and their samples may be lost.", "Abort"),
}
"""Verb -> what is asked before it is carried out, and the answer that lets it be."""
EMERGENCY = """EMERGENCY STOP of all instruments of lab {0}?

They stand still at once, past any controller, and are held until they are resumed."""
_AWAY_S = 5.0
"""Until a store that could not be read is looked into again [s]."""
HELP = """p  pause: finish what runs, begin nothing new
r  resume
s  stop: finish what runs, then end the campaign
a  abort: end now, cancel what runs
e  emergency stop of the lab's instruments
q  leave; the campaign goes on

Each asks before it does anything. Times are UTC, of the lab.
The same from a command line: labwright campaign pause NAME …
What one thing means: labwright campaign why NAME,
labwright experiment show NAME NUMBER"""


class Watcher(App[None]):
    """A campaign, live.

    Args:
        looker: Reads it, and carries words to it.
    """

    TITLE = "labwright"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #head { height: 3; padding: 0 1; }
    Static { text-wrap: nowrap; text-overflow: ellipsis; }
    #best, #people { text-wrap: wrap; }
    .row { height: 7fr; } #row-running { height: 5fr; } #row-people { height: 8fr; }
    .panel { width: 1fr; height: 100%; border: round $primary-darken-2; border-title-color: $text; padding: 0 1; }
    #best { width: 3fr; } #chart { width: 2fr; }
    #running { width: 11fr; } #instruments { width: 5fr; }
    #people { width: 1fr; } #log { width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "steer('pause')", "Pause"), Binding("r", "steer('resume')", "Resume"),
        Binding("s", "steer('stop')", "Stop"), Binding("a", "steer('abort')", "Abort"),
        Binding("e", "emergency", "Emergency stop"), Binding("question_mark", "help", "Help"), Binding("q", "quit", "Leave"),
    ]  # fmt: skip

    def __init__(self, looker: Looker) -> None:
        super().__init__()
        self._looker = looker
        self.seen: Seen | None = None
        self._next: Timer | None = None

    def compose(self) -> ComposeResult:
        """Lay out the panels."""
        yield Static("looking …", id="head")
        for row in (("best", "chart"), ("running", "instruments"), ("people", "log")):
            with Horizontal(classes="row", id=f"row-{row[0]}"):
                for name in row:
                    yield Static(id=name, classes="panel")
        yield Footer()

    def on_mount(self) -> None:
        """Name the panels, and look for the first time."""
        titles = {
            "best": "Best", "chart": "Best so far", "running": "Now", "instruments": "Instruments",
            "people": "People and alarms", "log": "Log",
        }  # fmt: skip
        for name, title in titles.items():
            self.query_one(f"#{name}", Static).border_title = title
        self._look()

    def on_resize(self) -> None:
        """Draw again what depends on the room."""
        if self.seen is not None:
            self.call_after_refresh(self._draw, self.seen)

    @work(thread=True, exclusive=True, group="look")
    def _look(self) -> None:
        try:
            seen = self._looker.look()
        except LabwrightError as error:  # a server that is away for a while: look again
            self.call_from_thread(self._lost, str(error))
            return
        self.call_from_thread(self._take, seen)

    def _take(self, seen: Seen) -> None:
        self.seen = seen
        self._draw(seen)
        self._look_again(seen.pause_s)

    def _lost(self, why: str) -> None:
        self.query_one("#head", Static).update(Text(clean(why), style="bold red"))
        self._look_again(_AWAY_S)

    def _look_again(self, after_s: float) -> None:
        if self._next is not None:
            self._next.stop()  # a key had it look in between
        self._next = self.set_timer(after_s, self._look)

    def _draw(self, seen: Seen) -> None:
        told = seen.told
        self.query_one("#head", Static).update(_lines([heading(told), *progress_lines(told)]))
        self._fill("best", [*best_lines(told), *trust_lines(told), *newest_lines(told)])
        panel = self.query_one("#chart", Static)
        room = panel.content_size
        picture = chart(seen.trace, width=room.width, height=room.height)
        self._fill("chart", [Text(line) for line in picture] or [Text("no single best to draw", style="dim")])
        self._fill("running", running_lines(told))
        self._fill("instruments", [_instrument(i) for i in told["instruments"]])
        self._fill("people", [*people_lines(told), *alarm_lines(told)] or [Text("nothing waits, no alarm", style="dim")])
        room = self.query_one("#log", Static).content_size
        newest = seen.log[-max(1, room.height) :]
        self._fill("log", [Text(clean(f"{e['at'][11:19]}  {e['text']}")) for e in newest])

    def _fill(self, name: str, lines: list[Text]) -> None:
        self.query_one(f"#{name}", Static).update(_lines(lines))

    # --- keys -------------------------------------------------------------------------------------------------------

    def action_steer(self, verb: str) -> None:
        """Ask, then carry the verb to the campaign."""
        if self.seen is None:
            return
        question, yes = QUESTIONS[verb]

        def answered(said: bool | None) -> None:
            if said:
                self._carry(verb)

        self.push_screen(Confirmation(question.format(self.seen.told["campaign"]), yes), answered)

    @work(thread=True, group="steer")
    def _carry(self, verb: str) -> None:
        try:
            text, severity = self._looker.steer(verb), "information"
        except LabwrightError as error:
            text, severity = str(error), "error"
        self.call_from_thread(self._say, text, severity)

    def action_emergency(self) -> None:
        """Ask, then stop the instruments."""
        if self.seen is None:
            return
        lab = str(self.seen.told["definition"]["lab"]["lab"])

        def answered(said: bool | None) -> None:
            if said:
                self._stop_now(lab)

        self.push_screen(Confirmation(EMERGENCY.format(lab), "STOP NOW"), answered)

    @work(thread=True, group="steer")
    def _stop_now(self, lab: str) -> None:
        try:
            confirmed, text = self._looker.emergency_stop(lab)
        except (LabwrightError, InstrumentError) as error:
            confirmed, text = False, str(error)
        self.call_from_thread(self._say, text, "information" if confirmed else "error")

    def action_help(self) -> None:
        """Show what the keys do."""
        self.push_screen(Help(HELP))

    def _say(self, text: str, severity: Any) -> None:
        # What was not confirmed stays until somebody has seen it.
        self.notify(clean(text), severity=severity, timeout=8.0 if severity == "information" else 60.0, markup=False)
        self._look()


def _instrument(row: dict[str, Any]) -> Text:
    line = Text.assemble(clean(row["instrument"]), "  ", (clean(row["state"]), STYLES.get(row["state"], "")))
    if row["held"]:
        line.append(f"  held: {clean(row['held'])}", "yellow")
    return line


def _lines(lines: list[Text]) -> Text:
    return Text("\n").join(lines)
