"""What the simulated server serves: resources and the discovery documents that name them.

Place: `store` registers `Resource`s, `api_server` answers discovery from them.

Invariants:
1. A resource is named `[group/]version/plural`, as in typha's configuration; a unique plural alone finds it.
2. Documents are functions of the registered resources alone: a CRD that comes or goes shows in the next answer.

Not taken: aggregated discovery (`APIGroupDiscoveryList`); the plain documents are what every client can read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

VERBS: Final = ("create", "delete", "get", "list", "patch", "update", "watch")
# Shown by /version; the release whose behaviour the simulation follows.
GIT_VERSION: Final = "v1.36.3"


@dataclass(frozen=True, slots=True)
class Resource:
    """A type of objects: `pods` of group "" in version `v1`, of kind `Pod`."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def name(self) -> str:
        """`[group/]version/plural`."""
        return f"{self.api_version}/{self.plural}"

    @property
    def api_version(self) -> str:
        """`[group/]version`, as in an object's `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`plural[.group]`, as in the server's messages."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


BUILT_IN: Final = (
    Resource("", "v1", "namespaces", "Namespace", namespaced=False),
    Resource("", "v1", "nodes", "Node", namespaced=False),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
    Resource("", "v1", "configmaps", "ConfigMap"),
    Resource("", "v1", "services", "Service"),
    Resource("", "v1", "pods", "Pod"),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
)


def api_versions() -> dict[str, Any]:
    """`/api`: the versions of the core group."""
    return {"kind": "APIVersions", "versions": ["v1"]}


def group_list(resources: Iterable[Resource]) -> dict[str, Any]:
    """`/apis`: every named group with its versions."""
    versions: dict[str, list[str]] = {}
    for resource in resources:
        if resource.group and resource.version not in versions.setdefault(resource.group, []):
            versions[resource.group].append(resource.version)
    groups = [_group(name, versions[name]) for name in sorted(versions)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Iterable[Resource], name: str) -> dict[str, Any] | None:
    """`/apis/<group>`; None where no resource of the group is registered."""
    versions = sorted({resource.version for resource in resources if resource.group == name})
    if not name or not versions:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resource_list(resources: Iterable[Resource], group_name: str, version: str) -> dict[str, Any] | None:
    """`/api/v1`, `/apis/<group>/<version>`; None where the version serves nothing."""
    served = [each for each in resources if (each.group, each.version) == (group_name, version)]
    if not served:
        return None
    entries: list[dict[str, Any]] = []
    for each in sorted(served, key=lambda resource: resource.plural):
        entry = {
            "name": each.plural,
            "singularName": each.kind.lower(),
            "namespaced": each.namespaced,
            "kind": each.kind,
            "verbs": list(VERBS),
        }
        status = {**entry, "name": f"{each.plural}/status", "singularName": "", "verbs": ["get", "patch", "update"]}
        entries += [entry, status]
    api_version = served[0].api_version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": entries}


def version() -> dict[str, Any]:
    """`/version`."""
    major, minor, _ = GIT_VERSION.removeprefix("v").split(".")
    return {"major": major, "minor": minor, "gitVersion": GIT_VERSION, "platform": "simulation"}


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    entries = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}
