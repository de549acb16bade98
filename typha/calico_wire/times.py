"""Go's time.Time in its own binary form, as MsgPing and MsgPong carry it.

Version 1: ``01``, seconds since 1 January of year 1 (i64), nanoseconds (i32), zone offset in minutes (i16, -1: UTC),
all big endian. Version 2 adds one byte, the offset's seconds. Source: Go's time.Time.MarshalBinary.
"""

from __future__ import annotations

import struct
from typing import Final

from typha.calico_wire.errors import BadGobError

_BODY: Final = struct.Struct(">Bqih")
_LENGTH: Final = {1: _BODY.size, 2: _BODY.size + 1}
_EPOCH_S: Final = 62_135_596_800  # from 0001-01-01 to 1970-01-01
_NS: Final = 1_000_000_000
_UTC: Final = -1


def encode_time(unix_ns: int) -> bytes:
    """15 bytes, zone UTC."""
    seconds, nanoseconds = divmod(unix_ns, _NS)
    return _BODY.pack(1, seconds + _EPOCH_S, nanoseconds, _UTC)


def decode_time(data: bytes) -> int | None:
    """Nanoseconds since the Unix epoch; None for Go's zero time. The zone does not move the instant, and is dropped."""
    if not data or len(data) != _LENGTH.get(data[0]):
        raise BadGobError("a time that is not in Go's binary form")
    _, seconds, nanoseconds, _ = _BODY.unpack_from(data)
    if not 0 <= nanoseconds < _NS:
        raise BadGobError(f"a time with {nanoseconds} ns beside its seconds")
    if seconds == nanoseconds == 0:
        return None
    return int((seconds - _EPOCH_S) * _NS + nanoseconds)
