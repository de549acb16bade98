"""Typha's configuration file: INI, of which only keys and values count.

Place: `load` merges it below the environment.

1. Section names are ignored; all keys are one table.
2. A key that stands twice is told in a note, and the later one wins. Unlike Typha's, ours sees `HealthPort` and
   `healthport` as the same key, because a parameter's name has no case.
3. What is no section, comment or ``key = value`` is an error that names its line.

Not taken: configparser. It merges doubled keys in silence and gives a section named DEFAULT a meaning.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_COMMENT = re.compile(r"\s[#;]")
_QUOTES = ("'", '"', "`")


class Entry(NamedTuple):
    """A key's text and the line that it stands in."""

    name: str
    text: str
    line: int


class Ini(NamedTuple):
    """What a file says. ``entries`` by lower-case name; ``notes`` about doubled keys."""

    entries: dict[str, Entry]
    notes: tuple[str, ...]


class IniError(Exception):
    """A line that cannot be read."""


def parse_ini(content: str, name: str) -> Ini:
    """The file's keys. ``name`` is what errors and notes call the file. Raises IniError."""
    entries: dict[str, Entry] = {}
    notes: list[str] = []
    lines = iter(enumerate(content.removeprefix("\ufeff").splitlines(), start=1))
    for number, raw in lines:
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        while line.endswith("\\"):
            _, more = next(lines, (0, ""))
            line = line[:-1].rstrip() + " " + more.strip() if more else line[:-1].rstrip()
        if line.startswith("["):
            if "]" not in line:
                raise IniError(f"{name}:{number}: a section without its closing ]")
            continue
        found = re.match(r"([^=:]+)[=:](.*)", line)
        if found is None:
            raise IniError(f"{name}:{number}: neither [section] nor key = value")
        key = found[1].strip()
        if before := entries.get(key.lower()):
            notes.append(f"{name}:{number}: {key} stands in line {before.line} too; this one counts")
        entries[key.lower()] = Entry(key, _value(found[2].strip()), number)
    return Ini(entries, tuple(notes))


def _value(text: str) -> str:
    for quote in _QUOTES:
        if text.startswith(quote) and (end := text.find(quote, 1)) > 0:
            return text[1:end]
    return _COMMENT.split(text, maxsplit=1)[0].strip() if text[:1] not in {"#", ";"} else ""
