"""The two shapes that all of Calico's objects share: metadata as Calico's own client stores it, and where to write.

Place: `policies`, `hosts`, `routing` and `ipam` make `Document`s; `installation` puts them into the store. Pure.

Invariants:
1. Labels of a Calico object live in the annotation `projectcalico.org/metadata`, as its client writes them with the
   group `crd.projectcalico.org`; the CRD object's own metadata carries the name.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from typha.simulation.calico.resources import GROUP

_METADATA: Final = "projectcalico.org/metadata"
_CREATED: Final = "2026-01-01T00:00:00Z"


class Document(NamedTuple):
    """One object and its resource, `[group/]version/plural`."""

    resource: str
    obj: dict[str, Any]

    @property
    def key(self) -> str:
        """`namespace/name`, or `name`."""
        metadata = self.obj["metadata"]
        return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else str(metadata["name"])


def calico(
    plural: str, name: str, spec: dict[str, Any], *, space: str = "", labels: dict[str, str] | None = None
) -> Document:
    """An object of group `crd.projectcalico.org` with `spec`."""
    kept: dict[str, Any] = {"creationTimestamp": _CREATED} | ({"labels": labels} if labels else {})
    metadata: dict[str, Any] = {"name": name, "annotations": {_METADATA: msgspec.json.encode(kept).decode()}}
    if space:
        metadata["namespace"] = space
    return Document(f"{GROUP}/v1/{plural}", {"metadata": metadata, "spec": spec})


def kubernetes(resource: str, name: str, spec: dict[str, Any], *, space: str = "", **more: Any) -> Document:
    """An object of Kubernetes' own (or another) API with `spec` and, in `more`, other top-level fields."""
    metadata = {"name": name} | ({"namespace": space} if space else {})
    return Document(resource, {"metadata": metadata, "spec": spec, **more})
