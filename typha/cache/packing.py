"""Values held compressed, with a dictionary that is trained from the topic's own values.

Place: between what converters give and the entries of a log. ``Entry.value`` gives the plain bytes again; that an entry
is packed is known here and in ``log``, and to no reader.

Invariants
1. An entry names the codec that packed it: what was packed stays readable however often its topic trains anew.
2. Equal bytes packed by one codec are equal values, and zstd packs equal values alike. (Where it once did not, a put
   would be sent that changes nothing; no promise hangs on it.)
3. A value that packing does not make smaller by a quarter is held plain, and so are all values of a topic while it has
   few, or where its dictionary does not save a quarter of the samples, or takes too long for one of them.

Measured on pods as workload endpoints (bench convert): 391 B become 55 B in 1.5 us; back takes 9 us, most of it for
zstd's state, which Python's interface makes anew for each frame. Dictionaries of 8, 16 and 32 KiB, levels 1 and 3, the
first thousand values or ones spread evenly: all the same within 3 B.

Roads not taken: zstd without a dictionary (391 B become 304 B); several entries packed together (a change would unpack
the others); packing anew what is held when a dictionary is trained (it comes with the next change by itself).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final, Protocol

from typha.wire.compression import Compressor, Dictionary, is_available, train

# Fewer are not worth the 200 KB that a codec holds.
FIRST_TRAINED_AT: Final = 256
# Trained again when there are so many times more: what a list begins with is of a few namespaces only.
_GROWTH: Final = 16
_DICTIONARY_BYTES: Final = 16 * 1024
# It is never sent: zstd only wants one, and small ones take the least of each value.
_DICTIONARY_ID: Final = 1
# Sixty times the dictionary; zstd advises a hundred, and a thousand pods (390 KB, 25 ms) do as well as five thousand.
_SAMPLES: Final = 1000
_SAMPLE_BYTES: Final = 500_000
# Above it a value stays plain: 9 us to unpack are not worth less.
_WORTH: Final = 3 / 4
# To pack and to unpack a value once: half of what the watch path takes for an event, and for each byte what converting
# it takes (bench convert).
FAST_ENOUGH_S: Final = 20e-6
FAST_ENOUGH_BYTE_S: Final = 20e-9
# So many samples are timed: 1 ms, of 10 KB each 3 ms.
_TIMED: Final = 64
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_SIZE: Final = struct.Struct("<I")


class Codec:
    """One dictionary. What was packed or unpacked last is at hand: comparing, keeping and filtering a change ask for
    the same value one after the other.

    Packed bytes are a zstd frame whose magic number gave its place to the plain size.
    """

    __slots__ = ("_compressor", "_dictionary", "_packed", "_value")

    def __init__(self, dictionary: Dictionary) -> None:
        self._compressor = Compressor(dictionary)
        self._dictionary = dictionary
        self._value = self._packed = b""

    def pack(self, value: bytes) -> bytes:
        """The value packed, or as it is where that is not worth it."""
        if value is self._value:
            return self._packed
        frame = self._compressor.compress(value)
        packed = value if len(frame) > _WORTH * len(value) else _SIZE.pack(len(value)) + frame[len(_MAGIC) :]
        self._value, self._packed = value, packed
        return packed

    def unpack(self, packed: bytes) -> bytes:
        """The value of what ``pack`` made smaller."""
        if packed is self._packed:
            return self._value
        value: bytes = self._dictionary.decompressor().decompress(_MAGIC + packed[_SIZE.size :])
        self._value, self._packed = value, packed
        return value


def size_of(packed: bytes) -> int:
    """Bytes of the value that was packed."""
    size: int = _SIZE.unpack_from(packed)[0]
    return size


class Valued(Protocol):
    """An entry."""

    @property
    def value(self) -> bytes:
        """Plain."""
        ...


class Packer:
    """A topic's present codec (None: values stay plain), and when the next one is due. RuntimeError without zstd.

    ``clock``: seconds of this thread's CPU.
    """

    __slots__ = ("_clock", "codec", "next_training_at")

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        if not is_available():
            raise RuntimeError("values can be held compressed only where zstd is installed")
        self._clock = clock
        self.codec: Codec | None = None
        self.next_training_at = FIRST_TRAINED_AT

    def learn(self, entries: Mapping[str, Valued]) -> None:
        """Train where these entries (all of the topic, or of a list that loads) have become enough for a new codec."""
        count = len(entries)
        if count >= self.next_training_at:
            self.next_training_at = count * _GROWTH
            self.train(entry.value for entry in islice(entries.values(), 0, None, max(1, count // _SAMPLES)))

    def train(self, values: Iterable[bytes]) -> None:
        """Make a codec from such samples; none where it gains too little or takes too long."""
        samples: list[bytes] = []
        left = _SAMPLE_BYTES
        for value in values:
            samples.append(value)
            left -= len(value)
            if left <= 0:
                break
        dictionary = train(samples, _DICTIONARY_BYTES, _DICTIONARY_ID)
        codec = Codec(dictionary) if dictionary is not None else None
        self.codec = codec if codec is not None and self._is_worth_it(codec, samples) else None

    def _is_worth_it(self, codec: Codec, samples: list[bytes]) -> bool:
        packed = [codec.pack(value) for value in samples]
        if sum(map(len, packed)) > _WORTH * sum(map(len, samples)):
            return False
        timed = samples[:_TIMED]
        began_at = self._clock()
        for place, value in enumerate(timed):
            codec.pack(value)
            if packed[place] is not value:
                codec.unpack(packed[place])
        allowed_s = FAST_ENOUGH_S * len(timed) + FAST_ENOUGH_BYTE_S * sum(map(len, timed))
        return self._clock() - began_at <= allowed_s
