"""The hot frame: Entries, built from pieces that were encoded once, and taken apart without decoding values.

    entries := [topic id, through or nil, [put..], [delete..]]
    put     := [key, rv, value]     rv always as u64 (9 bytes), so that a value's place follows from the key alone
    delete  := [key, rv]

Invariants
1. A put's bytes follow from key, rv and value alone: all frames that carry it carry the same bytes.
2. ``decode_entries`` hands values on as bytes: an agent compares and stores them, and decodes what it reads.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import msgpack

from typha.wire.errors import BadPayloadError
from typha.wire.frames import HEADER, FrameType
from typha.wire.messages import Delete, Entries, Put

_U64: Final = struct.Struct(">BQ")  # msgpack uint 64
_U64_TAG: Final = 0xCF
_RV_BYTES: Final = _U64.size


def encode_put(key: str, rv: int, value: bytes) -> bytes:
    """One put from a value that is msgpack already."""
    return b"\x93" + _string(key) + _U64.pack(_U64_TAG, rv) + value


def encode_delete(key: str, rv: int) -> bytes:
    """One delete."""
    return b"\x92" + _string(key) + _U64.pack(_U64_TAG, rv)


def value_offset(key: str) -> int:
    """Where the value starts in the bytes of that key's put."""
    length = len(key) if key.isascii() else len(key.encode())
    return 1 + _string_header_bytes(length) + length + _RV_BYTES


def encode_entries(topic_id: int, through: int | None, puts: Sequence[bytes], deletes: Sequence[bytes] = ()) -> bytes:
    """The whole frame from encoded puts and deletes, each ascending by rv."""
    body = b"".join(
        (
            b"\x94",
            msgpack.packb(topic_id),
            b"\xc0" if through is None else _U64.pack(_U64_TAG, through),
            _array_header(len(puts)),
            *puts,
            _array_header(len(deletes)),
            *deletes,
        )
    )
    return HEADER.pack(len(body) + 1, FrameType.ENTRIES) + body


def encode_entries_message(message: Entries) -> bytes:
    """Payload of a decoded message (tests, fakes, relays)."""
    frame = encode_entries(
        message.topic_id,
        message.through,
        [encode_put(*put) for put in message.puts],
        [encode_delete(*delete) for delete in message.deletes],
    )
    return frame[HEADER.size :]


def decode_entries(payload: bytes) -> Entries:
    """Entries with values left as msgpack. Raises BadPayloadError."""
    size = len(payload)
    # Arrays and maps occur as headers and inside values, which are skipped: unpack() itself meets scalars only, and
    # a topic id that is a list of lists must not claim each level's stated size.
    unpacker = msgpack.Unpacker(max_buffer_size=size or 1, max_array_len=0, max_map_len=0, max_ext_len=0)
    try:
        unpacker.feed(payload)
        _expect(unpacker.read_array_header() == 4, "expected an array of 4")
        topic_id = _unsigned(unpacker.unpack(), "topic id")
        through = unpacker.unpack()
        if through is not None:
            _unsigned(through, "through")
        puts = []
        count = unpacker.read_array_header()
        _expect(count <= size, f"{count} puts in {size} bytes")
        # Bound methods, and checks written out: an agent takes 50,000 of these a second.
        header, unpack, skip, tell = unpacker.read_array_header, unpacker.unpack, unpacker.skip, unpacker.tell
        for _ in range(count):
            if header() != 3:
                raise BadPayloadError(FrameType.ENTRIES, "a put is an array of 3")
            key, rv = unpack(), unpack()
            if type(key) is not str or type(rv) is not int or rv < 0:
                _text(key)
                _unsigned(rv, "rv")
            start = tell()
            skip()
            puts.append(Put(key, rv, payload[start : tell()]))
        deletes = []
        count = unpacker.read_array_header()
        _expect(count <= size, f"{count} deletes in {size} bytes")
        for _ in range(count):
            _expect(unpacker.read_array_header() == 2, "a delete is an array of 2")
            deletes.append(Delete(_text(unpacker.unpack()), _unsigned(unpacker.unpack(), "rv")))
        _expect(unpacker.tell() == size, "trailing bytes")
    except (ValueError, msgpack.UnpackException) as error:
        raise BadPayloadError(FrameType.ENTRIES, f"not the array of an Entries frame ({error})") from None
    return Entries(topic_id, through, puts, deletes)


def _expect(true: bool, what: str) -> None:
    if not true:
        raise BadPayloadError(FrameType.ENTRIES, what)


def _unsigned(value: Any, where: str) -> int:
    _expect(type(value) is int and value >= 0, f"{where} is not an unsigned integer")
    return int(value)


def _text(value: Any) -> str:
    _expect(type(value) is str, "key is not a string")
    return str(value)


def _string_header_bytes(length: int) -> int:
    return 1 if length < 32 else 2 if length < 256 else 3 if length < 65536 else 5


def _string(text: str) -> bytes:
    packed: bytes = msgpack.packb(text)
    return packed


def _array_header(length: int) -> bytes:
    if length < 16:
        return bytes((0x90 | length,))
    if length < 65536:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")
