"""Gob by hand, as a Go encoder (or an enemy) would write it: definitions, envelopes, whole or split."""

from __future__ import annotations

from typha.calico_wire.gob import STRING, encode_int, encode_text, encode_uint
from typha.calico_wire.messages import PACKAGE

ENVELOPE = 70
INTERFACE = 8


def gob(payload: bytes) -> bytes:
    """One gob message."""
    return encode_uint(len(payload)) + payload


def common(name: str, type_id: int) -> bytes:
    return b"\x01" + encode_text(name.encode()) + b"\x01" + encode_int(type_id) + b"\x00"


def struct_type(type_id: int, name: str, *fields: tuple[str, int]) -> bytes:
    """The payload of a definition; without ``gob`` it may stand inside an interface."""
    listed = b"\x01" + encode_uint(len(fields)) + b"".join(common(*field) for field in fields) if fields else b""
    return encode_int(-type_id) + b"\x03\x01" + common(name, type_id) + listed + b"\x00\x00"


def other_type(type_id: int, form: int, *numbers: int) -> bytes:
    """``form`` from 1: array, slice, struct, map, and the three opaque ones; ``numbers`` behind the name."""
    body = b"\x01" + common("T", type_id) + b"".join(b"\x01" + encode_int(number) for number in numbers)
    return encode_int(-type_id) + encode_uint(form) + body + b"\x00\x00"


ENVELOPE_TYPE = gob(struct_type(ENVELOPE, "Envelope", ("Message", INTERFACE)))


def head(name: str) -> bytes:
    """An envelope up to where the type of its message belongs."""
    return encode_int(ENVELOPE) + b"\x01" + encode_text((PACKAGE + name).encode())


def tail(type_id: int, value: bytes) -> bytes:
    """From there to the end: ``value`` with its end mark."""
    return encode_int(type_id) + encode_uint(len(value)) + value + b"\x00"


def envelope(name: str, type_id: int, value: bytes) -> bytes:
    return gob(head(name) + tail(type_id, value))


def text(value: str) -> bytes:
    return encode_text(value.encode())


def text_in_interface(value: str) -> bytes:
    rest = b"\x00" + text(value)
    return text("string") + encode_int(STRING) + encode_uint(len(rest)) + rest
