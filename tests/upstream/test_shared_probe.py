from __future__ import annotations

import asyncio

import pytest

from typha.cache.errors import RestoredError
from typha.upstream.shared_probe import SharedProbe


class Asked:
    """Answers when told; counts requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.answer = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.requests += 1
        await self.answer.wait()
        if self.error is not None:
            raise self.error
        return self.requests


async def test_who_asks_at_one_time_shares_a_request() -> None:
    asked = Asked()
    probe = SharedProbe("p", asked)
    first, second = probe.join(), probe.join()
    assert first is second
    asked.answer.set()
    assert await asyncio.shield(first) == 1
    assert await asyncio.shield(probe.join()) == 2


async def test_what_follows_from_a_failure_is_done_once() -> None:
    asked = Asked()
    asked.error = RestoredError("pods", "the list's resourceVersion", 1, 2)
    asked.answer.set()
    probe = SharedProbe("p", asked)
    task = probe.join()
    with pytest.raises(RestoredError):
        await asyncio.shield(task)
    assert [probe.claim(task), probe.claim(task)] == [True, False]
    assert probe.join() is not task
    probe.cancel()
    await asyncio.sleep(0)
