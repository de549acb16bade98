"""Topics that hold every value packed, however few and small they are: histories must not notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import pytest

from typha.cache import packing
from typha.cache.topic import Topic
from typha.wire.compression import train


class _Eager(packing.Packer):
    """Trains at each change anew, with another dictionary: entries of many codecs stand beside each other."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.learn({})

    def learn(self, entries: Mapping[str, packing.Valued]) -> None:
        self.codec = _codec(len(entries) % 7)


@cache
def _codec(number: int) -> packing.Codec:
    dictionary = train([b"some words %d of %d" % (word, number) for word in range(1000)], 1024, number + 1)
    assert dictionary is not None
    return packing.Codec(dictionary)


@contextmanager
def everything_packed() -> Iterator[None]:
    """While the block runs, new topics pack."""
    defaults = Topic.__init__.__kwdefaults__ or {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_WORTH", float("inf"))
        patch.setattr(Topic.__init__, "__kwdefaults__", {**defaults, "make_packer": _Eager})
        yield
