"""zstd behind the compression bit of a frame. Optional: ``is_available()`` says whether this side can offer it.

Invariants
1. Nothing is decompressed before its declared content size was checked against the limit.
2. Level 1: level 3 gains nothing on Kubernetes objects, with a dictionary or without.
3. A dictionary that exists can be used: a damaged one is noticed where it is made, not at the first frame.

Road not taken: streaming compression per connection. It would make every byte private to one subscriber, and
the fan-out lives from sharing them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

from typha.wire.errors import BadPayloadError, FrameTooLargeError, LocalProtocolError

LEVEL: Final = 1
# Where the id stands in a dictionary (RFC 8878, section 5), little endian; before it the magic number.
_ID_AT: Final = slice(4, 8)

_zstd: ModuleType | None
try:
    if sys.version_info >= (3, 14):
        from compression import zstd as _zstd
    else:
        from backports import zstd as _zstd
except ImportError:
    _zstd = None


def is_available() -> bool:
    """Whether zstd can be offered to the peer (extra ``zstd``, or Python 3.14)."""
    return _zstd is not None


class Dictionary:
    """A zstd dictionary. ``dictionary_id`` stands in its content and in each frame that was compressed with it.

    Raises ValueError where the content is none that zstd can use.
    """

    __slots__ = ("_zstd_dict", "content", "dictionary_id")

    def __init__(self, content: bytes) -> None:
        if _zstd is None:
            raise ValueError("zstd is not available")
        self.content = content
        try:
            self._zstd_dict = _zstd.ZstdDict(content)
            _zstd.ZstdDecompressor(zstd_dict=self._zstd_dict)  # digests it, once for all frames to come
        except _zstd.ZstdError as error:
            raise ValueError(str(error)) from None
        self.dictionary_id = int(self._zstd_dict.dict_id)

    def compressor(self) -> Any:
        """A ZstdCompressor that uses it."""
        return _module().ZstdCompressor(level=LEVEL, zstd_dict=self._zstd_dict)

    def decompressor(self) -> Any:
        """A ZstdDecompressor that uses it."""
        return _module().ZstdDecompressor(zstd_dict=self._zstd_dict)


def train(samples: Sequence[bytes], size_bytes: int, dictionary_id: int) -> Dictionary | None:
    """A dictionary of at most that size under an id of ours; None where the samples do not suffice.

    ``dictionary_id`` is from 1: small ones take one byte of a frame where zstd's random ones take four. RFC 8878
    leaves them to whoever does not publish frames. 30 ms for 400 KB, nearly all of it without the GIL.
    """
    zstd = _module()
    try:
        content: bytes = zstd.train_dict(samples, size_bytes).dict_content
    except (ValueError, zstd.ZstdError):
        return None
    numbered = bytearray(content)
    numbered[_ID_AT] = dictionary_id.to_bytes(4, "little")
    return Dictionary(bytes(numbered))


class Compressor:
    """Payloads into zstd frames with their content size, with a dictionary or without. Not for two threads at once.

    It keeps its tables: making them anew would cost 12 us a frame, with a dictionary 25.
    """

    __slots__ = ("_compressor", "_dictionary")

    def __init__(self, dictionary: Dictionary | None = None) -> None:
        self._dictionary = dictionary
        self._compressor: Any = None

    @property
    def has_dictionary(self) -> bool:
        """Whether frames can only be read with a dictionary."""
        return self._dictionary is not None

    def compress(self, payload: bytes) -> bytes:
        """Exactly one frame."""
        if self._compressor is None:
            zstd, known = _module(), self._dictionary
            self._compressor = zstd.ZstdCompressor(level=LEVEL) if known is None else known.compressor()
        compressed: bytes = self._compressor.compress(payload, self._compressor.FLUSH_FRAME)
        return compressed


def _module() -> ModuleType:
    if _zstd is None:
        raise LocalProtocolError("zstd was negotiated without being available")
    return _zstd


def decompress(
    frame_type: int, payload: bytes, limit_bytes: int, dictionaries: Mapping[int, Dictionary] | None = None
) -> bytes:
    """The content of exactly one zstd frame. ``dictionaries``: those that it may name.

    Raises BadPayloadError (no zstd, unknown dictionary, no content size, trailing bytes, damaged), FrameTooLargeError.
    """
    if _zstd is None:
        raise BadPayloadError(frame_type, "compressed, but this side never offered zstd")
    try:
        info = _zstd.get_frame_info(payload)
        size, dictionary_id = info.decompressed_size, info.dictionary_id
        if size is None:
            raise BadPayloadError(frame_type, "zstd frame without its content size")
        if size > limit_bytes:
            raise FrameTooLargeError(size, limit_bytes, "decompressed payload")
        known = (dictionaries or {}).get(dictionary_id)
        if dictionary_id and known is None:
            raise BadPayloadError(frame_type, f"zstd frame names dictionary {dictionary_id}, which is not held")
        decoder = _zstd.ZstdDecompressor() if known is None else known.decompressor()
        # One byte more than promised shows a frame that lied; max_length=0 would mean 'none'.
        content: bytes = decoder.decompress(payload, max_length=size + 1)
    except _zstd.ZstdError as error:
        raise BadPayloadError(frame_type, f"damaged zstd frame ({error})") from None
    if len(content) != size or not decoder.eof or decoder.unused_data:
        raise BadPayloadError(frame_type, "not exactly one zstd frame")
    return content
