"""How is the memory of one accelerator divided? One bar, and a line for each part with its number."""

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from pillion.planner import wording

__all__ = ["Bar", "Part", "divided", "parts"]

_MOST_CELLS = 64
_LOOKS = (  # what tells the parts apart without colours, too: block, letter where there are no blocks, colour
    ("█", "#", "blue"),
    ("▓", "=", "green"),
    ("▒", "+", "magenta"),
    ("▚", ":", "yellow"),
    ("▞", "o", "cyan"),
    ("░", ".", "bright_green"),
    ("·", "_", "bright_black"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One use of the memory."""

    name: str
    amount: int
    look: tuple[str, str, str]


def parts(amounts: dict[str, int | None]) -> tuple[Part, ...]:
    """Parts by name, in order; what is unknown or takes nothing is left out."""
    return tuple(
        Part(name=name, amount=amount, look=look)
        for (name, amount), look in zip(amounts.items(), _LOOKS, strict=False)
        if amount is not None and amount > 0
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """The parts in one line, as long as there is room."""

    parts: tuple[Part, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """A part that is there has at least one cell, so that nothing small disappears."""
        line = Text()
        cells = _cells([part.amount for part in self.parts], min(_MOST_CELLS, options.max_width))
        for part, number in zip(self.parts, cells, strict=True):
            block, letter, colour = part.look
            line.append((letter if options.ascii_only else block) * number, style=colour)
        yield line


@dataclass(frozen=True, kw_only=True, slots=True)
class Legend:
    """A line for each part."""

    parts: tuple[Part, ...]
    total: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Amounts are right-aligned, so that they compare at a glance."""
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for justify in ("left", "left", "right", "right"):
            table.add_column(justify=justify, no_wrap=True)
        for part in self.parts:
            block, letter, colour = part.look
            share = f"{100 * part.amount / self.total:.1f} %"
            table.add_row(
                Text(letter if options.ascii_only else block, style=colour),
                part.name,
                wording.gib(part.amount),
                share,
            )
        yield table


def divided(title: str, amounts: dict[str, int | None], *, total: int) -> Table:
    """A bar with its title and its legend."""
    there = parts(amounts)
    table = Table(box=None, show_header=False, padding=(0, 0))
    table.add_column()
    table.add_row(Text(title, style="bold"))
    table.add_row(Bar(parts=there))
    table.add_row(Legend(parts=there, total=total))
    return table


def _cells(amounts: list[int], width: int) -> list[int]:
    """Cells of each part: at least one each, the rest by size, the largest remainders first."""
    total = sum(amounts)
    free = max(0, width - len(amounts))
    exact = [free * amount / total for amount in amounts]
    cells = [1 + int(each) for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: (int(exact[index]) - exact[index], index))
    for index in by_remainder[: free - sum(int(each) for each in exact)]:
        cells[index] += 1
    return cells
