"""How `gradschool --help` reads: what to type, what it does, and one line for each word of it.

Typer's own pages put brackets, types and boxes round every word, each version others. These take of a command what was
written for people: its paragraphs, the names of its arguments and options, and the sentence about each.
"""

from collections.abc import Iterator, Sequence

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from typer.core import TyperArgument, TyperCommand, TyperGroup

WIDTH = 100  # of the text, on a wide screen too: longer lines are hard to follow
Section = tuple[str, Sequence[tuple[str, str]]]


class Command(TyperCommand):
    """One command with a page of its own."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:
        """The arguments in their order; those in brackets may be left out."""
        return [*_arguments(self), "[OPTIONS]"]

    def format_help(self, ctx: typer.Context, formatter: object) -> None:
        """Print the page; Typer's `formatter` is not needed."""
        _print_page(self, ctx, [("Arguments", list(_arguments(self).items())), _options(self, ctx)])


class Commands(TyperGroup):
    """A group of commands, whose page lists them under the headings that they bear."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:
        """A command and what belongs to it, which its own page says."""
        return ["COMMAND", "..."]

    def format_help(self, ctx: typer.Context, formatter: object) -> None:
        """Print the page; Typer's `formatter` is not needed."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            rows = sections.setdefault(command.rich_help_panel or "Commands", [])
            rows.append((name, next(_paragraphs(command.help))))
        _print_page(self, ctx, [*sections.items(), _options(self, ctx)])


def _print_page(command: Command | Commands, ctx: typer.Context, sections: Sequence[Section]) -> None:
    page = Console(highlight=False)
    page.width = min(WIDTH, page.width)
    usage = " ".join([ctx.command_path, *command.collect_usage_pieces(ctx)])
    page.print(f"[bold]Usage:[/bold] {escape(usage)}")
    for paragraph in _paragraphs(command.help):
        page.print(f"\n{paragraph}")
    # One width for all sections, so that the sentences of the whole page stand in one column.
    widest = max(len(word) for _, rows in sections for word, _ in rows)
    for heading, rows in sections:
        if rows:
            table = Table.grid(padding=(0, 3, 0, 0))
            table.add_column(width=widest, style="bold cyan")
            for word, sentence in rows:
                table.add_row(escape(word), sentence)
            page.print(f"\n[bold]{heading}[/bold]")
            page.print(Padding(table, (0, 0, 0, 2)))
    for paragraph in _paragraphs(command.epilog):
        page.print(f"\n{paragraph}")


def _arguments(command: Command) -> dict[str, str]:
    """Each argument as the usage line shows it, and the sentence about it."""
    words = {}
    for each in command.params:
        if isinstance(each, TyperArgument):
            word = each.metavar + ("..." if each.nargs != 1 else "")
            words[word if each.required else f"[{word}]"] = each.help
    return words


def _options(command: Command | Commands, ctx: typer.Context) -> Section:
    rows = []
    for each in command.get_params(ctx):
        if not isinstance(each, TyperArgument):
            names = ", ".join(sorted(each.opts, key=len))
            rows.append((names if each.is_flag else f"{names} {each.metavar}", each.help))
    return "Options", rows


def _paragraphs(text: str | None) -> Iterator[str]:
    """The paragraphs of `text`, each in one line: where it breaks is the screen's to say."""
    return (" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n") if paragraph.strip())
