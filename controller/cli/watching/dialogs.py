"""What is asked before anything is changed, and the help."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

_STYLE = """
{0} {{ align: center middle; }}
{0} > Vertical {{
    width: 64; max-width: 95%; height: auto; max-height: 95%; border: heavy $warning; background: $surface; padding: 0 1;
}}
{0} Static {{ text-wrap: wrap; }}
{0} Horizontal {{ height: auto; align-horizontal: right; }}
{0} Button {{ margin: 0 0 0 2; }}
"""


class Confirmation(ModalScreen[bool]):
    """Asks; nothing happens unless `yes` is said, by the key or by the button."""

    CSS = _STYLE.format("Confirmation")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"), Binding("n", "answer(False)", "No"), Binding("escape", "answer(False)", "No"),
        Binding("left,right", "app.focus_next", show=False),
    ]  # fmt: skip

    def __init__(self, question: str, yes: str) -> None:
        super().__init__()
        self._question, self._yes = question, yes

    def compose(self) -> ComposeResult:
        """Put the question above the answers; `No` has the focus."""
        with Vertical():
            yield Static(self._question, id="question", markup=False)
            with Horizontal():
                yield Button("No (n)", id="no", compact=True)
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """Let Enter mean no."""
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Take the answer of a button."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Take the answer of a key."""
        self.dismiss(yes)


class Help(ModalScreen[None]):
    """Says what the keys do."""

    CSS = _STYLE.format("Help")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q,enter", "dismiss", "Close")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Show the text."""
        with Vertical():
            yield Static(self._text, id="help", markup=False)
