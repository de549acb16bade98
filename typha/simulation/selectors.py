"""Label and field selectors, and what they say about encoded objects.

Place: `requests` parses them, `store` filters lists with them, `watches` turns a
change of the match into ADDED or DELETED.

Invariants:
1. The grammar is Kubernetes' (labels: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`; fields: `=`,
   `==`, `!=`).
2. An object of unknown shape matches as one without the fields that cannot be read; it is never an error.
3. An empty selection matches everything and decodes nothing.

Not taken: attributes kept beside each object; only selective requests pay for decoding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import msgspec

from typha.simulation.status import StatusError

# One requirement ends at a comma outside parentheses.
_REQUIREMENT: Final = re.compile(r"(?:[^,(]|\([^)]*\))+")
_SET: Final = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)\s*$")
_EQUALITY: Final = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s*(?P<op>==|!=|=)\s*(?P<value>[^\s!=,()]*)\s*$")
_EXISTS: Final = re.compile(r"^\s*(?P<not>!?)\s*(?P<key>[^\s!=,()]+)\s*$")

_COMMON_FIELDS: Final = frozenset({"metadata.name", "metadata.namespace"})
FIELDS: Final[dict[str, frozenset[str]]] = {
    "pods": _COMMON_FIELDS | {"spec.nodeName", "status.phase"},
    "namespaces": _COMMON_FIELDS | {"status.phase"},
}


class _Metadata(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class _Spec(msgspec.Struct, rename={"node_name": "nodeName"}):
    node_name: str = ""


class _Status(msgspec.Struct):
    phase: str = ""


class _Subject(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class _Bare(msgspec.Struct):
    metadata: _Metadata


_SUBJECT: Final = msgspec.json.Decoder(_Subject)
_BARE: Final = msgspec.json.Decoder(_Bare)


@dataclass(frozen=True, slots=True)
class Requirement:
    """`key` (a label or a field path) stands in relation `op` to `values`."""

    key: str
    op: str  # in | notin | exists | absent
    values: frozenset[str] = frozenset()

    def matches(self, value: str | None) -> bool:
        """Whether a label's value (None: the object has no such label) satisfies this."""
        match self.op:
            case "in":
                return value is not None and value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case _:
                return value is None


@dataclass(frozen=True, slots=True)
class Selection:
    """All requirements of a request; empty ones match everything."""

    labels: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.labels or self.fields)

    def matches(self, tail: bytes) -> bool:
        """Whether the object encoded in `tail` (see `table`) is selected."""
        if not self:
            return True
        subject = _decode(b"{" + tail)
        labels = subject.metadata.labels or {}
        if not all(each.matches(labels.get(each.key)) for each in self.labels):
            return False
        values = {
            "metadata.name": subject.metadata.name,
            "metadata.namespace": subject.metadata.namespace,
            "spec.nodeName": subject.spec.node_name,
            "status.phase": subject.status.phase,
        }
        return all(each.matches(values[each.key]) for each in self.fields)


EVERYTHING: Final = Selection()


def parse_selection(plural: str, label_selector: str, field_selector: str) -> Selection:
    """The selection of a request; `StatusError` 400 names the requirement that cannot be read."""
    labels = tuple(_parse_label(each) for each in _REQUIREMENT.findall(label_selector))
    fields = tuple(_parse_field(plural, each) for each in _REQUIREMENT.findall(field_selector))
    return Selection(labels, fields)


def _parse_label(text: str) -> Requirement:
    if found := _SET.match(text):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], found["op"], values)
    if found := _EQUALITY.match(text):
        return Requirement(found["key"], "notin" if found["op"] == "!=" else "in", frozenset({found["value"]}))
    if found := _EXISTS.match(text):
        return Requirement(found["key"], "absent" if found["not"] else "exists")
    raise StatusError(400, f'unable to parse requirement: "{text}": want key=value, key in (a,b), key or !key')


def _parse_field(plural: str, text: str) -> Requirement:
    found = _EQUALITY.match(text)
    if not found:
        raise StatusError(400, f'invalid selector: "{text}"; can\'t understand it: want field=value or field!=value')
    if found["key"] not in FIELDS.get(plural, _COMMON_FIELDS):
        raise StatusError(400, f"field label not supported: {found['key']}")
    return Requirement(found["key"], "notin" if found["op"] == "!=" else "in", frozenset({found["value"]}))


def _decode(encoded: bytes) -> _Subject:
    try:
        return _SUBJECT.decode(encoded)
    except msgspec.ValidationError:
        pass
    try:
        return _Subject(_BARE.decode(encoded).metadata)
    except msgspec.ValidationError:
        return _Subject(_Metadata())
