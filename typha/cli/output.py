"""What commands write to standard output: lines of JSON for machines, tables for people.

1. Lines of JSON are UTF-8 whatever the locale is, one object a line, keys in the documented order.
2. A table that goes to a pipe is not cut to some width; on a terminal it is as wide as the terminal.
3. What a cluster's objects hold is text, never terminal control: escape sequences and newlines are shown, not sent.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

# Imported where it is used, not here: `typha serve` prints no table, and would hold 6 MB for it.
if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

# Where there is no terminal to fit into: no column is ever cut.
UNLIMITED_WIDTH: Final = 10_000


def json_line(record: object) -> bytes:
    """One line of compact JSON. Binary values, which JSON cannot hold, become base64."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_binary)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def json_page(record: object) -> bytes:
    """Indented JSON, as people read it."""
    text = json.dumps(record, ensure_ascii=False, indent=2, default=_binary)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _binary(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def write(*data: bytes) -> None:
    """Bytes to standard output at once, in order with what was printed before."""
    sys.stdout.flush()
    sys.stdout.buffer.writelines(data)
    sys.stdout.buffer.flush()


def printable(value: object) -> str:
    """A value as a table shows it: control characters visible, nothing else changed."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return (
        text
        if text.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    )


def console() -> Console:
    """A console on standard output."""
    from rich.console import Console  # noqa: PLC0415

    made = Console(highlight=False, soft_wrap=False)
    return made if made.is_terminal else Console(highlight=False, width=UNLIMITED_WIDTH)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> Table:
    """A borderless table as kubectl's. ``right`` names the columns of numbers; a Text cell is taken as is."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for name in columns:
        made.add_column(Text(name), justify="right" if name in right else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row))
    return made


def styled(text: str, style: str) -> Text:
    """A cell in that style."""
    from rich.text import Text  # noqa: PLC0415

    return Text(text, style)


def show(made: RenderableType) -> None:
    """A table or text on standard output; in a pipe without spaces at the ends of lines."""
    out = console()
    if out.is_terminal:
        out.print(made)
        return
    with out.capture() as capture:
        out.print(made)
    for line in capture.get().splitlines():
        print(line.rstrip())


def seconds(value: float | None) -> str:
    """A duration in two units at most: 850ms, 12s, 3m20s, 5h7m, 12d3h; - where unknown."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f}ms"
    whole = int(value)
    for unit, size, below, below_size in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // below_size
            return f"{whole // size}{unit}" + (f"{rest}{below}" if rest else "")
    return f"{whole}s"


def size(count: float) -> str:
    """Bytes in the largest unit that leaves a number below 1024."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
