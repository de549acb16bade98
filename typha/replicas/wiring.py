"""From the configuration to a `Neighbours`: where the others are, and how they are spoken to."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path

from typha.config import Config
from typha.downstream.server import Server
from typha.replicas.asking import PeerTls
from typha.replicas.finding import by_name, in_slices
from typha.replicas.neighbours import Find, Neighbours, NeighbourSettings
from typha.upstream.api_session import ApiSession
from typha.upstream.credentials import SERVICE_ACCOUNT


def neighbours_of(
    config: Config, server: Server, session: ApiSession, *, random: Callable[[], float]
) -> Neighbours | None:
    """None where nothing says where other servers are."""
    wanted = config.replicas
    find: Find
    if wanted.service:
        namespace = wanted.namespace or own_namespace()
        find = functools.partial(in_slices, session, namespace, wanted.service, wanted.port_name)
        name = wanted.server_name or f"{wanted.service}.{namespace}.svc"
    elif config.advertise:
        find = functools.partial(by_name, config.advertise)
        name = wanted.server_name
    else:
        return None
    tls = None
    if config.tls.cert is not None and config.tls.key is not None:
        tls = PeerTls(wanted.ca or config.tls.client_ca, config.tls.cert, config.tls.key, name)
    settings = NeighbourSettings(
        wanted.interval_s, wanted.tolerance_percent / 100, wanted.rebalance, tls, wanted.token_file
    )
    return Neighbours(server, find, settings, random=random, clock=time.monotonic)


def own_namespace(folder: Path = SERVICE_ACCOUNT) -> str:
    """The pod's namespace; ``default`` outside a pod."""
    try:
        return (folder / "namespace").read_text().strip() or "default"
    except OSError:
        return "default"
