"""EndpointSlices, whole, for Felix's policies with service matches.

Place: discovery.k8s.io/v1/endpointslices ->
`/calico/resources/v3/projectcalico.org/kubernetesendpointslices/NAMESPACE/NAME`. Source: rules 4.3, 4.8 and 4.9
(EndpointSlice).

Invariants
1. The value is the object as the API server has it, without what `kubernetes_object` takes out.
2. `endpoints` and `ports` are always there, and `null` when empty: so writes Go what Kubernetes stores.

Road not taken: leaving out the slices that no policy needs. Which these are only Felix knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from typha.convert.calico import keys
from typha.convert.calico.kubernetes_object import read_object
from typha.convert.calico.metadata import labels_of
from typha.convert.calico.service import namespace_and_labels
from typha.convert.converter import Converted, form_of
from typha.convert.projection import encode_msgpack

__all__ = ["EndpointSlices", "keys_of", "labels_of"]


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the EndpointSlice `namespace/name`."""
    return (keys.v3("kubernetesendpointslices", object_name),)


class EndpointSlices:
    """The converter."""

    def __init__(self, group: str = "") -> None:
        self.form = form_of(converter="calico/endpoint_slice", version=1, group=group)
        self.attributes = ("namespace", "labels")
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError where the object is none."""
        value = read_object(raw)
        for name in ("endpoints", "ports"):
            value[name] = value.get(name) or None
        attributes = namespace_and_labels(object_name.partition("/")[0])
        return (Converted(keys.v3("kubernetesendpointslices", object_name), encode_msgpack(value), attributes),)
