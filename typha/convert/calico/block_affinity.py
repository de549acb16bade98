"""Block affinities: which node (or load balancer) a block of addresses belongs to.

Place: Calico's BlockAffinity -> `/calico/ipam/v2/TYPE/NODE/ipvN/block/CIDR`, for BIRD.
Source: rules 4.3 and 4.9 (IPAM).

Invariants
1. TYPE is `host` unless the resource says `virtual`.
2. An affinity marked as deleted is not there. Calico leaves it out of lists and sends it in watches (a deliberate
   difference: what agents hold must not depend on when they came).
3. The mark is a text in `crd.projectcalico.org` and a truth value in `projectcalico.org`; both are read in both.

Road not taken: failing on an unknown TYPE as on a bad CIDR only in Calico's clients, which cannot read such a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from typha.convert.calico.fields import parsed
from typha.convert.calico.ipam_block import node_attribute
from typha.convert.calico.metadata import Metadata, restored
from typha.convert.calico.reading import reader_of
from typha.convert.calico.text import cidr
from typha.convert.calico.values import encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = ["BlockAffinities"]

_HOST: Final = "host"
_TYPES: Final = (_HOST, "virtual")
# Go's ParseBool.
_TRUE: Final = ("1", "t", "T", "true", "TRUE", "True")
_FALSE: Final = ("", "0", "f", "F", "false", "FALSE", "False")


class _Spec(msgspec.Struct):
    state: str = ""
    node: str = ""
    type: str = ""
    cidr: str = ""
    deleted: bool | str = False


class _Stored(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: _Spec = msgspec.field(default_factory=_Spec)


_read: Final = reader_of(_Stored)


class BlockAffinities:
    """The converter; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/block_affinity", version=1, group=group)
        self.attributes = ("node",)
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry, or none if deleted. Raises ConversionError for a bad CIDR (which crashes Calico's Typha)."""
        stored = _read(raw)
        spec = stored.spec
        network = parsed(cidr.parse, spec.cidr, "spec.cidr")[1]
        kind = spec.type or _HOST
        if kind not in _TYPES:
            raise ConversionError("spec.type: neither host nor virtual")
        if not spec.node or "/" in spec.node:
            raise ConversionError("spec.node: not a name")
        key = f"/calico/ipam/v2/{kind}/{spec.node}/ipv{network.version}/block/{cidr.key_text(network)}"
        try:
            restored(stored.metadata, self._group)
            if _is_deleted(spec.deleted):
                return ()
        except ConversionError as error:
            raise ConversionError(error.reason, (key,)) from None
        node = spec.node if kind == _HOST else None
        return (Converted(key, encode({"state": spec.state, "deleted": False}), node_attribute(node)),)


def _is_deleted(mark: bool | str) -> bool:
    if isinstance(mark, bool):
        return mark
    if mark in _TRUE:
        return True
    if mark in _FALSE:
        return False
    raise ConversionError("spec.deleted: neither true nor false")
