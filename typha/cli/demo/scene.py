"""What differs between `typha demo` and `typha demo --calico`: the cluster, the topics, the agents, and the truth.

1. A scene's truth is made from a LIST of the API server alone, never from what a server or an agent holds.
2. What an agent should hold follows from its role: the topics of its feed, through its filters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import aiohttp

    from typha.simulation.cluster import Cluster
    from typha.simulation.store import Store

Content = dict[str, Any]
"""Key -> value, decoded."""


@dataclass(frozen=True, slots=True)
class Role:
    """What one agent subscribes to; `where` as in `typha_client.connect`."""

    feed: str
    topics: tuple[str, ...]
    where: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Truth(Protocol):
    """What the API server says at the end."""

    @property
    def contents(self) -> Mapping[str, Content]:
        """Topic -> key -> value, of all topics."""

    def seen_by(self, role: Role) -> Mapping[str, Content]:
        """What an agent of that role should hold."""


class Scene(Protocol):
    """One of the two."""

    @property
    def resources(self) -> Mapping[str, str]:
        """Topic -> the resource that it is made of, `[group/]version/plural` as the simulation names it."""

    @property
    def shown(self) -> Mapping[str, str]:
        """Names for the live display -> resources."""

    def cluster(self, nodes: int, pods: int) -> tuple[Store, Cluster]:
        """A new store and the cluster in it, not yet populated; ValueError where that is no cluster."""

    def topics_config(self) -> dict[str, Any]:
        """The part of the server's configuration file that says what it serves."""

    def role(self, number: int, node: str) -> Role:
        """What agent `number` on `node` is."""

    def touch(self, store: Store, name: str) -> dict[str, int]:
        """Change what every agent sees, whatever the churn is: topic -> rv of the change (last: a namespace)."""

    async def truth(self, session: aiohttp.ClientSession, url: str) -> Truth:
        """LIST everything."""


def path_of(resource: str) -> str:
    """The request path of `[group/]version/plural`."""
    return f"/{'apis' if resource.count('/') == 2 else 'api'}/{resource}"
