"""Entries of Calico's data model as KV elements of Calico's wire. Pure.

Rules (recorded from Calico's Typha)
1. A value is JSON as Go's encoder writes it, `<`, `>`, `&`, U+2028 and U+2029 escaped; configuration values are text.
2. The revision of a namespace's profile is `RV/`, a service account's `/RV`, of what comes from no object `1`.
3. A v3 object's version stands beside the value; profiles have none, they are made from other objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from typha.cache.log import Entry
from typha.calico_wire.messages import UpdateType
from typha.calico_wire.writer import encode_element

CONFIG_KEYS: Final = "/config/"
"""In the path of every configuration key, and of no other."""

_V3: Final = "/calico/resources/v3/"
_PROFILES: Final = "/calico/resources/v3/projectcalico.org/profiles/"
_STANDING_RV: Final = 1
_FORMATS: Final[dict[str, Callable[[int], str]]] = {
    "profiles.namespaces": lambda rv: "1" if rv == _STANDING_RV else f"{rv}/",
    "profiles.serviceaccounts": lambda rv: f"/{rv}",
}

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.json.Encoder().encode
_ESCAPED: Final = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}
_TO_ESCAPE: Final = re.compile(b"|".join(re.escape(each) for each in _ESCAPED))


class Revisions:
    """How the revisions of one topic's entries are written."""

    __slots__ = ("_format",)

    def __init__(self, topic: str) -> None:
        self._format = _FORMATS.get(topic, str)

    def of(self, entry: Entry) -> str:
        """The entry's revision."""
        return self._format(entry.rv)


def value_of(entry: Entry) -> bytes:
    """The value's bytes for agents (rule 1)."""
    decoded = _decode(entry.value)
    if isinstance(decoded, str):
        return decoded.encode()
    return _TO_ESCAPE.sub(lambda found: _ESCAPED[found[0]], _encode(decoded))


def element_of(entry: Entry, value: bytes, revisions: Revisions, *, is_new: bool) -> bytes:
    """The KV of the entry, whose ``value`` it is."""
    key = entry.key
    is_v3 = key.startswith(_V3) and not key.startswith(_PROFILES)
    kind = UpdateType.NEW if is_new else UpdateType.UPDATED
    return encode_element(key, value, revisions.of(entry), str(entry.rv) if is_v3 else "", kind)


def value_end(key: str, value: bytes) -> int:
    """Where the value ends in every element of that key and value: what follows is its revision."""
    key_size = len(key.encode())
    # Each of the two: the field's delta, its length as gob writes it, its bytes.
    return 2 + _uint_size(key_size) + key_size + _uint_size(len(value)) + len(value)


def _uint_size(number: int) -> int:
    return 1 if number < 128 else 1 + (number.bit_length() + 7) // 8


def as_new(element: bytes) -> bytes:
    """The element as a snapshot has it. Update type and end mark are its last two bytes."""
    return element[:-2] + _NEW_END


_NEW_END: Final = bytes((UpdateType.NEW, 0))
