"""Services, whole, for Felix's policies with service matches and for BIRD's advertisements.

Place: v1/services -> `/calico/resources/v3/projectcalico.org/kubernetesservice/NAMESPACE/NAME`. Source: rules 4.3, 4.8
and 4.9 (Service).

Invariants
1. The value is the object as the API server has it, without what `kubernetes_object` takes out.
2. `spec` and `status.loadBalancer` are always there, as Go's encoder writes Kubernetes' type.

Road not taken: only what Felix reads. Its policies match on ports and selectors, BIRD's on five other fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from typha.convert.calico import keys
from typha.convert.calico.kubernetes_object import read_object
from typha.convert.calico.metadata import labels_of
from typha.convert.converter import Attribute, ConversionError, Converted, form_of
from typha.convert.projection import encode_msgpack

__all__ = ["Services", "keys_of", "labels_of", "namespace_and_labels"]


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the Service `namespace/name`."""
    return (keys.v3("kubernetesservice", object_name),)


@lru_cache(maxsize=8192)
def namespace_and_labels(namespace: str) -> tuple[Attribute, ...]:
    """The filter attributes of an object whose labels are read from its value, one tuple for a whole namespace."""
    return (namespace, labels_of)


class Services:
    """The converter."""

    def __init__(self, group: str = "") -> None:
        self.form = form_of(converter="calico/service", version=1, group=group)
        self.attributes = ("namespace", "labels")
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where the object is none."""
        value = read_object(raw)
        value["spec"] = value.get("spec") or {}
        status: Any = value.get("status") or {}
        if not isinstance(status, dict):
            raise ConversionError("status: not a map")
        status["loadBalancer"] = status.get("loadBalancer") or {}
        value["status"] = status
        attributes = namespace_and_labels(object_name.partition("/")[0])
        return (Converted(keys.v3("kubernetesservice", object_name), encode_msgpack(value), attributes),)
