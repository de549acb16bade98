"""Kubernetes' label selectors as text of Calico's selector language.

Place: used by the converters of Kubernetes' own policies and of Calico's staged copy of them.

Invariants (source: libcalico-go `backend/k8s/conversion`, rule 4.6)
1. Terms stand in this order, joined by ` && `: for pods the orchestrator, then `matchLabels` by key, then
   `matchExpressions` as written. Sets stay in written order, also with repeats.
2. The text parses and means what was written. What Kubernetes' own validation refuses (an unknown operator, a set that
   is empty or stands where none belongs) and what would break out of its quotes raises ConversionError: Calico skips or
   copies it, and the selector then selects something else. Custom resources hold such selectors: their label selectors
   are not validated.
"""

from __future__ import annotations

from typing import Final

import msgspec

from typha.convert.calico.text.selector import is_label_name
from typha.convert.converter import ConversionError

__all__ = ["LabelSelector", "Requirement", "namespace_selector", "pod_selector"]

_IS_POD: Final = "projectcalico.org/orchestrator == 'k8s'"
_SETS: Final = {"In": "in", "NotIn": "not in"}
_PRESENCE: Final = {"Exists": "", "DoesNotExist": "! "}


class Requirement(msgspec.Struct, frozen=True):
    """One of `matchExpressions`."""

    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class LabelSelector(msgspec.Struct, frozen=True, rename="camel"):
    """`metav1.LabelSelector`: all parts must match; without parts it matches everything."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[Requirement] | None = None


def pod_selector(selector: LabelSelector | None, field: str) -> str:
    """The text for pods; None and an empty selector select every pod. Raises ConversionError."""
    return " && ".join([_IS_POD, *_terms(selector or LabelSelector(), field)])


def namespace_selector(selector: LabelSelector | None, field: str) -> str:
    """The text for namespaces: empty for None (the policy's own), `all()` for an empty one. Raises ConversionError."""
    if selector is None:
        return ""
    return " && ".join(_terms(selector, field)) or "all()"


def _terms(selector: LabelSelector, field: str) -> list[str]:
    labels = selector.match_labels or {}
    terms = [
        f"{_key(key, f'{field}.matchLabels')} == {_quoted(labels[key], f'{field}.matchLabels')}"
        for key in sorted(labels)
    ]
    for index, requirement in enumerate(selector.match_expressions or ()):
        terms.append(_term(requirement, f"{field}.matchExpressions[{index}]"))
    return terms


def _term(requirement: Requirement, field: str) -> str:
    key = _key(requirement.key, f"{field}.key")
    if requirement.operator in _SETS:
        if not requirement.values:
            raise ConversionError(f"{field}.values: {requirement.operator} needs values")
        values = ", ".join(_quoted(value, f"{field}.values") for value in requirement.values)
        return f"{key} {_SETS[requirement.operator]} {{ {values} }}"
    if requirement.operator in _PRESENCE:
        if requirement.values:
            raise ConversionError(f"{field}.values: {requirement.operator} takes no values")
        return f"{_PRESENCE[requirement.operator]}has({key})"
    raise ConversionError(f"{field}.operator: expected one of {', '.join([*_SETS, *_PRESENCE])}")


def _key(key: str, field: str) -> str:
    if not is_label_name(key):
        raise ConversionError(f"{field}: a key is no name of a label")
    return key


def _quoted(value: str, field: str) -> str:
    if "'" in value:
        raise ConversionError(f"{field}: a value has a quote in it; no label has such a value")
    return f"'{value}'"
