"""A pod's QoS annotations as Calico's `QoSControls`. Source: rule 4.4.12, `workload_endpoint_default.go`.

Place: `workload_endpoint` calls it for pods that have such an annotation. Pure.

Invariants
1. Nothing here fails a pod: what does not parse counts as 0, what is out of bounds as the bound.
2. `qos.projectcalico.org/*` wins over `kubernetes.io/*` where it is there at all, also where it does not parse.
3. A value that needs another one (burst: bandwidth; peak rate: a lower bandwidth; minimum burst: peak rate; packet
   burst: packet rate) is 0 without it. Defaults come after that.

Road not taken: one list of (annotation, field, bounds) with getattr and setattr; both directions are one function.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from typha.convert.calico.text.quantity import QuantityError, parse_whole

__all__ = ["Direction", "QosControls", "controls"]


class Bounds(NamedTuple):
    """What a value is clamped to."""

    low: int
    high: int


# Bits a second: 1k to 1P.
_BANDWIDTH: Final = Bounds(10**3, 10**15)
# Bits: 1k to 2**32 - 1 bytes.
_BURST: Final = Bounds(10**3, (2**32 - 1) * 8)
# A little more than the bandwidth's bounds, because it must be above the bandwidth: 1.01k to 1.01P.
_PEAK_RATE: Final = Bounds(1_010, 1_010 * 10**12)
# Bytes, since it is a packet's size: 1k to 100M.
_MIN_BURST: Final = Bounds(10**3, 10**8)
# The kernel's xt_limit counts packets up to 10k.
_PACKETS: Final = Bounds(1, 10**4)
# The kernel's connlimit is a uint32.
_CONNECTIONS: Final = Bounds(1, 2**32 - 1)

_DEFAULT_BURST: Final = 4 * 2**30
_DEFAULT_PACKET_BURST: Final = 5

_DSCP_NAMES: Final = frozenset(
    ["DF", "EF", *(f"AF{each}{drop}" for each in "1234" for drop in "123"), *(f"CS{each}" for each in "0123456")]
)
_DSCP_MAX: Final = 63


class QosControls(msgspec.Struct, gc=False, omit_defaults=True, frozen=True, rename="camel"):
    """What Calico writes; a zero is left out. `dscp` is a number or a name, and None where there is none."""

    ingress_bandwidth: int = 0
    ingress_burst: int = 0
    ingress_peakrate: int = 0
    ingress_minburst: int = 0
    egress_bandwidth: int = 0
    egress_burst: int = 0
    egress_peakrate: int = 0
    egress_minburst: int = 0
    ingress_packet_rate: int = 0
    ingress_packet_burst: int = 0
    egress_packet_rate: int = 0
    egress_packet_burst: int = 0
    ingress_max_connections: int = 0
    egress_max_connections: int = 0
    dscp: int | str | None = None


class Direction(NamedTuple):
    """The annotations of one direction as written, None where absent. `kubernetes_bandwidth` is the older one."""

    kubernetes_bandwidth: str | None
    bandwidth: str | None
    burst: str | None
    peak_rate: str | None
    min_burst: str | None
    packet_rate: str | None
    packet_burst: str | None
    max_connections: str | None


class _Limits(NamedTuple):
    bandwidth: int
    burst: int
    peak_rate: int
    min_burst: int
    packet_rate: int
    packet_burst: int
    max_connections: int


def controls(ingress: Direction, egress: Direction, dscp: str | None) -> QosControls | None:
    """The controls, or None where nothing is left of them."""
    incoming, outgoing = _limits(ingress), _limits(egress)
    found = QosControls(
        ingress_bandwidth=incoming.bandwidth,
        ingress_burst=incoming.burst,
        ingress_peakrate=incoming.peak_rate,
        ingress_minburst=incoming.min_burst,
        egress_bandwidth=outgoing.bandwidth,
        egress_burst=outgoing.burst,
        egress_peakrate=outgoing.peak_rate,
        egress_minburst=outgoing.min_burst,
        ingress_packet_rate=incoming.packet_rate,
        ingress_packet_burst=incoming.packet_burst,
        egress_packet_rate=outgoing.packet_rate,
        egress_packet_burst=outgoing.packet_burst,
        ingress_max_connections=incoming.max_connections,
        egress_max_connections=outgoing.max_connections,
        dscp=None if dscp is None else _dscp(dscp),
    )
    return None if found == QosControls() else found


def _limits(written: Direction) -> _Limits:
    bandwidth_text = written.kubernetes_bandwidth if written.bandwidth is None else written.bandwidth
    bandwidth = _clamped(bandwidth_text, _BANDWIDTH)
    burst = _clamped(written.burst, _BURST) or _DEFAULT_BURST
    peak_rate = _clamped(written.peak_rate, _PEAK_RATE)
    packet_rate = _clamped(written.packet_rate, _PACKETS)
    packet_burst = _clamped(written.packet_burst, _PACKETS) or _DEFAULT_PACKET_BURST
    if not bandwidth or bandwidth >= peak_rate:
        peak_rate = 0
    return _Limits(
        bandwidth=bandwidth,
        burst=burst if bandwidth else 0,
        peak_rate=peak_rate,
        min_burst=_clamped(written.min_burst, _MIN_BURST) if peak_rate else 0,
        packet_rate=packet_rate,
        packet_burst=packet_burst if packet_rate else 0,
        max_connections=_clamped(written.max_connections, _CONNECTIONS),
    )


def _clamped(text: str | None, bounds: Bounds) -> int:
    """Within bounds; 0 where there is no quantity."""
    if text is None:
        return 0
    try:
        return min(max(parse_whole(text), bounds.low), bounds.high)
    except QuantityError:
        return 0


def _dscp(text: str) -> int | str | None:
    """A number up to 63, or a name: in upper case where only its case differs, else (spaces around it) as given."""
    # Like Go's ParseUint: ASCII digits alone, leading zeros allowed.
    if text.isascii() and text.isdigit():
        digits = text.lstrip("0") or "0"
        return int(digits) if len(digits) <= 2 and int(digits) <= _DSCP_MAX else None
    name = text.upper()
    if name in _DSCP_NAMES:
        return name
    return text if name.strip() in _DSCP_NAMES else None
