"""Kubernetes label selectors, as ``kubectl -l`` takes them.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors and
k8s.io/apimachinery/pkg/labels (``a=b``, ``a==b``, ``a!=b``, ``a in (b,c)``, ``a notin (b,c)``, ``a``, ``!a``,
joined by commas; a label that is missing satisfies ``!=`` and ``notin``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from typha.cache.errors import FilterError

_NAME: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,251}[A-Za-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_EQUALITY: Final = re.compile(rf"\s*({_NAME})\s*(==|=|!=)\s*({_VALUE})\s*")
# The values are split, not matched here: an empty one between two runs of blanks has exponentially many readings.
_SET: Final = re.compile(rf"\s*({_NAME})\s+(in|notin)\s*\(([^()]*)\)\s*")
_WHOLE_VALUE: Final = re.compile(_VALUE)
_EXISTS: Final = re.compile(rf"\s*(!?)\s*({_NAME})\s*")


class Requirement(NamedTuple):
    """One term: the label, the values it is compared with (None: only existence), and whether it is negated."""

    label: str
    values: frozenset[str] | None
    negated: bool

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy this term."""
        found = self.label in labels if self.values is None else labels.get(self.label) in self.values
        return found != self.negated


def parse_selector(text: str) -> tuple[Requirement, ...]:
    """The terms of a selector, all of which must hold. Raises FilterError with the place of the first fault."""
    terms: list[Requirement] = []
    position = 0
    while True:
        for pattern in (_SET, _EQUALITY, _EXISTS):
            match = pattern.match(text, position)
            if match and (match.end() == len(text) or text[match.end()] == ",") and _has_values(pattern, match):
                break
        else:
            raise FilterError(
                f"label selector {text[:200]!r} is wrong at character {position + 1}; expected terms like "
                "a=b, a!=b, a in (b,c), a notin (b,c), a, !a, joined by commas"
            )
        terms.append(_term(pattern, match))
        position = match.end() + 1
        if match.end() == len(text):
            return tuple(terms)


def _has_values(pattern: re.Pattern[str], match: re.Match[str]) -> bool:
    return pattern is not _SET or all(_WHOLE_VALUE.fullmatch(value.strip()) for value in match[3].split(","))


def _term(pattern: re.Pattern[str], match: re.Match[str]) -> Requirement:
    if pattern is _EQUALITY:
        label, operator, value = match.groups()
        return Requirement(label, frozenset((value,)), operator == "!=")
    if pattern is _SET:
        label, operator, values = match.groups()
        return Requirement(label, frozenset(value.strip() for value in values.split(",")), operator == "notin")
    negation, label = match.groups()
    return Requirement(label, None, negation == "!")
