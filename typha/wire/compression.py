"""zstd behind the compression bit of a frame. Optional: ``is_available()`` says whether this side can offer it.

Invariants
1. Nothing is decompressed before its declared content size was checked against the limit.
2. Level 1: level 3 gains nothing on Kubernetes objects and costs twice the time (bench/compression).

Road not taken: streaming compression per connection. It would make every byte private to one subscriber, and
the fan-out lives from sharing them.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

from typha.wire.errors import BadPayloadError, FrameTooLargeError, LocalProtocolError

LEVEL: Final = 1

zstd: ModuleType | None
"""The library, where there is one."""
try:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
except ImportError:
    zstd = None


def is_available() -> bool:
    """Whether zstd can be offered to the peer (extra ``zstd``, or Python 3.14)."""
    return zstd is not None


def compress(payload: bytes) -> bytes:
    """One zstd frame with its content size."""
    if zstd is None:
        raise LocalProtocolError("zstd was negotiated without being available")
    compressed: bytes = zstd.compress(payload, LEVEL)
    return compressed


def decompress(frame_type: int, payload: bytes, limit_bytes: int) -> bytes:
    """The content of exactly one zstd frame.

    Raises BadPayloadError (no zstd, no content size, trailing bytes, damaged), FrameTooLargeError.
    """
    if zstd is None:
        raise BadPayloadError(frame_type, "compressed, but this side never offered zstd")
    try:
        size = zstd.get_frame_info(payload).decompressed_size
        if size is None:
            raise BadPayloadError(frame_type, "zstd frame without its content size")
        if size > limit_bytes:
            raise FrameTooLargeError(size, limit_bytes, "decompressed payload")
        decoder = zstd.ZstdDecompressor()
        # One byte more than promised shows a frame that lied; max_length=0 would mean 'none'.
        content: bytes = decoder.decompress(payload, max_length=size + 1)
    except zstd.ZstdError as error:
        raise BadPayloadError(frame_type, f"damaged zstd frame ({error})") from None
    if len(content) != size or not decoder.eof or decoder.unused_data:
        raise BadPayloadError(frame_type, "not exactly one zstd frame")
    return content
