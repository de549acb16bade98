"""Kinds of configuration fields: how each is read, what text its key holds, and how a whole v3 object writes it.

Place: `configuration.fields` and `cluster_information` name one of these for each of their fields,
`configuration.objects` applies it.

Invariants
1. `read` gives None where Go holds a nil pointer or the zero of a field that is no pointer: no key, not written.
2. `text` is what Go's `%v` prints of the field's type, or the special form that rules 4.8 and 4.9 name. An empty text
   is no key: Calico sends such a key without a value.
3. `json` is what Go's encoder writes of the same value: durations and ports canonical, pointers to empty lists as `[]`.

Source: libcalico-go `backend/syncersv1/updateprocessors` (configuration, Felix), Calico's `api/` for the types.

Road not taken: one struct of 160 optional fields. A wrong field would hide all that is wrong behind it, and the texts
need a table beside it anyway.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from typha.convert.calico.fields import Int64, UInt8, UInt16, UInt32
from typha.convert.calico.text import cidr, duration, ports
from typha.convert.converter import ConversionError

__all__ = [
    "ADDRESS_LIST",
    "BOOL",
    "CONNTRACK_TIMEOUTS",
    "DSCP",
    "FAILSAFE_PORTS",
    "HEALTH_TIMEOUTS",
    "INT",
    "MAP",
    "MASK",
    "MILLISECONDS",
    "OPTIONAL_TEXT",
    "PORT_RANGE",
    "PORT_RANGES",
    "ROUTE_TABLES",
    "ROUTE_TABLE_RANGES",
    "SECONDS",
    "TEXT",
    "TEXT_ALWAYS",
    "Kind",
]


class Kind(NamedTuple):
    """One kind. `read` raises ConversionError without the field's name; `if_absent` is written where a v3 object has
    no such field (None: nothing is)."""

    read: Callable[[msgspec.Raw], Any]
    text: Callable[[Any], str]
    json: Callable[[Any], Any]
    if_absent: str | None = None


class ProtoPort(msgspec.Struct, frozen=True):
    """An element of a failsafe list. Null and absent are Go's zero."""

    protocol: str | None = None
    port: UInt16 | None = None
    net: str | None = None


class TableRange(msgspec.Struct, frozen=True):
    """Indices of route tables, both ends included."""

    min: Int64 | None = None
    max: Int64 | None = None


class HealthTimeout(msgspec.Struct, frozen=True):
    """A watchdog's own time limit. A null timeout is an error in Go, an absent one is 0."""

    name: str | None = None
    timeout: str = "0s"


class ConntrackTimeouts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Each is a duration or `Auto`, passed on as written."""

    creation_grace_period: str | None = msgspec.field(default=None, name="creationGracePeriod")
    tcp_syn_sent: str | None = msgspec.field(default=None, name="tcpSynSent")
    tcp_established: str | None = msgspec.field(default=None, name="tcpEstablished")
    tcp_fins_seen: str | None = msgspec.field(default=None, name="tcpFinsSeen")
    tcp_reset_seen: str | None = msgspec.field(default=None, name="tcpResetSeen")
    udp_timeout: str | None = msgspec.field(default=None, name="udpTimeout")
    generic_timeout: str | None = msgspec.field(default=None, name="genericTimeout")
    icmp_timeout: str | None = msgspec.field(default=None, name="icmpTimeout")


# Go's names of those fields, in their order.
_CONNTRACK_NAMES: Final = (
    "CreationGracePeriod",
    "TCPSynSent",
    "TCPEstablished",
    "TCPFinsSeen",
    "TCPResetSeen",
    "UDPTimeout",
    "GenericTimeout",
    "ICMPTimeout",
)


def _reader(kind: Any) -> Callable[[msgspec.Raw], Any]:
    decode = msgspec.json.Decoder(kind).decode

    def read(raw: msgspec.Raw) -> Any:
        try:
            return decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ConversionError(str(error)) from None

    return read


def _same(value: Any) -> Any:
    return value


def _read_plain_text(raw: msgspec.Raw) -> str | None:
    return _optional_text(raw) or None


def _read_duration(raw: msgspec.Raw) -> int | None:
    text = _optional_text(raw)
    return None if text is None else _nanoseconds(text)


def _nanoseconds(text: str) -> int:
    try:
        return duration.parse(text)
    except ValueError as error:
        raise ConversionError(str(error)) from None


def _read_texts(raw: msgspec.Raw) -> list[str] | None:
    texts = _optional_texts(raw)
    return None if texts is None else [each or "" for each in texts]


def _read_map(raw: msgspec.Raw) -> dict[str, str] | None:
    texts = _optional_map(raw)
    return None if texts is None else {name: texts[name] or "" for name in sorted(texts)}


def _read_port(raw: msgspec.Raw) -> int | str | None:
    written = _optional_port(raw)
    return None if written is None else _port(written)


def _read_ports(raw: msgspec.Raw) -> list[int | str] | None:
    written = _optional_ports(raw)
    return None if written is None else [_port(each) for each in written]


def _port(written: int | str) -> int | str:
    # Port 0 is what rules may not have and configuration may.
    if written == 0 or (isinstance(written, str) and written and not written.strip("0")):
        return 0
    if isinstance(written, str) and written.startswith("0:"):
        high = ports.port(written.removeprefix("0:"), "range")
        if not isinstance(high, int):
            raise ConversionError("a range of ports has no two numbers")
        return f"0:{high}"
    return ports.port(written, "port")


_DSCP_NUMBER: Final = re.compile(r"0*([0-9]{1,3})")
_MOST_DSCP: Final = 255


def _read_dscp(raw: msgspec.Raw) -> int | str | None:
    written: int | str | None = _optional_dscp(raw)
    if isinstance(written, str) and (found := _DSCP_NUMBER.fullmatch(written)) and int(found[1]) <= _MOST_DSCP:
        return int(found[1])
    return written


def _read_failsafe(raw: msgspec.Raw) -> list[ProtoPort] | None:
    written: list[ProtoPort | None] | None = _optional_proto_ports(raw)
    if written is None:
        return None
    found = [each or ProtoPort() for each in written]
    for index, each in enumerate(found):
        if each.net:
            try:
                cidr.parse_either(each.net)
            except ValueError as error:
                raise ConversionError(f"{error} at `$[{index}].net`") from None
    return found


def _failsafe_text(value: list[ProtoPort]) -> str:
    return ",".join(_failsafe_part(each) for each in value) if value else "none"


def _failsafe_part(port: ProtoPort) -> str:
    protocol = (port.protocol or "").lower()
    if not port.net:
        return f"{protocol}:{port.port or 0}"
    net = f"[{port.net}]" if cidr.parse_either(port.net)[0].version == 6 else port.net
    return f"{protocol}:{net}:{port.port or 0}"


def _failsafe_json(value: list[ProtoPort]) -> list[dict[str, Any]]:
    return [
        {
            **({"protocol": each.protocol} if each.protocol else {}),
            "port": each.port or 0,
            **({"net": each.net} if each.net else {}),
        }
        for each in value
    ]


def _read_table_ranges(raw: msgspec.Raw) -> list[TableRange] | None:
    written: list[TableRange | None] | None = _optional_table_ranges(raw)
    return None if written is None else [each or TableRange() for each in written]


def _table_text(value: TableRange) -> str:
    return f"{value.min or 0}-{value.max or 0}"


def _table_json(value: TableRange) -> dict[str, int]:
    return {"min": value.min or 0, "max": value.max or 0}


def _read_health(raw: msgspec.Raw) -> list[tuple[str, int]] | None:
    written: list[HealthTimeout | None] = _optional_health_timeouts(raw) or []
    found = [each or HealthTimeout() for each in written]
    return [(each.name or "", _nanoseconds(each.timeout)) for each in found] or None


_optional_text: Final = _reader(str | None)
_optional_texts: Final = _reader(list[str | None] | None)
_optional_map: Final = _reader(dict[str, str | None] | None)
_optional_port: Final = _reader(UInt16 | str | None)
_optional_ports: Final = _reader(list[UInt16 | str] | None)
_optional_dscp: Final = _reader(UInt8 | str | None)
_optional_proto_ports: Final = _reader(list[ProtoPort | None] | None)
_optional_table_ranges: Final = _reader(list[TableRange | None] | None)
_optional_health_timeouts: Final = _reader(list[HealthTimeout | None] | None)

TEXT: Final = Kind(_read_plain_text, _same, _same)
"""A string; empty is not set."""
TEXT_ALWAYS: Final = TEXT._replace(if_absent="")
"""A string that whole v3 objects write also when it is empty."""
OPTIONAL_TEXT: Final = Kind(_optional_text, _same, _same)
"""A pointer to a string or to a named string type (the enums)."""
BOOL: Final = Kind(_reader(bool | None), lambda value: "true" if value else "false", _same)
"""A pointer to a bool."""
INT: Final = Kind(_reader(Int64 | None), str, _same)
"""A pointer to an int (64 bits)."""
MASK: Final = Kind(_reader(UInt32 | None), str, _same)
"""A pointer to a uint32."""
SECONDS: Final = Kind(_read_duration, duration.seconds_text, duration.canonical_text)
"""A pointer to a duration; its key counts seconds."""
MILLISECONDS: Final = Kind(_read_duration, duration.milliseconds_text, duration.canonical_text)
"""The same in milliseconds."""
ADDRESS_LIST: Final = Kind(_read_texts, ",".join, _same)
"""A pointer to a list of strings (CIDRs, interfaces); commas between them."""
MAP: Final = Kind(_read_map, lambda value: "".join(f"{name}={text}," for name, text in value.items()), _same)
"""A pointer to a map of strings; a comma after each, sorted by name (Calico's order is random)."""
PORT_RANGE: Final = Kind(_read_port, str, _same)
"""A pointer to a port: a number, a range, a name."""
PORT_RANGES: Final = Kind(_read_ports, lambda value: f"[{' '.join(map(str, value))}]", _same)
"""A pointer to a list of ports, printed as Go prints lists."""
DSCP: Final = Kind(_read_dscp, str, _same)
"""A pointer to a DSCP value: a number, or a name as written."""
FAILSAFE_PORTS: Final = Kind(_read_failsafe, _failsafe_text, _failsafe_json)
"""A pointer to a list of protocol, net and port; an empty list is `none`."""
ROUTE_TABLES: Final = Kind(_reader(TableRange | None), _table_text, _table_json)
"""A pointer to one range of route tables."""
ROUTE_TABLE_RANGES: Final = Kind(
    _read_table_ranges, lambda value: ",".join(map(_table_text, value)), lambda value: [*map(_table_json, value)]
)
"""A pointer to a list of them."""
HEALTH_TIMEOUTS: Final = Kind(
    _read_health,
    lambda value: ",".join(f"{name}={duration.canonical_text(limit)}" for name, limit in value),
    lambda value: [{"name": name, "timeout": duration.canonical_text(limit)} for name, limit in value],
)
"""A list of names and durations; empty is not set."""
CONNTRACK_TIMEOUTS: Final = Kind(
    _reader(ConntrackTimeouts | None),
    lambda value: ",".join(
        f"{name}={text}"
        for name, text in zip(_CONNTRACK_NAMES, msgspec.structs.astuple(value), strict=True)
        if text is not None
    ),
    _same,
)
"""A pointer to a struct of optional texts; Go's names of those that are set."""
