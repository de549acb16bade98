"""``connect``: checks what the agent asks for, and makes a Client that has not started yet."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from typha.wire.messages import Where
from typha.wire.states import ZSTD
from typha_client.client import Client
from typha_client.discovery import Discover, Discovery
from typha_client.endpoints import MAX_DELAY_S, Endpoints, parse_servers
from typha_client.session import Subscription, offered_compression
from typha_client.tls import Tls, TlsSource


def connect(
    servers: str | Iterable[str],
    *,
    node: str,
    feed: str | None = None,
    topics: Iterable[str] = (),
    where: Mapping[str, Where] | None = None,
    agent: str | None = None,
    tls: Tls | ssl.SSLContext | bool | None = None,
    token: str | Path | Callable[[], str] | None = None,
    compression: bool | None = None,
    max_backoff_s: float = MAX_DELAY_S,
    discover: Discover | None = None,
    zone: str = "",
) -> Client:
    """A client of typha servers: ``async with connect("typha:5473", feed="inventory", node="n1") as client``.

    servers: ``host:port`` (default port 5473), several with commas, or a list; a name may have many addresses.
    ``unix:/path`` is a socket of this machine.
    node: this node's name, for the server's logs. feed and/or topics: what to subscribe to.
    where: filter per topic, ``{"pods": {"node": "n1"}}``. agent: ``name/version``, for the server's logs.
    tls: ``Tls`` (files that are read anew when they change, and who the server must be), an SSLContext, or True for
    one that trusts the system's CAs. token: a bearer token; a Path or a function, from which it is read at each
    connection. compression: None takes zstd where it is installed, True demands it.
    max_backoff_s: the longest pause between rounds over all servers. discover: finds servers in another way than by
    resolving names (``endpoint_slices``); the first of ``servers`` is then the name that TLS checks, and the way when
    it fails. zone: of this node; servers that are found in it come first.

    Raises ValueError or TypeError that says which argument is wrong; connecting itself never raises.
    """
    wanted = (topics,) if isinstance(topics, str) else tuple(topics)
    if feed is None and not wanted:
        raise ValueError("nothing to subscribe to: give feed=, topics=, or both")
    if not node:
        raise ValueError("node is empty: give the name of this node (or of this agent)")
    if max_backoff_s <= 0:
        raise ValueError(f"max_backoff_s is {max_backoff_s}: it must be above 0")
    offered = offered_compression() if compression is None or compression else ()
    if compression and ZSTD not in offered:
        raise ValueError("compression=True needs zstd: install typha[zstd], or Python 3.14")
    template = Subscription(node=node, feed=feed, topics=wanted, compression=offered)

    def subscription() -> Subscription:
        return Subscription(
            node=template.node,
            feed=template.feed,
            topics=template.topics,
            agent=agent or template.agent,
            compression=template.compression,
            token=_read(token),
        )

    endpoints = Endpoints(parse_servers(servers), max_delay_s=max_backoff_s, base_delay_s=min(1.0, max_backoff_s))
    return Client(
        endpoints,
        subscription,
        template.topics,
        wheres=_checked_where(where),
        tls=_source(tls),
        verify=os.environ.get("TYPHA_VERIFY") == "1",
        discovery=Discovery(endpoints.servers, discover, zone),
    )


def _source(tls: Tls | ssl.SSLContext | bool | None) -> TlsSource | None:
    if tls is None or tls is False:
        return None
    if isinstance(tls, ssl.SSLContext):
        return TlsSource.fixed(tls)
    return (Tls() if tls is True else tls).source()


def _read(token: str | Path | Callable[[], str] | None) -> str | None:
    if isinstance(token, Path):
        return token.read_text(encoding="utf-8").strip()
    return token() if callable(token) else token


def _checked_where(where: Mapping[str, Where] | None) -> dict[str, Where]:
    checked: dict[str, Where] = {}
    for topic, attributes in (where or {}).items():
        if not isinstance(attributes, Mapping) or not all(
            isinstance(item, str) for item in (topic, *attributes, *attributes.values())
        ):
            raise TypeError(f"where[{topic!r}] must be a map of strings, like {{'pods': {{'node': 'n1'}}}}")
        checked[topic] = dict(attributes)
    return checked
