"""Counts the Typhas of a Service, and polls for the limit that follows (rebalancing mode `kubernetes`).

Place: `app` runs `poll` as a task where `DropIn.rebalancing` is set; ``on_limit`` sets `Shedder.limit`.

1. A Typha is a distinct address in the Service's EndpointSlices that have the port's name, ready or not: one that
   starts will take its share soon.
2. Whatever fails, the limit is the upper one: without numbers nobody is shed.
3. Needs `list` on endpointslices, which the feeds need too; the Service itself is never read.

Source: Calico, typha/pkg/k8s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from typha.drop_in.rebalancing import Limit, connection_limit
from typha.drop_in.settings import Rebalancing
from typha.replicas.slices import list_endpoints
from typha.upstream.api_session import ApiSession
from typha.upstream.errors import UpstreamError

log = logging.getLogger("typha.drop_in")

_JITTER: Final = 0.1


async def count_typhas(session: ApiSession, settings: Rebalancing) -> int:
    """Distinct addresses. Raises UpstreamError."""
    return len(await list_endpoints(session, settings.namespace, settings.service, settings.port_name))


async def find_limit(
    session: ApiSession, settings: Rebalancing, upper: int, count_nodes: Callable[[], int | None]
) -> Limit:
    """The limit of this moment. ``count_nodes`` gives None while the feed with the nodes is not in sync."""
    try:
        typhas = await count_typhas(session, settings)
    except UpstreamError as error:
        log.warning("the Typhas cannot be counted; nobody is shed", extra={"error": str(error)})
        return Limit(upper, "error")
    nodes = count_nodes()
    if nodes is None:
        return Limit(upper, "error")
    limit = connection_limit(nodes, typhas, lower=settings.lower_limit, upper=upper)
    log.debug("counted", extra={"nodes": nodes, "typhas": typhas, "limit": limit.connections})
    return limit


async def poll(
    session: ApiSession,
    settings: Rebalancing,
    upper: int,
    *,
    count_nodes: Callable[[], int | None],
    on_limit: Callable[[int], None],
    random: Callable[[], float],
) -> None:
    """Until cancelled: every interval (and up to a tenth more), the first time after one, as Typha does."""
    active = upper
    while True:
        await asyncio.sleep(settings.poll_interval_s * (1 + _JITTER * random()))
        limit = await find_limit(session, settings, upper, count_nodes)
        if limit.connections != active:
            log.info("new limit of connections", extra={"limit": limit.connections, "reason": limit.reason})
            active = limit.connections
            on_limit(active)
