"""CustomResourceDefinitions of our own writing for every kind of Calico's model that is no part of Kubernetes.

Schemas are open (Calico's own are another project's text, and objects that they refuse must reach the converters), but
they fill in the defaults that Calico's fill in and its agents see: `_DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.corpus.resources import CALICO_CRD, CALICO_V3, KINDS, Json, Kind

_OPEN: Final[Json] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

# Fields of spec, by plural.
_DEFAULTS: Final[Mapping[str, Mapping[str, str]]] = {
    "bgpconfigurations": {"serviceLoadBalancerAggregation": "Enabled"},
    "felixconfigurations": {"nftablesMode": "Auto"},
    "ippools": {"assignmentMode": "Automatic"},
}

_FOREIGN: Final = ("policy.networking.k8s.io", "kubevirt.io")


def crds(calico_group: str = CALICO_CRD) -> list[Json]:
    """All definitions, with Calico's kinds in that group (`crd.projectcalico.org` or `projectcalico.org`)."""
    return [definition(kind) for kind in KINDS.values() if kind.group in {calico_group, *_FOREIGN}]


def calico_kinds(calico_group: str = CALICO_CRD) -> list[Kind]:
    """Calico's own kinds in that group."""
    if calico_group not in {CALICO_CRD, CALICO_V3}:
        raise ValueError(f"{calico_group!r} is no group of Calico's")
    return [kind for kind in KINDS.values() if kind.group == calico_group]


def definition(kind: Kind) -> Json:
    """The CustomResourceDefinition of one kind."""
    defaults = _DEFAULTS.get(kind.plural, {})
    spec = {**_OPEN, "properties": {name: {"type": "string", "default": value} for name, value in defaults.items()}}
    version: Json = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {**_OPEN, "properties": {"spec": spec}} if defaults else _OPEN},
    }
    if kind.status:
        version["subresources"] = {"status": {}}
    # Kubernetes refuses groups under k8s.io whose API nobody approved.
    annotations = {"api-approved.kubernetes.io": "unapproved, of the tests' own writing"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": annotations if kind.group.endswith(".k8s.io") else {},
        },
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
            },
            "versions": [version],
        },
    }
