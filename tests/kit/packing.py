"""Topics that hold every value packed, however few and small they are: histories must not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from typha.cache import packing
from typha.cache.topic import Topic
from typha.wire.compression import zstd


class _Eager(packing.Packer):
    """Trains at each change anew, with another dictionary: entries of many codecs stand beside each other."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.train((), 0)

    def is_due(self, count: int) -> bool:
        return True

    def train(self, values: object, count: int) -> None:
        assert zstd is not None
        self.codec = packing.Codec(zstd, zstd.ZstdDict(b"some words %d" % count, is_raw=True))


@contextmanager
def everything_packed() -> Iterator[None]:
    """While the block runs, new topics pack."""
    defaults = Topic.__init__.__kwdefaults__ or {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_WORTH", float("inf"))
        patch.setattr("typha.cache.topic.Packer", _Eager)
        patch.setattr(Topic.__init__, "__kwdefaults__", {**defaults, "packs": True})
        yield
