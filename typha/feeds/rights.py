"""What a configuration needs to be allowed on the API server: every right, and no other.

Place: `typha rbac` makes roles of it, and the manifests under deploy/ are compared with it.

Invariants
1. A right is here exactly where the server makes that request: `get` of the namespace kube-system (its UID names the
   cluster), `list` and `watch` of the resource of each source. Discovery needs none (Kubernetes' `system:discovery`).
2. A resource under either of its names (`ResourceName.otherwise`): which of them a cluster serves is known to it alone.
3. A source of one namespace needs no right beyond it, unless another source has the resource in all namespaces.

Road not taken: asking a cluster what it serves. Roles are written before there is a cluster to ask, and a right to what
it lacks does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from typha.config import Config
from typha.feeds import of
from typha.upstream.resources import ResourceName, Source

__all__ = ["CLUSTER_NAMESPACE", "Right", "rights_of"]

CLUSTER_NAMESPACE: Final = "kube-system"
_READ: Final = ("list", "watch")


class Right(NamedTuple):
    """One verb on one resource; namespace "" is all of them (or a cluster-scoped resource), name "" any object."""

    group: str
    plural: str
    verb: str
    namespace: str = ""
    name: str = ""


def rights_of(config: Config) -> frozenset[Right]:
    """Everything that `typha serve` asks of the API server with this configuration. Raises FeedsError."""
    return frozenset({Right("", "namespaces", "get", name=CLUSTER_NAMESPACE), *_reads(of(config).sources())})


def _reads(sources: Iterable[Source]) -> Iterator[Right]:
    places = {(name, source.namespace) for source in sources for name in _names(source.resource)}
    everywhere = {(name.group, name.plural) for name, namespace in places if not namespace}
    for name, namespace in places:
        if not namespace or (name.group, name.plural) not in everywhere:
            yield from (Right(name.group, name.plural, verb, namespace) for verb in _READ)


def _names(resource: ResourceName) -> Iterator[ResourceName]:
    name: ResourceName | None = resource
    while name is not None:
        yield name
        name = name.otherwise
