"""One box for everything that the classroom says in a notebook: colour, symbol and words, in HTML and in plain text."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from classroom.verdict import NOT_ATTEMPTED, RIGHT, UNAVAILABLE, WRONG, printable

# Okabe and Ito's colours, for border and symbol alone: each has a contrast of 3:1 and more on white and on #111.
LOOKS = {
    RIGHT: ("✔", "#009E73"),
    WRONG: ("✘", "#D55E00"),
    NOT_ATTEMPTED: ("○", "#767676"),
    UNAVAILABLE: ("!", "#767676"),
    "note": ("➜", "#0072B2"),
}
INK = "color:var(--jp-content-font-color1,inherit)"
MONO = "font-family:var(--jp-code-font-family,monospace);font-size:0.95em;white-space:pre-wrap;overflow-wrap:anywhere"
LINE = "var(--jp-border-color1,currentColor)"
PRINTED_SHOWN = 2000


@dataclass(frozen=True)
class Table:
    """Rows under a caption; the first cell of a row is its head."""

    caption: str
    rows: Sequence[Sequence[str]]
    head: Sequence[str] = ()


@dataclass(frozen=True)
class Listing:
    """Text that keeps its lines: code, or what an answer printed."""

    caption: str
    text: str


@dataclass(frozen=True)
class Box:
    """A heading, the one sentence, and what belongs to it; shown by a notebook as HTML and elsewhere as text."""

    status: str
    heading: str
    sentence: str
    parts: tuple[str | Table | Listing, ...] = ()

    def _repr_html_(self) -> str:
        symbol, colour = LOOKS[self.status]
        label = html.escape(printable(self.heading), quote=True)
        inside = "".join(_html(part) for part in self.parts)
        return (
            f'<div role="group" aria-label="{label}" class="gradschool-box" style="{INK};border:1px solid {LINE};'
            f'border-left:6px solid {colour};border-radius:4px;padding:8px 14px;margin:4px 0;max-width:62em">'
            f'<div style="font-weight:600"><span aria-hidden="true" style="color:{colour};margin-right:0.5em">{symbol}'
            f"</span>{_words(self.heading)}</div>"
            f'<div role="status" style="margin:4px 0;font-size:1.08em">{_words(self.sentence)}</div>{inside}</div>'
        )

    def __repr__(self) -> str:
        lines = [f"{LOOKS[self.status][0]} {self.heading}", f"  {self.sentence}"]
        for part in self.parts:
            lines += [f"  {line}" for line in _text(part).splitlines()]
        return "\n".join(printable(line) for line in lines)


def _words(text: str) -> str:
    escaped = html.escape(printable(text), quote=True)
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escaped)


def _html(part: str | Table | Listing) -> str:
    if isinstance(part, str):
        return f'<div style="margin:4px 0">{_words(part)}</div>'
    if isinstance(part, Listing):
        return (
            f'<div style="margin:6px 0 0">{_words(part.caption)}</div>'
            f'<pre style="{INK};background:none;{MONO};margin:2px 0 4px">{html.escape(printable(part.text))}</pre>'
        )
    cell = f"padding:2px 16px 2px 0;text-align:left;vertical-align:baseline;background:none;border-top:1px solid {LINE}"
    head = "".join(f'<th scope="col" style="{cell};{INK}">{_words(text)}</th>' for text in part.head)
    rows = "".join(
        f'<tr style="background:none"><th scope="row" style="{cell};{INK};font-weight:600">{_words(row[0])}</th>'
        + "".join(f'<td style="{cell};{INK};{MONO}">{html.escape(printable(text))}</td>' for text in row[1:])
        + "</tr>"
        for row in part.rows
    )
    return (
        '<table style="border-collapse:collapse;margin:6px 0;table-layout:auto">'
        f'<caption style="caption-side:top;text-align:left;{INK};padding:2px 0">{_words(part.caption)}</caption>'
        + (f'<thead><tr style="background:none">{head}</tr></thead>' if head else "")
        + f"<tbody>{rows}</tbody></table>"
    )


def _text(part: str | Table | Listing) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Listing):
        return f"{part.caption}\n" + "\n".join(f"  {line}" for line in part.text.splitlines())
    rows = [list(part.head)] if part.head else []
    rows += [list(row) for row in part.rows]
    columns = len(rows[0]) if rows else 0
    widths = [max(len(line) for row in rows for line in row[place].splitlines() or [""]) for place in range(columns)]
    lines = [part.caption]
    for row in rows:
        cells = [text.splitlines() or [""] for text in row]
        for number in range(max(map(len, cells))):
            words = [each[number] if number < len(each) else "" for each in cells]
            lines.append(
                "  " + "  ".join(f"{text:{width}}" for text, width in zip(words, widths, strict=True)).rstrip()
            )
    return "\n".join(lines)
