"""A dictionary from the entries of a topic, and what it gives. Pure, and safe on a thread: entries are frozen.

1. What is measured was not trained on.
2. Measured are frames of one change: a dictionary saves about the same on each frame, whatever the number of its
   changes (bench/deltas), so that frames are what has to be counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from statistics import fmean
from typing import Final, NamedTuple

from typha.cache.log import Entry, Log
from typha.wire.compression import Compressor, Dictionary, train
from typha.wire.entries import encode_entries, encode_put
from typha.wire.frames import HEADER, compress_frame

# Up to here (some 30 changes of 500 B) a dictionary takes a quarter or more off what zstd leaves, at no more CPU than
# zstd alone; above, less than a fifth for a fifth more CPU (bench/deltas).
DICTIONARY_TO_BYTES: Final = 16 * 1024
# The smaller one costs a quarter to hand over, and gives as much where the values of a topic are alike.
SIZES_BYTES: Final = (4 * 1024, 16 * 1024)
# 32 pods give 80 B where 1,000 give 79; with 8 it is 115.
MIN_ENTRIES: Final = 32
# So many of the newest, which are like what changes next, and so many from all over the topic.
SAMPLES: Final = 512
# zstd recommends a hundred times the dictionary; more only costs time.
_SAMPLE_BYTES: Final = 1024 * 1024
# One of so many is kept back and measured.
_MEASURED: Final = 4
# Two sizes that differ by less are the same; a new dictionary that gains less is not worth a hand-over.
WORTH: Final = 1 / 8


class Trained(NamedTuple):
    """``dictionary`` None: the one in use stays, or there is none that helps. Mean bytes of a frame of one change:
    without a dictionary, with the one in use (None: there was none), with the new one.
    """

    dictionary: Dictionary | None
    without_bytes: float
    current_bytes: float | None
    single_bytes: float


def samples_of(log: Log) -> list[Entry]:
    """References to entries worth learning from, the newest first: 2 ms for 100,000."""
    entries = log.entries.values()
    found = {entry.key: entry for entry in islice(reversed(entries), SAMPLES)}
    found.update((entry.key, entry) for entry in islice(entries, 0, None, max(1, len(entries) // SAMPLES)))
    return list(found.values())


class Training:
    """One topic's next dictionary, under this id; ``run`` takes its time (75 ms), anywhere."""

    def __init__(self, topic_id: int, entries: Sequence[Entry], current: Dictionary | None, dictionary_id: int) -> None:
        self.topic_id = topic_id
        self.dictionary_id = dictionary_id
        self._entries = entries
        self._current = current

    def run(self) -> Trained:
        """Train one of each size; the larger one only where it is worth it."""
        frames = list(self._frames())
        if not frames:
            return Trained(None, 0.0, None, 0.0)  # all of its values are too large
        measured = frames[::_MEASURED]
        samples = [frame[HEADER.size :] for place, frame in enumerate(frames) if place % _MEASURED]
        without = _mean_bytes(measured, None)
        current = None if self._current is None else _mean_bytes(measured, self._current)
        best, best_bytes = None, without if current is None else current
        for size in SIZES_BYTES:
            dictionary = train(samples, size, self.dictionary_id)
            if dictionary is not None and (given := _mean_bytes(measured, dictionary)) < best_bytes * (1 - WORTH):
                best, best_bytes = dictionary, given
        return Trained(best, without, current, best_bytes)

    def _frames(self) -> Iterable[bytes]:
        size = 0
        for entry in self._entries:
            if entry.size > DICTIONARY_TO_BYTES:
                continue
            size += entry.size
            if size > _SAMPLE_BYTES:
                return
            yield encode_entries(self.topic_id, entry.rv, [encode_put(entry.key, entry.rv, entry.value)])


def _mean_bytes(frames: Sequence[bytes], dictionary: Dictionary | None) -> float:
    compressor = Compressor(dictionary)
    return fmean(len(compress_frame(frame, compressor)) for frame in frames)
