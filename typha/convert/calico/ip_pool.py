"""IP pools: ranges of addresses and how traffic from them travels.

Place: Calico's IPPool -> `/calico/v1/ipam/vN/pool/CIDR`. Source: rules 4.3 and 4.8; libcalico-go `backend/model`.

Invariants
1. The key is the CIDR with its host bits cleared: two pools of one CIDR want one key, and the lower name has it.
2. IPIP in any mode names the interface tunl0; modes other than Always and CrossSubnet are none.
3. The first version of Calico's model knows no selectors and no block size: they are not sent.

Road not taken: Calico's rules for whole IPPools (no IPIP in IPv6, ...). Its own server sends what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from typha.convert.calico.fields import parsed
from typha.convert.calico.metadata import Metadata, restored
from typha.convert.calico.reading import reader_of
from typha.convert.calico.text import cidr
from typha.convert.calico.values import encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = ["IpPools"]

_MODES: Final = {"Always": "always", "CrossSubnet": "cross-subnet"}
_IPIP_INTERFACE: Final = "tunl0"
# What the CRD's schema fills in.
_ASSIGNMENT_MODE: Final = "Automatic"


class _Spec(msgspec.Struct, kw_only=True):
    cidr: str = ""
    ipip_mode: str = msgspec.field(default="", name="ipipMode")
    vxlan_mode: str = msgspec.field(default="", name="vxlanMode")
    nat_outgoing: bool = msgspec.field(default=False, name="natOutgoing")
    disabled: bool = False
    disable_bgp_export: bool = msgspec.field(default=False, name="disableBGPExport")
    assignment_mode: str = msgspec.field(default=_ASSIGNMENT_MODE, name="assignmentMode")
    allowed_uses: list[str] = msgspec.field(default_factory=list, name="allowedUses")


class _Stored(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _Pool(msgspec.Struct, kw_only=True):
    cidr: str
    ipip: str
    ipip_mode: str
    vxlan_mode: str
    masquerade: bool
    ipam: bool
    disabled: bool
    disable_bgp_export: bool = msgspec.field(name="disableBGPExport")
    assignment_mode: str
    allowed_uses: list[str] | msgspec.UnsetType = msgspec.UNSET


_read: Final = reader_of(_Stored)


class IpPools:
    """The converter; `group` is one of Calico's two API groups."""

    def __init__(self, group: str) -> None:
        self.form = form_of(converter="calico/ip_pool", version=1, group=group)
        self.attributes: tuple[str, ...] = ()
        self.standing: Sequence[Converted] = ()
        self._group = group

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry. Raises ConversionError for a bad CIDR."""
        stored = _read(raw)
        spec = stored.spec
        network = parsed(cidr.parse, spec.cidr, "spec.cidr")[1]
        key = f"/calico/v1/ipam/v{network.version}/pool/{cidr.key_text(network)}"
        try:
            restored(stored.metadata, self._group)
        except ConversionError as error:
            raise ConversionError(error.reason, (key,)) from None
        ipip_mode = _MODES.get(spec.ipip_mode, "")
        value = _Pool(
            cidr=network.text,
            ipip=_IPIP_INTERFACE if ipip_mode else "",
            ipip_mode=ipip_mode,
            vxlan_mode=_MODES.get(spec.vxlan_mode, ""),
            masquerade=spec.nat_outgoing,
            ipam=not spec.disabled,
            disabled=spec.disabled,
            disable_bgp_export=spec.disable_bgp_export,
            assignment_mode=spec.assignment_mode,
            allowed_uses=spec.allowed_uses or msgspec.UNSET,
        )
        return (Converted(key, encode(value)),)
