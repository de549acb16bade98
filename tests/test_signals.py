"""Draining and stopping by signals, delivered by hand."""

from __future__ import annotations

import asyncio
import signal

import pytest

from typha.signals import Signals


class Drain:
    def __init__(self, error: Exception | None = None) -> None:
        self.events: list[str] = []
        self.release = asyncio.Event()
        self._error = error

    async def __call__(self) -> None:
        self.events.append("begun")
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.events.append("cut short")
            raise
        if self._error is not None:
            raise self._error
        self.events.append("done")


def signals(told: list[str]) -> Signals:
    return Signals(asyncio.get_running_loop(), lambda: told.append("told"))


async def test_sigterm_drains_to_the_end() -> None:
    told: list[str] = []
    handled, drain = signals(told), Drain()
    handled.receive(signal.SIGTERM)
    await handled.wait()
    drain.release.set()
    await handled.unless_now(drain())
    assert (told, drain.events) == (["told"], ["begun", "done"])


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_the_drain(second: signal.Signals) -> None:
    told: list[str] = []
    handled, drain = signals(told), Drain()
    handled.receive(signal.SIGTERM)
    asyncio.get_running_loop().call_soon(handled.receive, second)
    await handled.unless_now(drain())
    assert (told, drain.events) == (["told"], ["begun", "cut short"])


async def test_sigint_does_not_drain() -> None:
    told: list[str] = []
    handled, drain = signals(told), Drain()
    handled.receive(signal.SIGINT)
    await handled.wait()
    await handled.unless_now(drain())
    assert (told, drain.events) == (["told"], [])


async def test_what_a_drain_raises_is_not_lost() -> None:
    handled, drain = signals([]), Drain(OSError("broken"))
    handled.receive(signal.SIGTERM)
    drain.release.set()
    with pytest.raises(OSError, match="broken"):
        await handled.unless_now(drain())
