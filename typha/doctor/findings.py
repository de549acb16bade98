"""What one look has found, and how bad it is. Plain values.

Invariant: every finding that is not ok says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from typha.outcome import Outcome

__all__ = ["Finding", "Outcome", "failed", "ok", "warning", "worst"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at (``check``), what is the case, what to do ("" where nothing is)."""

    check: str
    outcome: Outcome
    what: str
    hint: str = ""


def ok(check: str, what: str) -> Finding:
    """As it should be."""
    return Finding(check, Outcome.OK, what)


def warning(check: str, what: str, hint: str) -> Finding:
    """It works, but."""
    return Finding(check, Outcome.WARN, what, hint)


def failed(check: str, what: str, hint: str) -> Finding:
    """It does not work."""
    return Finding(check, Outcome.FAIL, what, hint)


def worst(findings: Iterable[Finding]) -> Outcome:
    """The worst outcome; ok where there is no finding."""
    order = list(Outcome)
    return max((finding.outcome for finding in findings), key=order.index, default=Outcome.OK)
