"""All of the outside that runs beside the server, as one part: its ports, its numbers, rebalancing, the first writes.

Place: `app` makes one where it serves in Typha's mode; reads top to bottom as `app` calls it:

    outside = Outside(drop_in, board)           in __init__
    outside.start(); ... outside.stop()         around everything, as `observe`'s server
    tasks.create_task(outside.run(...))         with the other parts; cancelled before the drain begins
    outside.figures.publish(picture_of(...))    at every publication; the `Board` is health's source

1. A server that drains sheds nobody: `run` is cancelled first.
2. Without a mode of rebalancing the upper limit still holds.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from typha.drop_in.ports import DropInPorts
from typha.drop_in.rebalancing import drain_interval_s
from typha.drop_in.settings import DropIn
from typha.drop_in.statistics import Figures
from typha.drop_in.summary import Windows
from typha.observe.status import Board
from typha.replicas.balance import Shedder
from typha.replicas.shedding import shed_until

if TYPE_CHECKING:
    from typha.upstream.api_session import ApiSession
    from typha.upstream.kubernetes_client import Configuration

Connection = TypeVar("Connection")


class Outside:
    """See the module."""

    def __init__(
        self,
        drop_in: DropIn,
        board: Board,
        *,
        random: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.drop_in = drop_in
        self.figures = Figures()
        self.windows = Windows()
        self.ports = DropInPorts(drop_in, board, self.figures)
        self._random = random
        self._clock = clock
        self.shedder = Shedder(drop_in.drop_interval_s, drop_in.upper_limit, random=random, now=clock())

    def start(self) -> None:
        """Open the ports. Raises ObserveError."""
        self.ports.start()

    def stop(self) -> None:
        """Close the ports; safe to call twice."""
        self.ports.stop()

    async def run(
        self,
        session: ApiSession,
        load: Callable[[], Awaitable[Configuration]],
        *,
        count_nodes: Callable[[], int | None],
        connections: Callable[[], Sequence[Connection]],
        shed: Callable[[Connection], None],
    ) -> None:
        """Until cancelled. ``count_nodes``: None while the nodes are not in sync. ``shed`` closes one connection."""
        # Here, not above: a server of our own never loads them.
        from typha.drop_in.ensure_initialized import ensure_initialized  # noqa: PLC0415
        from typha.drop_in.typhas import poll  # noqa: PLC0415

        wanted = self.drop_in
        async with asyncio.TaskGroup() as tasks:
            shedding = shed_until(math.inf, self.shedder, connections, shed, clock=self._clock)
            tasks.create_task(shedding, name="typha shed")
            if wanted.rebalancing is not None:
                polling = poll(
                    session,
                    wanted.rebalancing,
                    wanted.upper_limit,
                    count_nodes=count_nodes,
                    on_limit=self._set_limit,
                    random=self._random,
                )
                tasks.create_task(polling, name="typha poll")
            if wanted.ensure_initialized:
                writing = ensure_initialized(load, random=self._random, now=self._clock)
                tasks.create_task(writing, name="typha ensure initialized")

    def drain_interval_s(self, connections: int) -> float:
        """Between two closes of a drain of so many."""
        wanted = self.drop_in
        return drain_interval_s(connections, wanted.shutdown_timeout_s, wanted.shutdown_drop_interval_max_s)

    def _set_limit(self, limit: int) -> None:
        self.shedder.limit = limit
