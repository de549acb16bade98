"""Kinds of the settings about Calico's data model: names of built-in feeds, prefixes of interfaces.

The same rules as in `kinds`.
"""

from __future__ import annotations

from typing import Final

from typha.config.kinds import WrongValueError, type_name
from typha.config.problems import did_you_mean

FELIX: Final = "felix"
BGP: Final = "bgp"
TUNNEL_IP_ALLOCATION: Final = "tunnel-ip-allocation"
NODE_STATUS: Final = "node-status"

BUILT_IN_FEEDS: Final = (FELIX, BGP, TUNNEL_IP_ALLOCATION, NODE_STATUS)
"""The sync types that Calico's Typha serves, by its names."""

# Linux' IFNAMSIZ without its closing zero.
_MOST_CHARACTERS: Final = 15

_AUTO: Final = "auto"
_NONE: Final = "none"


class BuiltInFeeds:
    """Which of the built-in feeds, or None for ``auto``."""

    allowed = f"auto, none, or a list of {', '.join(BUILT_IN_FEEDS)} (with commas between them in the environment)"

    def read(self, raw: object, *, text: bool) -> tuple[str, ...] | None:
        """The names, each once, in the order of `BUILT_IN_FEEDS`."""
        if raw == _AUTO:
            return None
        if raw == _NONE:
            return ()
        if text and isinstance(raw, str):
            raw = [part.strip() for part in raw.split(",") if part.strip()]
        if not isinstance(raw, list):
            raise WrongValueError(f"is {type_name(raw)}, not a list")
        for name in raw:
            if not isinstance(name, str):
                raise WrongValueError(f"has {name!r}, which is {type_name(name)}, not a feed")
            if name not in BUILT_IN_FEEDS:
                raise WrongValueError(f"has {name!r}, which is no built-in feed{did_you_mean(name, BUILT_IN_FEEDS)}")
            if raw.count(name) > 1:
                raise WrongValueError(f"has {name!r} twice")
        return tuple(name for name in BUILT_IN_FEEDS if name in raw)

    def show(self, value: object) -> object:
        """A list, ``none`` for an empty one, or ``auto``."""
        return _AUTO if value is None else (list(value) or _NONE) if isinstance(value, tuple) else value


class InterfacePrefix:
    """What names of interfaces begin with."""

    allowed = f"1 to {_MOST_CHARACTERS} letters, digits, '.', '_' and '-'"

    def read(self, raw: object, *, text: bool) -> str:
        """The prefix."""
        if not isinstance(raw, str):
            raise WrongValueError(f"is {type_name(raw)}, not a text")
        if not raw:
            raise WrongValueError("is empty")
        if len(raw) > _MOST_CHARACTERS or not all(char.isascii() and (char.isalnum() or char in "._-") for char in raw):
            raise WrongValueError("has characters that it may not have, or too many")
        return raw

    def show(self, value: object) -> object:
        """The prefix."""
        return value


class FirstInterfacePrefix(InterfacePrefix):
    """The first of several, as Felix' variable has them."""

    allowed = f"prefixes with commas between them, the first of {InterfacePrefix.allowed}"

    def read(self, raw: object, *, text: bool) -> str:
        """The first prefix."""
        return super().read(raw.partition(",")[0].strip() if isinstance(raw, str) else raw, text=text)
