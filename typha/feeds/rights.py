"""What a configuration needs to be allowed on the API server: every right, and no other.

Place: `typha rbac` makes roles of it, `typha doctor` asks for each; the manifests under deploy/ are compared with it.

Invariants
1. A right is here exactly where the server makes that request: `get` of the namespace kube-system (its UID names the
   cluster), `list` and `watch` of the resource of each source, `list` of the other servers' EndpointSlices, `create` of
   tokenreviews where tokens are looked at. Discovery needs none (Kubernetes' `system:discovery`).
2. A resource under either of its names (`ResourceName.otherwise`): which of them a cluster serves is known to it alone.
3. A source of one namespace needs no right beyond it, unless another source has the resource in all namespaces.

Road not taken: asking a cluster what it serves. Roles are written before there is a cluster to ask, and a right to what
it lacks does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from typha.config import Config
from typha.feeds import of
from typha.upstream.resources import ResourceName, Source

__all__ = ["IDENTITY", "Right", "reads_of", "rights_of", "servers_of"]

_READ: Final = ("list", "watch")


class Right(NamedTuple):
    """One verb on one resource; namespace "" is all of them (or a cluster-scoped resource), name "" any object."""

    group: str
    plural: str
    verb: str
    namespace: str = ""
    name: str = ""

    @property
    def resource(self) -> str:
        """As kubectl writes it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


IDENTITY: Final = Right("", "namespaces", "get", name="kube-system")
"""To the UID that names the cluster: without it no agent is served."""


def rights_of(config: Config, own_namespace: str) -> frozenset[Right]:
    """Everything that `typha serve`, run in that namespace, asks of the API server. Raises FeedsError."""
    found = {IDENTITY, *servers_of(config, own_namespace), *tokens_of(config)}
    found.update(right for source in of(config).sources() for right in reads_of(source))
    # Who may do it in all namespaces may in each.
    return frozenset(right for right in found if not right.namespace or right._replace(namespace="") not in found)


def reads_of(source: Source) -> list[Right]:
    """What one watch needs, under every name that its resource can have."""
    return [
        Right(name.group, name.plural, verb, source.namespace) for name in _names(source.resource) for verb in _READ
    ]


def tokens_of(config: Config) -> list[Right]:
    """What the review of agents' tokens needs."""
    return [Right("authentication.k8s.io", "tokenreviews", "create")] if config.tokens.audience else []


def servers_of(config: Config, own_namespace: str) -> list[Right]:
    """What finding the other servers needs."""
    wanted = config.replicas
    if not wanted.service:
        return []
    return [Right("discovery.k8s.io", "endpointslices", "list", wanted.namespace or own_namespace)]


def _names(resource: ResourceName) -> Iterator[ResourceName]:
    name: ResourceName | None = resource
    while name is not None:
        yield name
        name = name.otherwise
