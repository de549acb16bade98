"""ClusterInformation -> the configuration keys about the cluster as a whole, and the datastore's ready flag.

Place: topic `clusterinformations`; keys are claimed. What happens is `configuration.objects`'s. `DatastoreReady`
is the key `/calico/v1/Ready` in the global configuration and none in a node's; annotations are not looked at (rule
4.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typha.convert.calico.configuration.kinds import BOOL, TEXT
from typha.convert.calico.configuration.objects import Field, Shape, converted
from typha.convert.converter import Converted, form_of

__all__ = ["ClusterInformations"]

READY_KEY: Final = "/calico/v1/Ready"

_FIELDS: Final = (
    Field("clusterGUID", "ClusterGUID", TEXT),
    Field("clusterType", "ClusterType", TEXT),
    Field("calicoVersion", "CalicoVersion", TEXT),
    Field("datastoreReady", "DatastoreReady", BOOL),
    Field("variant", "Variant", TEXT),
)
_SHAPE: Final = Shape(
    "ClusterInformation",
    "clusterinformations",
    _FIELDS,
    takes_overrides=False,
    elsewhere={"DatastoreReady": READY_KEY},
)


class ClusterInformations:
    """The converter; `group` is the API group that serves the objects (one of Calico's two)."""

    standing: Sequence[Converted] = ()
    attributes: tuple[str, ...] = ()

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/clusterinformations", version=1, group=group)
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry per field that is set, or one for the whole object. Raises ConversionError."""
        return [entry._replace(attributes=()) for entry in converted(_SHAPE, self._group, object_name, raw)]
