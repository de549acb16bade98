"""How something that was looked at stands. Plain values, for whoever looks: files, rights, ports, the machine."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Outcome"]


class Outcome(StrEnum):
    """fail: it will not work so. warn: it will, but somebody should know."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
