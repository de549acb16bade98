"""How Typha reads the text of a parameter: one small class per type of its own.

Place: `parameters` names one for each parameter; `load` calls ``parse``.

1. ``parse`` takes text that is neither empty nor ``none`` (`load` has seen to these) and gives a typed value, or raises
   `BadValueError`, whose text says what is wrong.
2. ``zero`` is what ``none`` stands for.
3. The accepted texts are those of Go's parsers, which Typha uses: `0x10` is an integer, `1e3` a number of seconds.

Source of the rules: Calico, typha/pkg/config (parameter types); Go, strconv.ParseInt with base 0 and ParseFloat.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

INT32_MAX: Final = 2**31 - 1


class BadValueError(Exception):
    """The text is not of the parameter's type."""


class Kind(Protocol):
    """A type of parameter."""

    @property
    def allowed(self) -> str:
        """What ``parse`` accepts, in words."""

    @property
    def zero(self) -> object:
        """What ``none`` stands for."""

    def parse(self, text: str) -> object:
        """The value, or BadValueError."""


class Bool:
    """A switch."""

    allowed = "true, 1, yes, y, t, false, 0, no, n, f"
    zero = False

    def parse(self, text: str) -> bool:
        """True or False; the case of the letters does not count."""
        word = text.lower()
        if word in {"true", "1", "yes", "y", "t"}:
            return True
        if word in {"false", "0", "no", "n", "f"}:
            return False
        raise BadValueError("is no boolean")


_INTEGER = re.compile(r"[+-]?(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO](_?[0-7])+|0(_?[0-7])*|[1-9](_?[0-9])*)")


class Int:
    """A whole number of 32 bits within a range."""

    zero = 0

    def __init__(self, low: int, high: int = INT32_MAX) -> None:
        self._low, self._high = low, high

    @property
    def allowed(self) -> str:
        """The range."""
        above = "" if self._high == INT32_MAX else f" to {self._high}"
        return f"a whole number, {self._low}{above}" if above else f"a whole number, at least {self._low}"

    def parse(self, text: str) -> int:
        """Decimal, 0x, 0o, 0b, or octal after a leading 0, with single underscores between digits."""
        if _INTEGER.fullmatch(text) is None:
            raise BadValueError("is no whole number")
        digits = text.lstrip("+-").replace("_", "")
        # Go reads 010 as octal, Python refuses it.
        value = int(digits, 8) if re.fullmatch(r"0[0-7]+", digits) else int(digits, 0)
        value = -value if text.startswith("-") else value
        if not self._low <= value <= self._high:
            raise BadValueError("is out of range")
        return value


_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Go's time.Duration holds nanoseconds in 63 bits.
_LONGEST_S: Final = float(2**63 // 10**9)


class Seconds:
    """A time span; fractions are allowed."""

    allowed = "a number of seconds, such as 10 or 0.5"
    zero = 0.0

    def parse(self, text: str) -> float:
        """Finite seconds."""
        if _FLOAT.fullmatch(text) is None:
            raise BadValueError("is no number of seconds")
        value = float(text)
        if not math.isfinite(value) or abs(value) > _LONGEST_S:
            raise BadValueError("is out of range")
        return value


class Text:
    """Any line of text."""

    allowed = "a text"
    zero = ""

    def parse(self, text: str) -> str:
        """The text."""
        if "\n" in text:
            raise BadValueError("has more than one line")
        return text


class OneOf:
    """One of a few words."""

    zero = ""

    def __init__(self, *words: str) -> None:
        self._words = {word.lower(): word for word in words}

    @property
    def allowed(self) -> str:
        """The words."""
        return ", ".join(self._words.values())

    def parse(self, text: str) -> str:
        """The word as Typha writes it; the case of the letters does not count."""
        try:
            return self._words[text.lower()]
        except KeyError:
            raise BadValueError("is not one of the words") from None


class File:
    """A path."""

    zero = ""

    def __init__(self, *, must_exist: bool = False) -> None:
        self._must_exist = must_exist

    @property
    def allowed(self) -> str:
        """Existing or not."""
        return "an existing file" if self._must_exist else "the path of a file"

    def parse(self, text: str) -> str:
        """The path as it is written."""
        if self._must_exist and not Path(text).exists():
            raise BadValueError("does not exist")
        return text


class _Pattern:
    """Text of a form."""

    zero = ""

    def __init__(self, pattern: str, allowed: str) -> None:
        self._pattern = re.compile(pattern)
        self.allowed = allowed

    def parse(self, text: str) -> str:
        """The text."""
        if self._pattern.fullmatch(text) is None:
            raise BadValueError("has another form")
        return text


class Authority(_Pattern):
    """``host:port``."""

    def __init__(self) -> None:
        super().__init__(r"[^:/]+:[0-9]+", "host:port")


class HostAddress(_Pattern):
    """A name or an address to listen on."""

    def __init__(self) -> None:
        super().__init__(r"[a-zA-Z0-9:._+-]{1,64}", "up to 64 letters, digits and :._+-")


class EndpointList:
    """URLs of one scheme, with commas between them."""

    allowed = "http(s)://host:port, with commas between them, all of one scheme"
    zero: tuple[str, ...] = ()

    def parse(self, text: str) -> tuple[str, ...]:
        """The URLs."""
        found: list[str] = []
        for part in filter(None, (each.strip() for each in text.split(","))):
            try:
                url = urlsplit(part)
            except ValueError:
                raise BadValueError(f"has {part!r}, which is no URL") from None
            if found and url.scheme != urlsplit(found[0]).scheme:
                raise BadValueError("has two schemes")
            if url.path not in {"", "/"} or url.query or url.fragment or url.username is not None:
                raise BadValueError(f"has {part!r}, which is more than scheme, host and port")
            found.append(part)
        return tuple(found)
