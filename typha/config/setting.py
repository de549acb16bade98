"""How a setting is declared: a dataclass field that carries its kind, what it is, and why its default is what it is."""

from __future__ import annotations

from dataclasses import field
from typing import Any, NamedTuple

from typha.config.kinds import Kind


class Alias(NamedTuple):
    """Another environment variable for a setting, with a kind of its own. The setting's own variable wins."""

    variable: str
    kind: Kind


class Setting(NamedTuple):
    """What is written at a field: its kind, what it is, and why its default is what it is."""

    kind: Kind
    about: str
    reason: str
    file_only: bool = False  # structures that an environment variable could only hold as a riddle
    alias: Alias | None = None


def setting(
    default: object, kind: Kind, about: str, reason: str, *, file_only: bool = False, alias: Alias | None = None
) -> Any:
    """A dataclass field with its Setting beside it."""
    metadata = {"setting": Setting(kind, about, reason, file_only, alias)}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)
