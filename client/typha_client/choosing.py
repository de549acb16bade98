"""The less loaded of two servers: both are asked at once, the connection to the better one is kept.

Its place: connector (two targets) -> *choosing* -> a connection that has not said its Hello. Invariants
1. One that does not answer holds up the other for ``PATIENCE_S`` at most.
2. Whatever happens, at most the connection that is returned stays open.

Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996): a second choice at random is
nearly as good as knowing all loads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from typha_client.connection import Connection
from typha_client.endpoints import Target

# Several round trips between zones; a server that takes longer to say a number is no better choice.
PATIENCE_S: Final = 0.25


class Offer(NamedTuple):
    """A connection whose server answered with so many subscribers."""

    connection: Connection
    load: int


@dataclass(slots=True)
class Choice:
    """``connection`` None: both failed. ``spared``: it was not chosen and may be tried later."""

    connection: Connection | None = None
    spared: list[Target] = field(default_factory=list)
    failed: dict[Target, BaseException] = field(default_factory=dict)


async def choose(first: Target, second: Target, offer: Callable[[Target], Awaitable[Offer]]) -> Choice:
    """Between equals the first. ``offer`` raises what an attempt may raise."""
    asked = {target: asyncio.ensure_future(offer(target)) for target in (first, second)}
    choice = Choice()
    try:
        done, waiting = await asyncio.wait(asked.values(), return_when=asyncio.FIRST_COMPLETED)
        if waiting:
            has_one = any(task.exception() is None for task in done)
            await asyncio.wait(waiting, timeout=PATIENCE_S if has_one else None)
        good = [task for task in asked.values() if task.done() and task.exception() is None]
        best = min(good, key=lambda task: task.result().load, default=None)
        choice.connection = None if best is None else best.result().connection
    finally:
        for task in asked.values():
            task.cancel()
        ended = await asyncio.gather(*asked.values(), return_exceptions=True)
        for target, result in zip(asked, ended, strict=True):
            match result:
                case Offer(connection) if connection is not choice.connection:
                    connection.close()
                    choice.spared.append(target)
                case asyncio.CancelledError():
                    choice.spared.append(target)
                case BaseException():
                    choice.failed[target] = result
    return choice
