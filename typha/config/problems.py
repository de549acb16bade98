"""What is wrong with a configuration: every problem with its key, source, value, reason and what is allowed.

1. Problems are collected, not raised one by one: the operator sees all of them at once.
2. A value that may be secret is never repeated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SECRET_NAME = re.compile(r"token|passw|secret|credential|private|api_?key", re.IGNORECASE)
SECRET_VALUE = re.compile(r"PRIVATE KEY|\beyJ[\w-]{8,}\.|\bBearer\s", re.IGNORECASE)
# A value is repeated so that it is recognised, not read in full: two thirds of a terminal's line.
SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``source`` is a place to go to: ``typha.yaml:7``, ``environment TYPHA_X``, ``--x``."""

    key: str
    source: str
    value: str
    reason: str
    allowed: str = ""

    def __str__(self) -> str:
        shown = f" = {self.value}" if self.value else ""
        allowed = f" (allowed: {self.allowed})" if self.allowed else ""
        return f"{self.source}: {self.key}{shown}: {self.reason}{allowed}"


class ConfigError(Exception):
    """The configuration cannot be used; ``problems`` has all that is wrong, in the order of the sources."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def shown(key: str, value: object) -> str:
    """``value`` as an error may repeat it: shortened, and hidden where its name or look says that it is secret."""
    text = value if isinstance(value, str) else repr(value)
    if SECRET_NAME.search(key) or SECRET_VALUE.search(text):
        return "(hidden)"
    text = repr(value) if isinstance(value, str) else text
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` for the known word that is closest, or nothing where none is close."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6) or [name for name in names if name.startswith(word)]
    return f"; did you mean {close[0]}?" if word and close else ""
