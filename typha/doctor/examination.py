"""All checks in the order in which `serve` would need them. `typha doctor` prints what comes, as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from typha import feeds as all_feeds
from typha.config import Config
from typha.doctor.api_server import examine_api_server
from typha.doctor.findings import Finding, ok
from typha.doctor.local import examine_file_handles, examine_ports, examine_warm_start
from typha.doctor.tls import examine_tls
from typha.upstream.kubernetes_client import Configuration
from typha.upstream.settings import Settings

__all__ = ["examine"]


async def examine(
    config: Config, load: Callable[[], Awaitable[Configuration]], settings: Settings, *, now: float
) -> AsyncIterator[Finding]:
    """``load`` gives the credentials; ``now`` is Unix seconds, for certificates."""
    feeds = all_feeds.of(config)
    yield ok(
        "configuration", f"{len(feeds.topics)} topics of {len(feeds.sources())} resources, {len(feeds.feeds)} feeds"
    )
    for finding in examine_ports(config):
        yield finding
    yield examine_file_handles(config)
    for finding in examine_warm_start(config):
        yield finding
    for finding in examine_tls(config.tls, now):
        yield finding
    async for finding in examine_api_server(config, feeds, load, settings, now=now):
        yield finding
