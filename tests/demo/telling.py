"""How is the story told on a terminal, and in a log where there is none?"""

from __future__ import annotations

import contextlib
import time
import traceback
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table

from tests.cluster import cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

INDENT = 3
LOG_WIDTH = 110  # where no terminal says how wide it is


class Teller:
    """Steps with a number and a time, progress of what takes long, and tables."""

    def __init__(self) -> None:
        """A new story."""
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=LOG_WIDTH)
        self._steps = 0
        self._begun = time.monotonic()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """One step; what it yields takes lines of progress."""
        self._steps += 1
        self.console.print(f"\n[bold cyan]{self._steps}.[/] [bold]{escape(title)}[/]")
        begun = time.monotonic()
        with self.console.status("[dim]...") as status:

            def progress(line: str) -> None:
                if self.console.is_terminal:
                    status.update(f"[dim]{escape(line)}")
                self.console.print(f"{' ' * INDENT}[dim]{escape(line)}[/]", soft_wrap=True)

            yield progress
        self.console.print(f"{' ' * INDENT}[dim]({time.monotonic() - begun:.0f} s)[/]")

    def line(self, text: str) -> None:
        """A sentence; rich's markup is understood."""
        self.console.print(f"{' ' * INDENT}{text}", soft_wrap=True)

    def said(self, text: str) -> None:
        """What a program said, as it said it."""
        for line in text.strip().splitlines():
            self.console.print(f"{' ' * INDENT}[green]{escape(line)}[/]", soft_wrap=True)

    def yaml(self, text: str) -> None:
        """A manifest."""
        shown = Syntax("", "yaml", background_color="default").highlight(text.strip())
        self.console.print(Padding(shown, (0, 0, 0, INDENT)))

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table."""
        made = Table(
            box=None, padding=(0, 2, 0, INDENT if len(headings) == 1 else 0), header_style="bold dim"
        )
        for heading in headings:
            made.add_column(heading, overflow="fold")
        for row in rows:
            made.add_row(*(escape(cell) for cell in row))
        self.console.print(Padding(made, (0, 0, 0, INDENT)))

    def end(self, lines: Sequence[str]) -> None:
        """How long it took, and what to try next."""
        minutes, seconds = divmod(round(time.monotonic() - self._begun), 60)
        self.console.print(
            f"\n[bold green]Done[/] in {minutes} min {seconds} s. [bold]What to try next:[/]\n"
        )
        for line in lines:
            self.console.print(escape(line), soft_wrap=True)
        self.console.print()

    def failure(self, error: BaseException) -> None:
        """A sentence, and where more is written."""
        sentence = str(error).partition("\n")[0]
        if not sentence or isinstance(error, KeyError):  # whose text is the key alone
            sentence = f"{type(error).__name__} {sentence}".strip()
        log = cache.root() / "logs" / "demo.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)))
        self.console.print(f"\n[bold red]It did not work:[/] {escape(sentence)}", soft_wrap=True)
        self.console.print(f"What the cluster said, and where it happened, is in {log}.", soft_wrap=True)
        self.console.print("A cluster that was started stays up to be looked at; make demo-down ends it.")
