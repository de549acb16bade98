"""How gob carries each message: its registered name, and per Go field the attribute of ours and the wanted type.

Source: Calico's typha/pkg/syncproto, by field name and gob type. Nothing here depends on ids or on field order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, TypeVar

from typha.calico_wire import messages as m

M_co = TypeVar("M_co", covariant=True)


class Want(Enum):
    """What a field has to be in the sender's definition, and what it becomes here."""

    BOOL = auto()
    INT = auto()
    UINT = auto()
    UINT8 = auto()  # a uint that Go's reader refuses above 255
    TEXT = auto()
    BYTES = auto()
    TIME = auto()  # Go's time.Time -> nanoseconds since the Unix epoch
    TEXTS = auto()  # a slice of strings -> tuple
    UPDATES = auto()  # a slice of SerializedUpdate -> tuple
    TEXT_IN_INTERFACE = auto()  # an interface: a string, or None where it holds anything else


@dataclass(frozen=True, slots=True)
class Shape(Generic[M_co]):
    """One struct. ``fields``: Go's field name -> (attribute, wanted type).

    ``once``: it comes once in a connection, so nothing is kept for the next.
    """

    name: str
    make: Callable[..., M_co]
    fields: Mapping[str, tuple[str, Want]]
    once: bool = False


UPDATE: Final = Shape(
    "SerializedUpdate",
    m.SerializedUpdate,
    {
        "Key": ("key", Want.TEXT),
        "Value": ("value", Want.BYTES),
        "Revision": ("revision", Want.TEXT_IN_INTERFACE),
        "V3ResourceVersion": ("v3_resource_version", Want.TEXT),
        "TTL": ("ttl_ns", Want.INT),
        "UpdateType": ("update_type", Want.UINT8),
    },
)

_AGENT: Final[tuple[Shape[m.AgentMessage], ...]] = (
    Shape(
        "MsgClientHello",
        m.ClientHello,
        {
            "Hostname": ("hostname", Want.TEXT),
            "Info": ("info", Want.TEXT),
            "Version": ("version", Want.TEXT),
            "SyncerType": ("syncer_type", Want.TEXT),
            "SupportsDecoderRestart": ("supports_decoder_restart", Want.BOOL),
            "SupportedCompressionAlgorithms": ("compression_algorithms", Want.TEXTS),
            "SupportsModernPolicyKeys": ("supports_modern_policy_keys", Want.BOOL),
            "ClientConnID": ("connection_id", Want.UINT),
        },
        once=True,
    ),
    Shape("MsgACK", m.Ack, {}),
    Shape(
        "MsgPong",
        m.Pong,
        {"PingTimestamp": ("ping_timestamp_ns", Want.TIME), "PongTimestamp": ("pong_timestamp_ns", Want.TIME)},
    ),
)

_SERVER: Final[tuple[Shape[m.ServerMessage], ...]] = (
    Shape(
        "MsgServerHello",
        m.ServerHello,
        {
            "Version": ("version", Want.TEXT),
            "SyncerType": ("syncer_type", Want.TEXT),
            "SupportsNodeResourceUpdates": ("supports_node_resource_updates", Want.BOOL),
            "ServerConnID": ("connection_id", Want.UINT),
        },
        once=True,
    ),
    Shape(
        "MsgDecoderRestart",
        m.DecoderRestart,
        {"Message": ("message", Want.TEXT), "CompressionAlgorithm": ("compression_algorithm", Want.TEXT)},
    ),
    Shape("MsgSyncStatus", m.Status, {"SyncStatus": ("status", Want.UINT8)}),
    Shape("MsgKVs", m.KVs, {"KVs": ("updates", Want.UPDATES)}),
    Shape("MsgPing", m.Ping, {"Timestamp": ("timestamp_ns", Want.TIME)}),
)


def _by_registered_name(shapes: tuple[Shape[Any], ...]) -> dict[str, Shape[Any]]:
    return {m.PACKAGE + shape.name: shape for shape in shapes}


AGENT_SHAPES: Final[Mapping[str, Shape[m.AgentMessage]]] = _by_registered_name(_AGENT)
SERVER_SHAPES: Final[Mapping[str, Shape[m.ServerMessage]]] = _by_registered_name(_SERVER)
