"""Makes steps small, so that histories of a few changes have several frames, slices and yields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from typha.downstream.settings import DownstreamSettings

# A budget that is always used up: a round yields after every subscriber, a reader gets one slice a turn.
STEPPED_ROUNDS = DownstreamSettings(round_budget_s=-1.0, max_age_s=0)


@contextmanager
def small_steps(*, frame_bytes: int = 40, dictionaries: int = 4) -> Iterator[None]:
    """Frames of about ``frame_bytes``, the clock looked at after every subscriber, views read one by one; every better
    dictionary pays, subscribers take so many and move to it one by one.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typha.cache.walk.FRAME_BYTES", frame_bytes)
        patch.setattr("typha.cache.walk.SLICE_BYTES", frame_bytes)
        patch.setattr("typha.downstream.streams.SLICE_BYTES", frame_bytes)
        patch.setattr("typha.downstream.group._CLOCK_EVERY", 1)
        patch.setattr("typha.downstream.streams.MOVES_PER_ROUND", 1)
        patch.setattr("typha.downstream.dictionaries.repays", lambda frames, saved, cost: saved > 0)
        patch.setattr("typha.downstream.session.MAX_DICTIONARIES", dictionaries)
        patch.setattr("typha.downstream.feed_view._SLICE", 1)
        patch.setattr("typha.downstream.feed_view._COMPARED_SLICE", 1)
        yield
