"""FelixConfiguration -> the configuration keys that Felix reads, for all nodes or for one.

Place: topic `felixconfigurations`; keys are claimed, for they follow from the fields that an object sets. What happens
is `configuration.objects`'s, which fields there are is `configuration.fields`'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from typha.convert.calico.configuration.fields import FIELDS
from typha.convert.calico.configuration.objects import Shape, converted
from typha.convert.converter import Converted, form_of

__all__ = ["FelixConfigurations"]

_SHAPE: Final = Shape("FelixConfiguration", "felixconfigurations", FIELDS, takes_overrides=True, elsewhere={})


class FelixConfigurations:
    """The converter; `group` is the API group that serves the objects (one of Calico's two).

    Attribute `node`: the node of a key of one node; None for keys of all nodes and for whole objects.
    """

    standing: Sequence[Converted] = ()
    attributes = ("node",)

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/felixconfigurations", version=1, group=group)
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry per field that is set, or one for the whole object. Raises ConversionError."""
        return converted(_SHAPE, self._group, object_name, raw)
